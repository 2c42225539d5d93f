/** The jobs that a list shows: pages as they are wanted, kept true by changes. */
import { isBefore, matches } from "./filter";
import { Selection } from "./selection";
import type { Counts, Cursor, Filter, Link, ListTransport } from "./transport";
import type { Changes, Span, StatusInfo } from "./types";

export const ALL: Filter = {
  status: "",
  name: "",
  tag: "",
  notebook: "",
  text: "",
  order: "newest",
};
const FIRST_PAGE = 100;
/** Whoever scrolls on wants many more. */
const NEXT_PAGE = 500;
/** Counts, and spans of attempts, are asked for again at most this often. */
const COUNT_INTERVAL_MS = 500;

export type Phase = "loading" | "ready" | "failed";

export class JobsList {
  phase: Phase = "loading";
  /** What went wrong, for the user. */
  problem: string | null = null;
  link: Link = "opening";
  counts: Counts = {};
  filter: Filter = ALL;
  /** Every name, tag and notebook that was seen, for the filters. */
  readonly names = new Set<string>();
  readonly tags = new Set<string>();
  readonly notebooks = new Set<string>();
  readonly selection: Selection;
  /** Whether pages bring when the attempts ran. */
  #wantsSpans = false;
  #spans = new Map<string, Span[]>();
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

  constructor(private readonly transport: ListTransport) {
    this.selection = new Selection(transport, () => this.#tell());
  }

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

  /** The picked jobs, in the order of the list. */
  selected(): StatusInfo[] {
    if (this.selection.size === 0) return [];
    return this.#order
      .filter((id) => this.selection.has(id))
      .map((id) => this.#jobs.get(id))
      .filter((job) => job !== undefined);
  }

  /** Picks or unpicks the rows from one place to another. */
  pick(from: number, to: number, on: boolean): void {
    const [first, last] = from < to ? [from, to] : [to, from];
    this.selection.toggle(this.#order.slice(first, last + 1), on);
  }

  /** When the attempts of a job ran, as far as it is known. */
  spans(jobId: string): readonly Span[] {
    return this.#spans.get(jobId) ?? [];
  }

  /** Asks from now on for when attempts ran; once more where they were not. */
  wantSpans(): void {
    if (this.#wantsSpans) return;
    this.#wantsSpans = true;
    void this.reload();
  }

  /** Takes a job out that was deleted. */
  drop(jobId: string): void {
    if (!this.#jobs.delete(jobId)) return;
    this.#order = this.#order.filter((id) => id !== jobId);
    this.#countSoon();
    this.#tell();
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
    this.selection.keep((id) => !gone.has(id));
    if (changes.moves.length) this.#countSoon();
    if (changes.jobs.length) this.#tell();
  }

  async #fetch(question: number, before: Cursor | null, limit: number): Promise<void> {
    this.#busy = true;
    try {
      const page = await this.transport.page(
        this.filter,
        before,
        limit,
        this.#wantsSpans,
      );
      if (question !== this.#question) return;
      if (before === null) {
        this.#order = [];
        this.#jobs.clear();
      }
      for (const job of page.jobs) {
        this.#note(job);
        if (!this.#jobs.has(job.job_id)) this.#order.push(job.job_id);
        this.#jobs.set(job.job_id, job);
      }
      this.#takeSpans(page.attempts);
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
    this.#note(job);
    const isKnown = this.#jobs.has(job.job_id);
    if (isKnown) {
      this.#jobs.set(job.job_id, job);
      return;
    }
    const at = this.#placeOf(job);
    // Behind what is loaded: it comes with its page.
    if (at === this.#order.length && this.#next !== null) return;
    this.#jobs.set(job.job_id, job);
    this.#order.splice(at, 0, job.job_id);
  }

  #placeOf(job: StatusInfo): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.row(middle);
      if (other && isBefore(other, job, this.filter.order)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #note({ name, tags, notebook }: StatusInfo): void {
    this.names.add(name);
    if (notebook) this.notebooks.add(notebook);
    for (const tag of tags) this.tags.add(tag);
  }

  #takeSpans(found: { [jobId: string]: Span[] } = {}): void {
    for (const [jobId, spans] of Object.entries(found)) this.#spans.set(jobId, spans);
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
      const most = this.#wantsSpans ? Math.min(FIRST_PAGE, this.length + 1) : 1;
      const page = await this.transport.page(this.filter, null, most, this.#wantsSpans);
      this.counts = page.counts;
      this.#takeSpans(page.attempts);
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
