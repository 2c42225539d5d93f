/** The table of several jobs in words, as the HTML that Python writes has them. */
import { activeIn, isActive, type State, type StatusInfo } from "./types";
import { duration, elapsed, number, stamp } from "./words";

export const COLUMNS = [
  "state",
  "job",
  "inputs",
  "attempt",
  "progress",
  "time",
  "from",
  "why",
  "id",
] as const;
export type Column = (typeof COLUMNS)[number];
export type Texts = { [column in Column]: string };
type Counts = { [state in State]?: number };

/** In the order of a job's life. */
const STATES: State[] = [
  "queued",
  "running",
  "retrying",
  "completed",
  "failed",
  "timeout",
  "cancelled",
  "interrupted",
];
const MOST_WHY = 90;
const LAST_OF_ID = 6;

/** One job by columns; `now` in seconds since 1970 by its server's clock. */
export function textsOf(job: StatusInfo, inputs: string, now: number): Texts {
  const { progress, finished_at: end } = job;
  const seconds = elapsed(job, now);
  const why = job.reason || (job.reported_failure ? "reported failure" : "");
  const cell = job.cell === null ? "" : `[${job.cell}]`;
  const share = progress?.fraction ?? null;
  return {
    state: job.status,
    job: job.name,
    inputs,
    attempt: `${job.attempt} of ${job.max_attempts}`,
    progress: share === null ? "" : `${Math.floor(share * 100 + 1e-9)} %`,
    // Tenths of a second are told of what has ended: those of a clock would only flicker.
    time: seconds === null ? "" : duration(seconds, end !== null),
    from: [job.notebook ?? "", cell].filter(Boolean).join(" "),
    why: why.length <= MOST_WHY ? why : `${why.slice(0, MOST_WHY - 1)}…`,
    id: job.job_id.slice(-LAST_OF_ID),
  };
}

/** Where all of several jobs come from; empty where that differs. */
export function placeOf(rows: Texts[]): string {
  const places = new Set(rows.map((row) => row.from));
  return rows.length > 1 && places.size === 1 ? (rows[0]?.from ?? "") : "";
}

/** `12 jobs`, `newest 100 of 1,204 jobs`. */
export function nameOf(total: number, of: number | null): string {
  if (of !== null) return `newest ${number(total)} of ${number(of)} jobs`;
  return total === 1 ? "1 job" : `${number(total)} jobs`;
}

/** `3 running, 17 completed`. */
export function sumOf(counts: Counts): string {
  return STATES.filter((state) => counts[state])
    .map((state) => `${number(counts[state] ?? 0)} ${state}`)
    .join(", ");
}

/** What the bar above the table shows: shares of those that have ended, in percent. */
export function sharesOf(counts: Counts): { state: State; percent: number }[] {
  const total = STATES.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  return STATES.filter((state) => counts[state] && !isActive({ status: state })).map(
    (state) => ({ state, percent: (100 * (counts[state] ?? 0)) / total }),
  );
}

/** ` · as of 2026-03-01 14:02:59`; nothing of what is over. */
export function asOfText(counts: Counts, at: number | null): string {
  if (at === null || activeIn(counts) === 0) return "";
  return ` · as of ${stamp(at)}`;
}
