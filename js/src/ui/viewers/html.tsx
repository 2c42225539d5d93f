/** HTML of a result in a frame of its own, which runs nothing and loads nothing. */
import type { ViewerProps } from "./props";
import { joined } from "./text";

const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";
// Results expect paper: dark themes would leave black text on black.
const STYLE =
  "body{margin:8px;background:#fff;color:#222;font:13px/1.5 system-ui,sans-serif}" +
  "table{border-collapse:collapse}td,th{padding:3px 8px;border:1px solid #ddd}";

export function HtmlView({ value }: ViewerProps) {
  const page =
    `<!doctype html><meta http-equiv="Content-Security-Policy" content="${POLICY}">` +
    `<style>${STYLE}</style>${joined(value)}`;
  return <iframe class="chutes-html" title="Result" sandbox="" srcDoc={page} />;
}
