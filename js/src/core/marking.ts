/** Finds a text in a styled line. */
import type { Segment } from "./ansi";

/** What is searched for: the lines that have it, by their numbers, and the one shown. */
export interface Found {
  text: string;
  lines: number[];
  at: number;
}
export const NOTHING: Found = { text: "", lines: [], at: -1 };

/** The segments of a line, cut where the text stands in it, also across colours. */
export function marked(
  segments: readonly Segment[],
  text: string,
): (Segment & { isFound: boolean })[] {
  const line = segments.map((segment) => segment.text).join("");
  const places = placesOf(line, text);
  const cut: (Segment & { isFound: boolean })[] = [];
  let at = 0;
  for (const segment of segments) {
    const end = at + segment.text.length;
    while (at < end) {
      const place = places.find(([, stop]) => stop > at);
      const isFound = place !== undefined && place[0] <= at;
      const stop = Math.min(end, isFound ? place[1] : (place?.[0] ?? end));
      const piece = segment.text.slice(
        segment.text.length - (end - at),
        segment.text.length - (end - stop),
      );
      cut.push({ text: piece, style: segment.style, isFound });
      at = stop;
    }
  }
  return cut;
}

function placesOf(line: string, text: string): [start: number, stop: number][] {
  const [where, wanted] = [line.toLowerCase(), text.toLowerCase()];
  const places: [number, number][] = [];
  if (!wanted || where.length !== line.length) return places;
  for (let at = where.indexOf(wanted); at >= 0; ) {
    places.push([at, at + wanted.length]);
    at = where.indexOf(wanted, at + wanted.length);
  }
  return places;
}
