/** Markdown as blocks and spans; what is HTML in it stays text. */

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "em" | "strike"; parts: Inline[] }
  | { kind: "link"; url: string; parts: Inline[] };

export type Block =
  | { kind: "heading"; level: number; parts: Inline[] }
  | { kind: "paragraph"; parts: Inline[] }
  | { kind: "code"; text: string }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "list"; ordered: boolean; start: number; items: Block[][] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
  | { kind: "rule" };

const FENCE = /^ {0,3}(```+|~~~+)/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])\s*(?:\1\s*){2,}$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( +)(.*)$/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
/** Only these lead anywhere: a script's address is none. */
const SAFE_URL = /^(https?:|mailto:)/i;
/** Lists in lists in lists; deeper is text. */
const MOST_DEPTH = 8;

export function parseMarkdown(text: string, depth = 0): Block[] {
  const lines = text.replaceAll("\r\n", "\n").replaceAll("\t", "    ").split("\n");
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (!line.trim()) {
      at++;
      continue;
    }
    const [block, next] = blockAt(lines, at, depth);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

function blockAt(lines: string[], at: number, depth: number): [Block, number] {
  const line = lines[at] ?? "";
  const fence = FENCE.exec(line)?.[1];
  if (fence) return fenced(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) {
    const level = heading[1]?.length ?? 1;
    return [{ kind: "heading", level, parts: inline(heading[2] ?? "") }, at + 1];
  }
  if (RULE.test(line)) return [{ kind: "rule" }, at + 1];
  if (depth < MOST_DEPTH && /^ {0,3}>/.test(line)) return quoted(lines, at, depth);
  if (depth < MOST_DEPTH && ITEM.test(line)) return listed(lines, at, depth);
  if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "")) return tabled(lines, at);
  return paragraph(lines, at, depth);
}

function fenced(lines: string[], at: number, fence: string): [Block, number] {
  let end = at + 1;
  while (end < lines.length && !(lines[end] ?? "").trim().startsWith(fence)) end++;
  return [{ kind: "code", text: lines.slice(at + 1, end).join("\n") }, end + 1];
}

function quoted(lines: string[], at: number, depth: number): [Block, number] {
  let end = at;
  while (end < lines.length && /^ {0,3}>/.test(lines[end] ?? "")) end++;
  const inner = lines.slice(at, end).map((line) => line.replace(/^ {0,3}> ?/, ""));
  return [{ kind: "quote", blocks: parseMarkdown(inner.join("\n"), depth + 1) }, end];
}

function listed(lines: string[], at: number, depth: number): [Block, number] {
  const first = ITEM.exec(lines[at] ?? "");
  const ordered = /\d/.test(first?.[2] ?? "");
  const items: Block[][] = [];
  let end = at;
  while (end < lines.length) {
    const item = ITEM.exec(lines[end] ?? "");
    if (!item || /\d/.test(item[2] ?? "") !== ordered) break;
    const width = (item[1] ?? "").length + (item[2] ?? "").length + 1;
    const inner = [item[4] ?? ""];
    end++;
    while (end < lines.length && belongs(lines, end, width)) {
      inner.push((lines[end] ?? "").slice(Math.min(width, indent(lines[end] ?? ""))));
      end++;
    }
    items.push(parseMarkdown(inner.join("\n"), depth + 1));
  }
  const start = Number.parseInt(first?.[2] ?? "1", 10) || 1;
  return [{ kind: "list", ordered, start, items }, end];
}

/** Whether a line goes on with the item above it. */
function belongs(lines: string[], at: number, width: number): boolean {
  const line = lines[at] ?? "";
  if (!line.trim()) return indent(lines[at + 1] ?? "") >= width;
  if (indent(line) >= width) return true;
  const isLazy = (lines[at - 1] ?? "").trim() !== "" && !ITEM.test(line);
  return isLazy && !HEADING.test(line) && !FENCE.test(line);
}

function indent(line: string): number {
  return line.length - line.trimStart().length;
}

function tabled(lines: string[], at: number): [Block, number] {
  const head = cells(lines[at] ?? "");
  let end = at + 2;
  const rows: Inline[][][] = [];
  while (end < lines.length && (lines[end] ?? "").includes("|")) {
    rows.push(cells(lines[end] ?? ""));
    end++;
  }
  return [{ kind: "table", head, rows }, end];
}

function cells(line: string): Inline[][] {
  const inner = line.trim().replace(/^\|/, "").replace(/\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => inline(cell.trim()));
}

function paragraph(lines: string[], at: number, depth: number): [Block, number] {
  let end = at + 1;
  const ends = (line: string) =>
    !line.trim() ||
    HEADING.test(line) ||
    FENCE.test(line) ||
    RULE.test(line) ||
    (depth < MOST_DEPTH && (/^ {0,3}>/.test(line) || ITEM.test(line)));
  while (end < lines.length && !ends(lines[end] ?? "")) end++;
  const text = lines.slice(at, end).map((line) => line.trim());
  return [{ kind: "paragraph", parts: inline(text.join("\n")) }, end];
}

// Tried in this order at each place; a picture is its words, since it loads nothing.
const SPANS: [RegExp, (found: RegExpExecArray, depth: number) => Inline][] = [
  [/^\\([!-/:-@[-`{-~])/, ([, text = ""]) => ({ kind: "text", text })],
  [/^(`+)(.+?)\1(?!`)/s, ([, , text = ""]) => ({ kind: "code", text: text.trim() })],
  [/^!\[([^\]]*)\]\([^()\s]*\)/, ([, text = ""]) => ({ kind: "text", text })],
  [/^\[([^\]]+)\]\(<?([^()\s<>]*)>?(?:\s+"[^"]*")?\)/, linked],
  [/^<((?:https?|mailto):[^\s<>]+)>/i, ([, url = ""]) => link(url, url)],
  [/^(\*\*|__)(?=\S)(.+?)\1/s, ([, , text = ""], depth) => span("strong", text, depth)],
  [/^([*_])(?=\S)(.+?)\1(?!\w)/s, ([, , text = ""], depth) => span("em", text, depth)],
  [/^~~(?=\S)(.+?)~~/s, ([, text = ""], depth) => span("strike", text, depth)],
];

export function inline(text: string, depth = 0): Inline[] {
  const parts: Inline[] = [];
  let plain = "";
  const flush = () => {
    if (plain) parts.push({ kind: "text", text: plain });
    plain = "";
  };
  for (let at = 0; at < text.length; ) {
    const found = depth < MOST_DEPTH ? spanAt(text, at, depth) : null;
    if (found) {
      flush();
      parts.push(found[0]);
      at += found[1];
    } else plain += text[at++];
  }
  flush();
  return parts;
}

function spanAt(text: string, at: number, depth: number): [Inline, number] | null {
  if (!/[\\`![<*_~]/.test(text[at] ?? "")) return null;
  // A word_with_underscores is not emphasis.
  if (text[at] === "_" && /\w/.test(text[at - 1] ?? "")) return null;
  const rest = text.slice(at, at + 4_000);
  for (const [pattern, make] of SPANS) {
    const found = pattern.exec(rest);
    if (found) return [make(found, depth), found[0].length];
  }
  return null;
}

function span(kind: "strong" | "em" | "strike", text: string, depth: number): Inline {
  return { kind, parts: inline(text, depth + 1) };
}

function linked([, text = "", url = ""]: RegExpExecArray, depth: number): Inline {
  const parts = inline(text, depth + 1);
  return SAFE_URL.test(url) ? { kind: "link", url, parts } : { kind: "em", parts };
}

function link(url: string, text: string): Inline {
  return { kind: "link", url, parts: [{ kind: "text", text }] };
}
