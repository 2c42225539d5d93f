/** Terminal colours as data: a line with escape sequences becomes styled segments. */

export interface Style {
  readonly color: string | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
}

export interface Segment {
  text: string;
  style: Style;
}

export const PLAIN: Style = {
  color: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
};

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
// CSI with its final byte, OSC up to BEL or ST, and two-character escapes.
const ESCAPE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are control characters
  /\x1b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_=>78])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what it removes
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;

/** Cuts a line at its colour changes; other escape sequences are dropped. */
export function parse(
  line: string,
  start: Style = PLAIN,
): { segments: Segment[]; end: Style } {
  if (!line.includes("\x1b")) {
    return {
      segments: [{ text: line.replace(CONTROL, ""), style: start }],
      end: start,
    };
  }
  const segments: Segment[] = [];
  let style = start;
  let at = 0;
  const push = (text: string) => {
    const shown = text.replace(CONTROL, "");
    if (shown) segments.push({ text: shown, style });
  };
  for (const found of line.matchAll(ESCAPE)) {
    push(line.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === "m") style = restyled(style, found[1] ?? "");
  }
  push(line.slice(at));
  return { segments, end: style };
}

/** The text alone. */
export function plain(line: string): string {
  return line.replace(ESCAPE, "").replace(CONTROL, "");
}

function restyled(before: Style, params: string): Style {
  const codes = params.split(/[;:]/).map((code) => Number(code || 0));
  let style: Style = before;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] as number;
    if (code === 38 || code === 48) {
      const [color, used] = extended(codes.slice(i + 1));
      if (code === 38) style = { ...style, color };
      i += used;
    } else style = { ...style, ...simple(code) };
  }
  return style;
}

function simple(code: number): Partial<Style> {
  if (code === 0) return PLAIN;
  if (code === 1) return { bold: true };
  if (code === 2) return { dim: true };
  if (code === 3) return { italic: true };
  if (code === 4) return { underline: true };
  if (code === 22) return { bold: false, dim: false };
  if (code === 23) return { italic: false };
  if (code === 24) return { underline: false };
  if (code === 39) return { color: null };
  if (code >= 30 && code <= 37) return { color: named(code - 30) };
  if (code >= 90 && code <= 97) return { color: named(code - 90) };
  return {};
}

/** `5;N` of the 256 colours or `2;R;G;B`, and how many codes that took. */
function extended(codes: number[]): [color: string | null, used: number] {
  if (codes[0] === 2) {
    const [r = 0, g = 0, b = 0] = codes.slice(1, 4);
    return [`rgb(${byte(r)} ${byte(g)} ${byte(b)})`, 4];
  }
  if (codes[0] !== 5) return [null, 1];
  const n = codes[1] ?? 0;
  if (n < 16) return [named(n % 8), 2];
  if (n >= 232) {
    const grey = 8 + (n - 232) * 10;
    return [`rgb(${grey} ${grey} ${grey})`, 2];
  }
  const cube = (step: number) => (step % 6 === 0 ? 0 : 55 + (step % 6) * 40);
  const k = n - 16;
  return [`rgb(${cube(Math.floor(k / 36))} ${cube(Math.floor(k / 6))} ${cube(k)})`, 2];
}

/** Named colours are themed: the style sheet says what "red" is on this page. */
function named(n: number): string {
  return `var(--chutes-ansi-${NAMES[n]})`;
}

function byte(n: number): number {
  return Math.min(255, Math.max(0, n));
}
