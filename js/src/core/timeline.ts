/** Jobs along the time: what of each lies where. */
import type { Span, State, StatusInfo } from "./types";

export interface Window {
  /** Seconds since 1970. */
  from: number;
  to: number;
}

export interface Bar {
  kind: "queued" | "waiting" | "attempt";
  /** The attempt's state, or that of the job which waits. */
  state: State;
  /** Which attempt; that which is waited for. */
  number: number;
  from: number;
  to: number;
}

/** A window has some room beside what it shows. */
const ROOM = 0.02;
const LEAST_S = 5;
/** Distances between marks, in seconds: round times of day. */
const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
  86_400, 172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
];

/** A job's life in pieces: its wait, each attempt, and the pauses between these. */
export function barsOf(job: StatusInfo, spans: readonly Span[], now: number): Bar[] {
  const known = spans.length ? spans : guessed(job);
  const bars: Bar[] = [];
  const end = job.finished_at ?? now;
  let at = job.submitted_at;
  let last: Span | null = null;
  for (const span of known) {
    const kind = last ? "waiting" : "queued";
    const state = last ? "retrying" : "queued";
    const start = Math.max(at, span.started_at);
    if (start > at)
      bars.push({ kind, state, number: span.number, from: at, to: start });
    at = Math.max(start, span.finished_at ?? end);
    bars.push({
      kind: "attempt",
      state: span.status,
      number: span.number,
      from: start,
      to: at,
    });
    last = span;
  }
  const waits = job.status === "queued" || job.status === "retrying";
  if (waits || (!last && end > at)) {
    const number = (last?.number ?? 0) + 1;
    const kind = last ? "waiting" : "queued";
    bars.push({ kind, state: job.status, number, from: at, to: Math.max(at, end) });
  }
  return bars;
}

/** Where only the job itself is known: one attempt from its start to its end. */
function guessed(job: StatusInfo): Span[] {
  const { started_at, finished_at, status, attempt } = job;
  if (started_at === null) return [];
  const isOver = status !== "running";
  return [
    { number: attempt, started_at, finished_at: isOver ? finished_at : null, status },
  ];
}

/** A window that has all of some jobs. */
export function windowOf(jobs: readonly StatusInfo[], now: number): Window {
  let [from, to] = [Infinity, -Infinity];
  for (const job of jobs) {
    from = Math.min(from, job.submitted_at);
    to = Math.max(to, job.finished_at ?? now);
  }
  if (from > to) return { from: now - 60, to: now };
  const room = Math.max(LEAST_S, to - from) * ROOM;
  return { from: from - room, to: Math.max(to, from + LEAST_S) + room };
}

/** Nearer or further, around a place from 0 to 1; moved by a share of its width. */
export function moved(
  window: Window,
  zoom: number,
  shift: number,
  around = 0.5,
): Window {
  const width = window.to - window.from;
  const wide = Math.min(Math.max(width * zoom, 0.5), 20 * 365 * 86_400);
  const from = window.from + (width - wide) * around + wide * shift;
  return { from, to: from + wide };
}

/** Times of day to mark in a window. */
export function marksIn({ from, to }: Window, most: number): number[] {
  const step = STEPS.find((one) => (to - from) / one <= most) ?? STEPS.at(-1) ?? 1;
  // Days begin at midnight here, not at Greenwich.
  const offset = step >= 3600 ? new Date(from * 1000).getTimezoneOffset() * 60 : 0;
  const marks: number[] = [];
  for (
    let at = Math.ceil((from - offset) / step) * step + offset;
    at <= to;
    at += step
  ) {
    marks.push(at);
  }
  return marks;
}

/** `14:02:30`, `14:02`, or `24 Nov`, as finely as the marks lie apart. */
export function markText(at: number, { from, to }: Window): string {
  const date = new Date(at * 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (to - from < 300) return `${minutes}:${two(date.getSeconds())}`;
  if (to - from < 86_400 * 1.5) return minutes;
  const day = date.toLocaleDateString("en", { day: "numeric", month: "short" });
  return minutes === "00:00" || to - from > 86_400 * 8 ? day : `${day} ${minutes}`;
}
