/** What a terminal's colours become on a page that is light or dark. */
import type { Style } from "./ansi";

/** One of the 16 that a terminal names, or a fixed one. */
export type Colour = number | readonly [r: number, g: number, b: number];

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
/** The 16 as a ground: it is the same on every page, so that the text on it can be chosen. */
const GROUNDS = [
  [0x1e, 0x1e, 0x1e],
  [0xc6, 0x28, 0x28],
  [0x2e, 0x7d, 0x32],
  [0xe5, 0xc1, 0x07],
  [0x15, 0x65, 0xc0],
  [0x9c, 0x27, 0xb0],
  [0x00, 0x83, 0x8f],
  [0xe5, 0xe5, 0xe5],
  [0x66, 0x66, 0x66],
  [0xef, 0x53, 0x50],
  [0x66, 0xbb, 0x6a],
  [0xff, 0xee, 0x58],
  [0x42, 0xa5, 0xf5],
  [0xce, 0x6f, 0xdc],
  [0x4d, 0xd0, 0xe1],
  [0xff, 0xff, 0xff],
] as const;
const BLACK = [0, 0, 0] as const;
const WHITE = [255, 255, 255] as const;
/** What WCAG asks of text. */
const LEAST_CONTRAST = 4.5;

export interface Paint {
  color?: string;
  background?: string;
}

/** How a style is drawn; text in it can be read, whatever the job thought of its page. */
export function painted({ color, ground, inverse }: Style): Paint {
  const [over, under] = inverse ? [ground, color] : [color, ground];
  if (under !== null) {
    // Named and inverse: the theme's tone, with the page's own colour on it.
    if (inverse && typeof under === "number" && over === null) {
      return { color: "var(--chutes-bg)", background: themed(under) };
    }
    const back = fixed(under);
    return { color: rgb(readable(over, back)), background: rgb(back) };
  }
  if (inverse) return { color: "var(--chutes-bg)", background: "var(--chutes-text)" };
  if (over === null) return {};
  return { color: typeof over === "number" ? themed(over) : adapted(over) };
}

/** Named colours are themed: the style sheet says what "red" is on this page. */
function themed(index: number): string {
  return `var(--chutes-ansi-${NAMES[index % 8]})`;
}

/** A fixed colour keeps its hue; how light it is, the page decides. */
function adapted(colour: readonly [number, number, number]): string {
  const light = "clamp(var(--chutes-ansi-darkest), l, var(--chutes-ansi-lightest))";
  return `oklch(from ${rgb(colour)} ${light} c h)`;
}

function readable(
  over: Colour | null,
  back: readonly [number, number, number],
): readonly [number, number, number] {
  if (over !== null && contrast(fixed(over), back) >= LEAST_CONTRAST)
    return fixed(over);
  return contrast(BLACK, back) > contrast(WHITE, back) ? BLACK : WHITE;
}

function fixed(colour: Colour): readonly [number, number, number] {
  return typeof colour === "number" ? (GROUNDS[colour] ?? BLACK) : colour;
}

function rgb([r, g, b]: readonly [number, number, number]): string {
  return `rgb(${r} ${g} ${b})`;
}

function contrast(
  one: readonly [number, number, number],
  other: readonly [number, number, number],
): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

/** By WCAG 2. */
function luminance(colour: readonly [number, number, number]): number {
  const [r, g, b] = colour.map((byte) => {
    const part = byte / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
