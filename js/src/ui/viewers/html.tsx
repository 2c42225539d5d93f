/** HTML of a result in a frame of its own, which runs nothing and loads nothing. */
import { useMemo } from "preact/hooks";
import type { ViewerProps } from "./props";
import { joined } from "./text";

const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";
// Results expect paper: dark themes would leave black text on black.
const STYLE =
  "body{margin:8px;background:#fff;color:#222;font:13px/1.5 system-ui,sans-serif}" +
  "table{border-collapse:collapse}td,th{padding:3px 8px;border:1px solid #ddd}";
// The policy stops these too, but a browser that looks ahead in a long page may ask
// for them before it has read the policy.
const LOADING =
  "script, link, meta, base, iframe, frame, object, embed, applet, portal, template";
const ADDRESSES =
  /^(src|srcset|href|xlink:href|poster|background|data|action|formaction|ping|cite|longdesc|manifest)$/i;
/** What an address may be: a place in the page itself, or bytes in place. */
const HARMLESS = /^\s*(#|data:)/i;
const IMPORTS = /@import[^;]*;?|url\(\s*(?!['"]?\s*(data:|#))[^)]*\)/gi;

export function HtmlView({ value }: ViewerProps) {
  const page = useMemo(() => {
    const head = `<!doctype html><meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
    return `${head}<style>${STYLE}</style>${withoutLoads(joined(value))}`;
  }, [value]);
  return <iframe class="chutes-html" title="Result" sandbox="" srcDoc={page} />;
}

/** The same page without whatever would ask for something from outside. */
export function withoutLoads(html: string): string {
  // A document made so is inert: reading it loads nothing and runs nothing.
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const node of page.querySelectorAll(LOADING)) node.remove();
  for (const node of page.querySelectorAll("*")) {
    for (const { name, value } of [...node.attributes]) {
      const leads = ADDRESSES.test(name) && !HARMLESS.test(value);
      // A link that a reader clicks on leads nowhere in a sandbox, and is only text.
      if (leads || /^on/i.test(name)) node.removeAttribute(name);
      else if (/^style$/i.test(name)) {
        node.setAttribute(name, value.replace(IMPORTS, ""));
      }
    }
    if (/^style$/i.test(node.tagName)) {
      node.textContent = (node.textContent ?? "").replace(IMPORTS, "");
    }
  }
  return page.head.innerHTML + page.body.innerHTML;
}
