/** How a page reaches the jobs: by a kernel's comm, or by HTTP. */
import type { Changes, Detail, Json, LogBatch, Span, State, StatusInfo } from "./types";

/** What arrives. */
export type Message =
  | { type: "changes"; now: number; changes: Changes }
  | { type: "detail"; now: number; job_id: string; detail: Partial<Detail> }
  | { type: "log"; job_id: string; log: LogBatch }
  | { type: "link"; link: Link };

/** What a user can ask of a job; a front end offers those its other side names. */
export type CommandName = "cancel" | "retry" | "retry_current" | "extend" | "delete";
export type CommandArgs = { seconds?: number; resume?: boolean };

/** What of a job can be saved: a file by its number, all of them, an attempt's log. */
export type Part = number | "zip" | { log: number };

/** What a command was for is not in the store any more. */
export class Gone extends Error {}

export interface Transport {
  /** Delivers from now on; the result ends that. */
  subscribe(take: (message: Message) => void): () => void;
  /**
   * Asks for everything again: the detail, and the output of an attempt (null: the
   * newest) from a byte on (null: its last part).
   */
  attach(jobId: string, attempt: number | null, offset: number | null): void;
  /** Resolves with the answer, rejects with an Error whose message is for the user. */
  command(jobId: string, name: CommandName, args?: CommandArgs): Promise<Json>;
  /** Where the browser may fetch a part by itself; null where nothing serves it. */
  link(jobId: string, part: Part): string | null;
  /** A file of a job. Rejects with an Error whose message is for the user. */
  file(jobId: string, n: number): Promise<Blob>;
  /** Rows of a table that a job returned, from one on; null where nothing serves them. */
  rows(jobId: string, offset: number): Promise<Json[][]> | null;
  /** Address of the server's routes; null where there is none. */
  readonly address: string | null;
}

/** Which jobs a list shows; an empty text means all. */
export interface Filter {
  status: State | "";
  name: string;
  tag: string;
  notebook: string;
  /** Part of a name, of an id or of a tag. */
  text: string;
  order: Order;
}

export type Order = "newest" | "oldest" | "name" | "longest";

export type Counts = { [state in State]?: number };
/** Where a page of jobs ends; only the other side knows what is in it. */
export type Cursor = number | string;

/** Jobs in the order of the filter. */
export interface Page {
  jobs: StatusInfo[];
  /** Null where nothing older matches. */
  next: Cursor | null;
  /** How many jobs of each state there are in all, whatever the filter. */
  counts: Counts;
  /** Where it was asked for: when the attempts of each job ran. */
  attempts?: { [jobId: string]: Span[] };
}

/**
 * Whether the other side answers; "absent": it is there and knows nothing of jobs;
 * "saved": there is none, this is what a notebook kept.
 */
export type Link = "opening" | "open" | "lost" | "absent" | "saved";

/** What a list of jobs needs. */
export interface ListTransport {
  page(
    filter: Filter,
    before: Cursor | null,
    limit: number,
    attempts?: boolean,
  ): Promise<Page>;
  /** Does something to a job, as a card's transport does. */
  command(jobId: string, name: CommandName, args?: CommandArgs): Promise<Json>;
  /** Delivers changes and the state of the link from now on; the result ends that. */
  watch(take: (changes: Changes) => void, onLink: (link: Link) => void): () => void;
}
