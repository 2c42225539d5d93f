/** How a page reaches the jobs: a kernel's comm now, HTTP as well later. */
import type { Changes, Detail, Json, LogBatch } from "./types";

/** What arrives. */
export type Message =
  | { type: "changes"; now: number; changes: Changes }
  | { type: "detail"; now: number; job_id: string; detail: Partial<Detail> }
  | { type: "log"; job_id: string; log: LogBatch };

/** What a user can ask of a job; a front end offers those its other side names. */
export type CommandName = "cancel" | "retry" | "retry_current" | "extend";

export interface Transport {
  /** Delivers from now on; the result ends that. */
  subscribe(take: (message: Message) => void): () => void;
  /**
   * Asks for everything again: the detail, and the output of an attempt (null: the
   * newest) from a byte on (null: its last part).
   */
  attach(jobId: string, attempt: number | null, offset: number | null): void;
  /** Resolves with the answer, rejects with an Error whose message is for the user. */
  command(jobId: string, name: CommandName, args?: { seconds?: number }): Promise<Json>;
}
