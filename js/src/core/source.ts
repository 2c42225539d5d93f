/** What a page knows of its jobs: takes a transport's messages, tells its listeners. */
import { LogBuffer } from "./log";
import { apply, type Jobs, NO_JOBS } from "./reducer";
import type { Link, Message, Transport } from "./transport";
import type { Detail, Result, StatusInfo } from "./types";

const ASK_AGAIN_MS = 2_000;

export class JobSource {
  /** Seconds by which the page's clock is ahead of the kernel's. */
  skew_s = 0;
  /** Whether the other side still tells what happens. */
  link: Link = "opening";
  #jobs: Jobs = NO_JOBS;
  #details = new Map<string, Partial<Detail>>();
  #logs = new Map<string, LogBuffer>();
  #asked = new Map<LogBuffer, number>();
  #listeners = new Set<() => void>();

  constructor(
    readonly transport: Transport,
    private readonly clock: () => number = Date.now,
  ) {}

  /** Begins to listen; the result ends that. */
  start(): () => void {
    return this.transport.subscribe((message) => this.take(message));
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  job(jobId: string): StatusInfo | undefined {
    return this.#jobs.jobs.get(jobId);
  }

  detail(jobId: string): Partial<Detail> {
    const known = this.#details.get(jobId) ?? {};
    const moves = this.#jobs.moves.get(jobId);
    return moves && moves.length > (known.moves?.length ?? 0)
      ? { ...known, moves: [...moves] }
      : known;
  }

  /** The output of one attempt; empty until batches come. */
  log(jobId: string, attempt: number): LogBuffer {
    const key = `${jobId}/${Math.max(1, attempt)}`;
    let log = this.#logs.get(key);
    if (!log) {
      log = new LogBuffer();
      this.#logs.set(key, log);
    }
    return log;
  }

  /** Puts in what is known before the first message (a model's traits, a snapshot). */
  seed(job: StatusInfo, tail: string[], result?: Result): void {
    this.log(job.job_id, job.attempt).preview(tail);
    if (result) this.#details.set(job.job_id, { result });
    this.#merge({ rev: job.rev, jobs: [job], moves: [], more: false });
  }

  take(message: Message): void {
    if (message.type === "log") {
      this.#takeLog(message);
      return;
    }
    if (message.type === "link") {
      if (this.link === message.link) return;
      this.link = message.link;
      this.#tell();
      return;
    }
    this.skew_s = this.clock() / 1000 - message.now;
    if (message.type === "changes") {
      this.#merge(message.changes);
      return;
    }
    const { job_id, detail } = message;
    this.#details.set(job_id, { ...this.#details.get(job_id), ...detail });
    const status = detail.status;
    if (status)
      this.#merge({ rev: status.rev, jobs: [status], moves: [], more: false });
    this.#tell();
  }

  #merge(changes: Parameters<typeof apply>[1]): void {
    const after = apply(this.#jobs, changes);
    if (after === this.#jobs) return;
    this.#jobs = after;
    this.#tell();
  }

  #takeLog({ job_id, log: batch }: Extract<Message, { type: "log" }>): void {
    const log = this.log(job_id, batch.attempt);
    const fit = log.append(batch);
    if (fit === "taken") this.#asked.delete(log);
    if (fit !== "gap") return;
    // Lost or out of order: ask once, and again only when no answer came.
    const now = this.clock();
    if (now - (this.#asked.get(log) ?? -ASK_AGAIN_MS) < ASK_AGAIN_MS) return;
    this.#asked.set(log, now);
    this.transport.attach(job_id, batch.attempt, log.next);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
