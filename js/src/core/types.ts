/** The JSON shapes that leave Python; `tests/golden/changes.json` holds both sides to them. */

export type State =
  | "queued"
  | "running"
  | "retrying"
  | "completed"
  | "failed"
  | "timeout"
  | "cancelled"
  | "interrupted";

export interface Progress {
  done: number | null;
  total: number | null;
  /** Share done, 0 to 1. */
  fraction: number | null;
  message: string | null;
  unit: string | null;
  /** Units a second. */
  rate: number | null;
  /** Seconds left, as of `at`. */
  eta_s: number | null;
  /** When it was told, in seconds since 1970. */
  at?: number | null;
}

export interface ErrorInfo {
  type: string;
  message: string;
  traceback: string;
  function: string | null;
  line: number | null;
  cell: number | null;
  /** Name of the file of the line, where it is in no cell; older notebooks lack it. */
  file?: string | null;
  /** Numbered lines around the failing one. */
  source: [number, string][];
}

/** One job as it stands; times are seconds since 1970 by the kernel's clock. */
export interface StatusInfo {
  job_id: string;
  name: string;
  chute: string;
  status: State;
  attempt: number;
  max_attempts: number;
  progress: Progress | null;
  stage: string | null;
  submitted_at: number;
  started_at: number | null;
  finished_at: number | null;
  next_attempt_at: number | null;
  queue_position: number | null;
  error: ErrorInfo | null;
  reason: string | null;
  timeout_s: number | null;
  deadline_at: number | null;
  executor: string;
  priority: number;
  tags: string[];
  notebook: string | null;
  cell: number | null;
  retry_of: string | null;
  cancel_requested: boolean;
  reported_failure: boolean;
  /** Set while it runs and is silent for far longer than is usual for it. */
  quiet_since: number | null;
  log_end: number;
  rev: number;
}

export interface Move {
  rev: number;
  job_id: string;
  from: State | null;
  to: State;
  at: number;
  attempt: number;
  reason: string | null;
}

export interface Changes {
  rev: number;
  jobs: StatusInfo[];
  moves: Move[];
  more: boolean;
}

/** A stretch of one attempt's output; offsets count bytes. */
export interface LogBatch {
  attempt: number;
  offset: number;
  next_offset: number;
  text: string;
  end: boolean;
  /** Bytes left out just before this text. */
  skipped: number;
  /** Lines that ended before this text, in all the output; null: nobody knows. */
  line: number | null;
}

export interface Attempt {
  number: number;
  started_at: number | null;
  finished_at: number | null;
  status: State;
  error: ErrorInfo | null;
  reason: string | null;
}

export interface FileEntry {
  n: number;
  name: string;
  size: number;
  type: string | null;
  sha256: string;
}

/** A stage that an attempt came to. */
export interface Stage {
  attempt: number;
  name: string;
  at: number;
}

/** When an attempt ran. */
export interface Span {
  number: number;
  started_at: number;
  finished_at: number | null;
  status: State;
}

export interface Checkpoint {
  attempt: number;
  step: number | null;
  at: number;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type MimeBundle = { [mime: string]: Json };
/** The step is null where the job told none, the value where it was not finite. */
export type Point = [step: number | null, value: number | null];
export type Metrics = { [name: string]: Point[] };

export interface Result {
  /** The Python type's name. */
  type: string;
  /** False where the view cannot say all of the value. */
  exact: boolean;
  view: MimeBundle;
}

export interface Detail {
  status: StatusInfo;
  attempts: Attempt[];
  moves: Move[];
  inputs: Json;
  source: string;
  source_first_line: number;
  state: { [name: string]: Json };
  metrics: Metrics;
  stages: Stage[];
  /** Null where there is none to resume from. */
  checkpoint: Checkpoint | null;
  files: FileEntry[];
  result: Result | null;
}

export const JOB_MIME = "application/vnd.chutes.job+json";
export const JOBS_MIME = "application/vnd.chutes.jobs+json";

/** What a notebook keeps of a job under that MIME type. */
export interface JobDocument {
  version: 1;
  job: StatusInfo;
  tail: string[];
}

/** Beside the job MIME, where a job has returned something: as much as is kept of it. */
export const RESULT_MIME = "application/vnd.chutes.result+json";

/** What a notebook keeps of the panel: the newest jobs as it was shown. */
export interface JobsDocument {
  version: 1;
  jobs: StatusInfo[];
  counts: { [state in State]?: number };
}

/** Of several jobs that a notebook shows as a table; the one above is of the panel. */
export const GROUP_MIME = "application/vnd.chutes.group+json";

/** What a notebook keeps of several jobs; the first of them have rows. */
export interface GroupDocument {
  version: 1;
  /** As many as can be followed. */
  ids: string[];
  /** How many they are. */
  total: number;
  /** How many there are in the store, where these are the newest alone. */
  of: number | null;
  counts: { [state in State]?: number };
  /** What a row was given that others were not. */
  inputs: { [jobId: string]: string };
  jobs: StatusInfo[];
  /** When it was written; null where nothing moved any more. */
  at: number | null;
}

const ACTIVE: ReadonlySet<State> = new Set(["queued", "running", "retrying"]);

/** Whether the job can still move. */
export function isActive(job: Pick<StatusInfo, "status">): boolean {
  return ACTIVE.has(job.status);
}

/** How many of the jobs can still move. */
export function activeIn(counts: { [state in State]?: number }): number {
  return [...ACTIVE].reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}
