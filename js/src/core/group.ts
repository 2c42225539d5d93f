/** Several jobs of a notebook's output: as they were saved, then as a server has them. */
import type { Counts, Link } from "./transport";
import {
  activeIn,
  type Changes,
  type GroupDocument,
  type Json,
  type StatusInfo,
} from "./types";

/** Jobs without a row are counted anew at most this often. */
const COUNT_INTERVAL_MS = 1_000;
const RETRY_MS = 2_000;

export interface GroupAnswer {
  document: GroupDocument;
  /** What a notebook keeps: MIME types to their content; the document is among them. */
  bundle: { [mime: string]: Json };
  /** Seconds since 1970 by the other side's clock. */
  now: number;
}

/** What the table of several jobs needs. */
export interface GroupTransport {
  /** What is known of the jobs; null where the other side knows nothing of jobs. */
  group(ids: string[], of: number | null): Promise<GroupAnswer | null>;
  /** Delivers changes and the state of the link from now on; the result ends that. */
  watch(
    take: (changes: Changes, now: number) => void,
    onLink: (link: Link) => void,
  ): () => void;
}

/** Who tells what is shown: "saved" also while nobody has answered yet. */
export type Via = "saved" | "rest";

export class FollowedGroup {
  via: Via = "saved";
  /** The server does not answer now. */
  isLost = false;
  /** By how much this page's clock is ahead of the server's. */
  skew_s = 0;
  #document: GroupDocument;
  #jobs = new Map<string, StatusInfo>();
  #ids = new Set<string>();
  #listeners = new Set<() => void>();
  #asking: ReturnType<typeof setTimeout> | null = null;
  /** Grows with each question, so that late answers are known as such. */
  #question = 0;
  #isFollowed = false;

  constructor(
    private readonly transport: GroupTransport,
    saved: GroupDocument,
  ) {
    this.#document = saved;
    this.#put(saved);
  }

  /** Begins to follow; the result ends that. */
  start(): () => void {
    this.#isFollowed = true;
    const stop = this.transport.watch(
      (changes, now) => this.#take(changes, now),
      (link) => this.#setLink(link),
    );
    void this.#ask();
    return () => {
      this.#isFollowed = false;
      this.#question++;
      if (this.#asking !== null) clearTimeout(this.#asking);
      stop();
    };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes what the kernel has put in the place of what was saved. */
  seed(saved: GroupDocument): void {
    const isSame = saved.ids.length === this.#ids.size && this.#knows(saved.ids);
    if (isSame) {
      if (this.via === "rest") this.#putNewer(saved.jobs);
      else this.#put(saved);
      this.#tell();
      return;
    }
    // A job that the server knows no more comes back with the kernel's old news.
    if (this.via === "rest" && this.#isPartOf(saved.ids)) return;
    this.#put(saved);
    this.#tell();
    if (this.#isFollowed) void this.#ask();
  }

  /** The jobs with a row, in order. */
  get rows(): StatusInfo[] {
    return this.#document.jobs.map((job) => this.#jobs.get(job.job_id) ?? job);
  }

  /** What a row was given that others were not. */
  inputs(jobId: string): string {
    return this.#document.inputs[jobId] ?? "";
  }

  get total(): number {
    return this.#document.total;
  }

  get of(): number | null {
    return this.#document.of;
  }

  /** How many of them are followed: the first. */
  get followed(): number {
    return this.#ids.size;
  }

  /** When it was saved, where it stood still since and was not over. */
  get at(): number | null {
    return this.via === "rest" ? null : this.#document.at;
  }

  /** How many jobs are in each state. */
  get counts(): Counts {
    if (this.#ids.size > this.#jobs.size) return this.#document.counts;
    if (this.via === "saved") return this.#document.counts;
    const counts: Counts = {};
    for (const { status } of this.#jobs.values()) {
      counts[status] = (counts[status] ?? 0) + 1;
    }
    return counts;
  }

  /** Whether any of them can still move. */
  get isMoving(): boolean {
    return activeIn(this.counts) > 0;
  }

  /** What a notebook is to keep of them now; null where nobody knows. */
  async snapshot(): Promise<GroupAnswer["bundle"] | null> {
    const answer = await this.transport.group([...this.#ids], this.of);
    return answer?.document.ids.length ? answer.bundle : null;
  }

  /** Takes a job out that was deleted. */
  drop(jobId: string): void {
    if (!this.#ids.delete(jobId)) return;
    this.#jobs.delete(jobId);
    const { ids, jobs, total } = this.#document;
    this.#document = {
      ...this.#document,
      ids: ids.filter((id) => id !== jobId),
      jobs: jobs.filter((job) => job.job_id !== jobId),
      total: total - 1,
    };
    if (this.#ids.size > this.#jobs.size) this.#askSoon();
    this.#tell();
  }

  #knows(ids: string[]): boolean {
    return ids.every((id) => this.#ids.has(id));
  }

  #isPartOf(ids: string[]): boolean {
    const others = new Set(ids);
    return this.#ids.size > 0 && [...this.#ids].every((id) => others.has(id));
  }

  /** All at once: what was known of others is forgotten. */
  #put(document: GroupDocument): void {
    this.#document = document;
    this.#ids = new Set(document.ids);
    const known = this.#jobs;
    this.#jobs = new Map();
    for (const job of document.jobs) {
      const older = known.get(job.job_id);
      this.#jobs.set(job.job_id, older && older.rev > job.rev ? older : job);
    }
  }

  /** Says whether there was news among them. */
  #putNewer(jobs: StatusInfo[]): boolean {
    let isNew = false;
    for (const job of jobs) {
      const known = this.#jobs.get(job.job_id);
      if (!known || known.rev > job.rev) continue;
      this.#jobs.set(job.job_id, job);
      isNew = true;
    }
    return isNew;
  }

  #take({ jobs, moves }: Changes, now: number): void {
    if (this.via !== "rest") return;
    const isNew = this.#putNewer(jobs);
    if (isNew) this.skew_s = Date.now() / 1000 - now;
    const hasMore = this.#ids.size > this.#jobs.size;
    if (hasMore && moves.some((move) => this.#ids.has(move.job_id))) this.#askSoon();
    if (isNew) this.#tell();
  }

  #setLink(link: Link): void {
    const isLost = link === "lost";
    if (isLost === this.isLost) return;
    this.isLost = isLost;
    this.#tell();
    if (!isLost) void this.#ask(); // what happened meanwhile
  }

  #askSoon(wait_ms = COUNT_INTERVAL_MS): void {
    this.#asking ??= setTimeout(() => {
      this.#asking = null;
      void this.#ask();
    }, wait_ms);
  }

  async #ask(): Promise<void> {
    if (!this.#isFollowed || this.#ids.size === 0) return;
    const question = ++this.#question;
    try {
      const answer = await this.transport.group([...this.#ids], this.of);
      if (question !== this.#question) return;
      this.isLost = false;
      if (answer?.document.ids.length) this.#accept(answer);
      else this.via = "saved";
    } catch {
      if (question !== this.#question) return;
      this.isLost = true;
      this.#askSoon(RETRY_MS);
    }
    this.#tell();
  }

  #accept({ document, now }: GroupAnswer): void {
    // More than can be followed stay as many as they were.
    const { total, ids } = this.#document;
    const isPart = total > ids.length;
    this.#put(isPart ? { ...document, total } : document);
    this.skew_s = Date.now() / 1000 - now;
    this.via = "rest";
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
