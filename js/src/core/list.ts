/** The jobs that a list shows: pages as they are wanted, kept true by changes. */
import type { Counts, Cursor, Filter, Link, ListTransport } from "./transport";
import type { Changes, StatusInfo } from "./types";

export const ALL: Filter = { status: "", name: "", text: "" };
const FIRST_PAGE = 100;
/** Whoever scrolls on wants many more. */
const NEXT_PAGE = 500;
/** Counts are asked for again at most this often. */
const COUNT_INTERVAL_MS = 500;

export type Phase = "loading" | "ready" | "failed";

export class JobsList {
  phase: Phase = "loading";
  /** What went wrong, for the user. */
  problem: string | null = null;
  link: Link = "opening";
  counts: Counts = {};
  filter: Filter = ALL;
  /** Every name that was seen, for the filter. */
  readonly names = new Set<string>();
  /** Grows with every change. */
  version = 0;
  #jobs = new Map<string, StatusInfo>();
  #order: string[] = [];
  #next: Cursor | null = null;
  /** Grows when what is asked for changes, so that late answers are known as such. */
  #question = 0;
  #busy = false;
  #counting: ReturnType<typeof setTimeout> | null = null;
  #listeners = new Set<() => void>();

  constructor(private readonly transport: ListTransport) {}

  /** Begins to follow; the result ends that. */
  start(): () => void {
    const stop = this.transport.watch(
      (changes) => this.take(changes),
      (link) => this.#setLink(link),
    );
    void this.reload();
    return () => {
      this.#question++;
      if (this.#counting !== null) clearTimeout(this.#counting);
      stop();
    };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Jobs loaded so far. */
  get length(): number {
    return this.#order.length;
  }

  /** Whether older ones can be loaded. */
  get hasMore(): boolean {
    return this.#next !== null;
  }

  /** A job by its place, newest first. */
  row(index: number): StatusInfo | undefined {
    return this.#jobs.get(this.#order[index] ?? "");
  }

  /** The place of a job among those loaded; -1 where it is not. */
  indexOf(jobId: string): number {
    return this.#order.indexOf(jobId);
  }

  find(jobId: string): StatusInfo | undefined {
    return this.#jobs.get(jobId);
  }

  setFilter(part: Partial<Filter>): void {
    this.filter = { ...this.filter, ...part };
    void this.reload();
  }

  /** Asks for the newest page again; what is shown stays until it comes. */
  async reload(): Promise<void> {
    const question = ++this.#question;
    if (this.#order.length === 0) this.phase = "loading";
    this.#tell();
    await this.#fetch(question, null, FIRST_PAGE);
  }

  /** Loads older ones, if there are any and they are not on their way. */
  async more(): Promise<void> {
    if (this.#busy || this.#next === null || this.phase !== "ready") return;
    await this.#fetch(this.#question, this.#next, NEXT_PAGE);
  }

  take(changes: Changes): void {
    const gone = new Set<string>();
    for (const job of changes.jobs) {
      const known = this.#jobs.get(job.job_id);
      if (known && known.rev > job.rev) continue;
      if (matches(job, this.filter)) this.#put(job);
      else if (known) gone.add(job.job_id);
    }
    if (gone.size) this.#order = this.#order.filter((id) => !gone.has(id));
    for (const id of gone) this.#jobs.delete(id);
    if (changes.moves.length) this.#countSoon();
    if (changes.jobs.length) this.#tell();
  }

  async #fetch(question: number, before: Cursor | null, limit: number): Promise<void> {
    this.#busy = true;
    try {
      const page = await this.transport.page(this.filter, before, limit);
      if (question !== this.#question) return;
      if (before === null) {
        this.#order = [];
        this.#jobs.clear();
      }
      for (const job of page.jobs) {
        this.names.add(job.name);
        if (!this.#jobs.has(job.job_id)) this.#order.push(job.job_id);
        this.#jobs.set(job.job_id, job);
      }
      this.#next = page.next;
      this.counts = page.counts;
      this.phase = "ready";
      this.problem = null;
    } catch (error) {
      if (question !== this.#question) return;
      if (this.phase === "loading") this.phase = "failed";
      this.problem = error instanceof Error ? error.message : String(error);
    } finally {
      if (question === this.#question) {
        this.#busy = false;
        this.#tell();
      }
    }
  }

  /** Changes a row where it stands, or puts a new one in its place by time. */
  #put(job: StatusInfo): void {
    this.names.add(job.name);
    const isKnown = this.#jobs.has(job.job_id);
    if (isKnown) {
      this.#jobs.set(job.job_id, job);
      return;
    }
    let at = 0;
    while (at < this.#order.length) {
      const other = this.row(at);
      if (!other || other.submitted_at <= job.submitted_at) break;
      at++;
    }
    // Older than what is loaded: it comes with its page.
    if (at === this.#order.length && this.#next !== null) return;
    this.#jobs.set(job.job_id, job);
    this.#order.splice(at, 0, job.job_id);
  }

  #setLink(link: Link): void {
    if (link === this.link) return;
    const isBack = link === "open" && this.link === "lost";
    this.link = link;
    this.#tell();
    if (isBack || (link === "open" && this.phase === "failed")) void this.reload();
  }

  #countSoon(): void {
    if (this.#counting !== null) return;
    this.#counting = setTimeout(() => {
      this.#counting = null;
      void this.#count();
    }, COUNT_INTERVAL_MS);
  }

  async #count(): Promise<void> {
    try {
      this.counts = (await this.transport.page(this.filter, null, 1)).counts;
      this.#tell();
    } catch {
      // The link says that the other side is gone; the next change counts again.
    }
  }

  #tell(): void {
    this.version++;
    for (const listener of this.#listeners) listener();
  }
}

/** Whether a job belongs into a list, as the store's own query has it. */
export function matches(job: StatusInfo, filter: Filter): boolean {
  const { status, name, text } = filter;
  if (status && job.status !== status) return false;
  if (name && job.name !== name) return false;
  const part = text.toLowerCase();
  return !part || job.name.toLowerCase().includes(part) || job.job_id.includes(part);
}
