/** What changes in the server's store: one long poll for the whole page. */
import type { Link } from "../core/transport";
import type { Changes } from "../core/types";
import { type Answer, type Http, NoRoutes } from "./http";

const WAIT_S = 25;
/** An answer that is later than this will not come: the line or the server has died. */
const SLACK_S = 10;
/** A page that nobody sees holds no connection: a browser has six for all its tabs. */
const HIDDEN_INTERVAL_MS = 5_000;
/** Changes come in bursts; drawing each of them alone would show no more. */
const PAUSE_MS = 50;
const RETRY_MS = [250, 500, 1_000, 2_000];
/** A server without routes may get them: it is looked at now and then. */
const ABSENT_INTERVAL_MS = 30_000;

type Take = (changes: Changes, now: number) => void;

export class ChangeFeed {
  link: Link = "opening";
  #since: number | null = null;
  #takers = new Set<Take>();
  #linkTakers = new Set<(link: Link) => void>();
  #running: AbortController | null = null;
  #failures = 0;

  constructor(private readonly http: Pick<Http, "get">) {}

  /** Delivers from now on; the result ends that. The first listener starts the poll. */
  subscribe(take: Take, onLink?: (link: Link) => void): () => void {
    this.#takers.add(take);
    if (onLink) {
      this.#linkTakers.add(onLink);
      onLink(this.link);
    }
    if (!this.#running) void this.#run();
    return () => {
      this.#takers.delete(take);
      if (onLink) this.#linkTakers.delete(onLink);
      if (this.#takers.size === 0) this.#stop();
    };
  }

  #stop(): void {
    this.#running?.abort();
    this.#running = null;
    this.#since = null;
  }

  async #run(): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    while (!running.signal.aborted) {
      const pause_ms = await this.#step(running.signal);
      if (pause_ms > 0 && !running.signal.aborted) {
        await pause(pause_ms, running.signal);
      }
    }
  }

  /** Asks once; how long to wait before the next. */
  async #step(signal: AbortSignal): Promise<number> {
    const hidden = typeof document !== "undefined" && document.hidden;
    const isSure = this.#since !== null && this.link === "open" && !this.#failures;
    const wait_s = isSure && !hidden ? WAIT_S : 0;
    const since = this.#since === null ? "" : `since=${this.#since}&`;
    const asking = limited(signal, (wait_s + SLACK_S) * 1000);
    let answer: Answer<Changes>;
    try {
      answer = await this.http.get<Changes>(
        `changes?${since}wait=${wait_s}`,
        asking.signal,
      );
    } catch (error) {
      if (signal.aborted) return 0;
      if (error instanceof NoRoutes) {
        this.#setLink("absent");
        return ABSENT_INTERVAL_MS;
      }
      // One lost answer says nothing; two in a row are told.
      if (this.#failures++ > 0) this.#setLink("lost");
      return RETRY_MS[Math.min(this.#failures, RETRY_MS.length) - 1] ?? 0;
    } finally {
      asking.end();
    }
    if (signal.aborted) return 0;
    const { value, now } = answer;
    this.#failures = 0;
    const isFirst = this.#since === null;
    // Another store answers, with revisions of its own: begin again.
    const isOther = this.#since !== null && value.rev < this.#since;
    this.#since = value.rev;
    if (!isFirst && !isOther && (value.jobs.length || value.moves.length)) {
      this.#tell(value, now);
    }
    this.#setLink("open");
    if (value.more) return 0;
    return hidden ? HIDDEN_INTERVAL_MS : PAUSE_MS;
  }

  /** One that stumbles over what it is told neither keeps it from the rest nor ends the poll. */
  #tell(changes: Changes, now: number): void {
    for (const take of [...this.#takers]) {
      try {
        take(changes, now);
      } catch (error) {
        reportError(error);
      }
    }
  }

  #setLink(link: Link): void {
    if (link === this.link) return;
    this.link = link;
    for (const take of [...this.#linkTakers]) take(link);
  }
}

/** Aborts with another signal, or when the time is over before it has an end. */
function limited(outer: AbortSignal, ms: number) {
  const own = new AbortController();
  const abort = () => own.abort();
  const timer = setTimeout(abort, ms);
  outer.addEventListener("abort", abort);
  const end = () => {
    clearTimeout(timer);
    outer.removeEventListener("abort", abort);
  };
  return { signal: own.signal, end };
}

/** Waits; ends early when it is aborted or the page is seen again. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      globalThis.document?.removeEventListener("visibilitychange", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    globalThis.document?.addEventListener("visibilitychange", end);
  });
}
