/** Terminal colours as data: a line with escape sequences becomes styled segments. */
import type { Colour } from "./colours";

export interface Style {
  readonly color: Colour | null;
  readonly ground: Colour | null;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly strike: boolean;
  readonly inverse: boolean;
}

export interface Segment {
  text: string;
  style: Style;
}

export const PLAIN: Style = {
  color: null,
  ground: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
};

// CSI with its final byte, OSC up to BEL or ST, the choice of a character set, which
// "tput sgr0" writes too, and two-character escapes.
const ESCAPE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are control characters
  /\x1b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[()*+][0-9A-Za-z]|[@-Z\\^_=>78])/g;
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
  let style: Style = before;
  // "4:3" is one code with its kind; "4;3" are two.
  const codes = params.split(";");
  for (let i = 0; i < codes.length; i++) {
    const [code = 0, ...kind] = numbers((codes[i] as string).split(":"));
    if (code === 38 || code === 48) {
      const rest = kind.length ? colonForm(kind) : numbers(codes.slice(i + 1));
      const [colour, used] = extended(rest);
      style = { ...style, [code === 38 ? "color" : "ground"]: colour };
      if (!kind.length) i += used;
    } else if (code === 4) style = { ...style, underline: kind[0] !== 0 };
    else style = { ...style, ...simple(code) };
  }
  return style;
}

function numbers(codes: readonly string[]): number[] {
  return codes.map((code) => Number(code || 0));
}

/** `2::R:G:B` names a colour space before the colour, `2:R:G:B` does not. */
function colonForm(kind: readonly number[]): readonly number[] {
  return kind[0] === 2 && kind.length > 4 ? [2, ...kind.slice(2)] : kind;
}

const SIMPLE: { [code: number]: Partial<Style> } = {
  0: PLAIN,
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  7: { inverse: true },
  9: { strike: true },
  21: { underline: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { color: null },
  49: { ground: null },
};

function simple(code: number): Partial<Style> {
  const [tens, units] = [Math.floor(code / 10), code % 10];
  if (units < 8) {
    if (tens === 3) return { color: units };
    if (tens === 4) return { ground: units };
    if (tens === 9) return { color: 8 + units };
    if (tens === 10) return { ground: 8 + units };
  }
  return SIMPLE[code] ?? {};
}

/** `5;N` of the 256 colours or `2;R;G;B`, and how many codes that took. */
function extended(codes: readonly number[]): [colour: Colour | null, used: number] {
  if (codes[0] === 2) {
    const [r = 0, g = 0, b = 0] = codes.slice(1, 4);
    return [[byte(r), byte(g), byte(b)], 4];
  }
  if (codes[0] !== 5) return [null, 1];
  const n = byte(codes[1] ?? 0);
  if (n < 16) return [n, 2];
  if (n >= 232) {
    const grey = 8 + (n - 232) * 10;
    return [[grey, grey, grey], 2];
  }
  const cube = (step: number) => (step % 6 === 0 ? 0 : 55 + (step % 6) * 40);
  const k = n - 16;
  return [[cube(Math.floor(k / 36)), cube(Math.floor(k / 6)), cube(k)], 2];
}

function byte(n: number): number {
  return Math.min(255, Math.max(0, n));
}
