/** Numbers as a picture: which curves share one, their scales, and what lies where. */
import type { Metrics, Point } from "./types";

export type Dot = [step: number, value: number];

export interface Series {
  name: string;
  dots: Dot[];
  /** The step since which there is no number to draw; null: there is one. */
  lostAt: number | null;
}

export interface Group {
  name: string;
  series: Series[];
}

export interface Scale {
  low: number;
  high: number;
  isLog: boolean;
}

// What stands before or behind a metric's name and says of which data it is.
const PART =
  /^(train(?:ing)?|val(?:id(?:ation)?)?|test|eval)[\s_/.-]+|[\s_/.-]+(train|val|valid|test|eval)$/i;
/** Curves in one picture that can be told apart. */
const MOST_SERIES = 6;

/** What can be drawn; a point without a step stands at its place in the row. */
export function dots(points: readonly Point[]): Dot[] {
  const found: Dot[] = [];
  for (const [i, [step, value]] of points.entries()) {
    if (value !== null) found.push([step ?? i + 1, value]);
  }
  return found;
}

/** The step since which every value is NaN or infinite, to the newest; null: none is. */
export function lostAt(points: readonly Point[]): number | null {
  let at = points.length;
  while (at > 0 && points[at - 1]?.[1] === null) at--;
  const first = points[at];
  return first ? (first[0] ?? at + 1) : null;
}

/** `loss` and `val_loss` in one picture, since they are looked at together. */
export function grouped(metrics: Metrics): Group[] {
  const groups = new Map<string, Group>();
  for (const [name, points] of Object.entries(metrics)) {
    const found = dots(points);
    if (found.length === 0) continue;
    const base = name.replace(PART, "") || name;
    const key = base.toLowerCase();
    const known = groups.get(key);
    const series = { name, dots: found, lostAt: lostAt(points) };
    if (known && known.series.length < MOST_SERIES) known.series.push(series);
    else
      groups.set(known ? `${key} ${name}` : key, {
        name: known ? name : base,
        series: [series],
      });
  }
  return [...groups.values()];
}

/**
 * From the least to the greatest of some series, upwards; a log scale is of what is above
 * zero. Both are one for a curve that never moves: it has no other value to tell of.
 */
export function scaleOf(series: readonly Series[], wantsLog = false): Scale {
  const values = series.flatMap((one) => one.dots.map(([, value]) => value));
  const isLog = wantsLog && values.some((value) => value > 0);
  return { ...ends(isLog ? values.filter((value) => value > 0) : values), isLog };
}

/** The least and the greatest; of no values, 0 and 1. */
export function ends(values: readonly number[]): { low: number; high: number } {
  if (values.length === 0) return { low: 0, high: 1 };
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}

export function stepsOf(series: readonly Series[]): Scale {
  const steps = series.flatMap((one) => one.dots.map(([step]) => step));
  const { low, high } = ends(steps);
  return { low, high: high > low ? high : low + 1, isLog: false };
}

/** Where a value stands, from 0 to 1; null where a log scale has no place for it. */
export function placeOn(scale: Scale, value: number): number | null {
  const { low, high, isLog } = scale;
  if (isLog && value <= 0) return null;
  if (low === high) return 0.5;
  if (!isLog) return (value - low) / (high - low);
  return Math.log(value / low) / Math.log(high / low);
}

/** Round values inside a scale, about as many as are wanted. */
export function ticks(scale: Scale, wanted: number): number[] {
  const { low, high, isLog } = scale;
  if (low === high) return [low];
  if (isLog) return logTicks(low, high, wanted);
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw) ?? raw;
  const found = new Set<number>();
  const first = Math.ceil(low / step);
  // Counted from the first: beyond 2 ** 53 a number plus one is itself.
  for (let i = 0; i <= 2 * wanted && (first + i) * step <= high + step * 1e-9; i++) {
    found.add(Number(((first + i) * step).toPrecision(12)));
  }
  return [...found];
}

function logTicks(low: number, high: number, wanted: number): number[] {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  if (last - first < 1) {
    return ticks({ low, high, isLog: false }, wanted).filter((value) => value > 0);
  }
  const every = Math.max(1, Math.ceil((last - first) / wanted));
  const found: number[] = [];
  for (let n = first; n <= last; n += every) found.push(10 ** n);
  return found;
}

/** The dot whose step is nearest; dots are sorted by step, as runs tell them. */
export function nearest(found: readonly Dot[], step: number): Dot | null {
  let best: Dot | null = null;
  for (const dot of found) {
    if (!best || Math.abs(dot[0] - step) < Math.abs(best[0] - step)) best = dot;
  }
  return best;
}
