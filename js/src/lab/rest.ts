/** The transport of a card by HTTP: the server's feed, and what one card looks at. */
import {
  type CommandArgs,
  type CommandName,
  Gone,
  type Message,
  type Part,
  type Transport,
} from "../core/transport";
import {
  type Detail,
  isActive,
  type Json,
  type LogBatch,
  type StatusInfo,
} from "../core/types";
import { parsed } from "../core/wide";
import type { ChangeFeed } from "./feed";
import { type Answer, type Http, NoRoutes, NotFound } from "./http";

export const COMMANDS: readonly CommandName[] = [
  "cancel",
  "retry",
  "retry_current",
  "extend",
  "delete",
];

/** A log that moves is asked for this often, one that rests ever less. */
const LOG_MS = { moving: 50, resting: 500 };
const LOG_BYTES = 1 << 20;
/** A detail is asked for again at most this often. */
const DETAIL_MS = 250;
/** While nothing answers; the feed tells at once when there is an answer again. */
const LOST_MS = 2_000;
/** A job's place in the queue moves with other jobs; it is looked at this often. */
const QUEUE_MS = 1_000;
/** Rows of a table that come at once. */
const MOST_ROWS = 1_000;
/** No curve is wider on a page. */
const MOST_POINTS = 600;
/** Pieces of an older attempt's log that are fetched when a page asks for it. */
const MOST_PIECES = 15;
/** A log whose end was lost is given up after so many empty answers. */
const MOST_EMPTY = 5;

/** One job that the card looks at. */
class Followed {
  /** The attempt whose log is read; 0 until it is known. */
  attempt = 0;
  /** First byte that is missing; null: only the last part is wanted. */
  offset: number | null = null;
  /** Bytes that there are, as far as is known. */
  end = 0;
  isOver = false;
  isActive = true;
  isQueued = false;
  empty = 0;
  pause_ms = LOG_MS.moving;
  detailAt = 0;
  detailTimer: ReturnType<typeof setTimeout> | null = null;
  logTimer: ReturnType<typeof setTimeout> | null = null;
  /** A request for its log is under way, and one more is wanted behind it. */
  isReading = false;
  wantsMore = false;

  see(status: StatusInfo): void {
    this.isActive = isActive(status);
    this.isQueued = status.status === "queued";
    if (this.attempt === 0) this.attempt = Math.max(1, status.attempt);
    if (this.attempt === status.attempt) this.end = Math.max(this.end, status.log_end);
  }

  /** Where to read on: what would not fit is leapt over, and told as skipped. */
  get start(): number {
    return Math.max(this.offset ?? 0, this.end - LOG_BYTES);
  }

  close(): void {
    if (this.detailTimer !== null) clearTimeout(this.detailTimer);
    if (this.logTimer !== null) clearTimeout(this.logTimer);
  }
}

export class RestTransport implements Transport {
  #take: ((message: Message) => void) | null = null;
  #followed = new Map<string, Followed>();

  constructor(
    private readonly http: Pick<Http, "get" | "post" | "delete" | "blob" | "url">,
    private readonly feed: Pick<ChangeFeed, "subscribe">,
    private readonly onDeleted: (jobId: string) => void = () => {},
  ) {}

  get address(): string {
    return this.http.url("");
  }

  link(jobId: string, part: Part): string {
    if (typeof part === "number") return this.http.url(fileOf(jobId, part));
    const what =
      part === "zip" ? "files.zip" : `logs?download=1&attempt=${Math.max(1, part.log)}`;
    return this.http.url(`${pathOf(jobId)}/${what}`);
  }

  file(jobId: string, n: number): Promise<Blob> {
    return this.http.blob(fileOf(jobId, n));
  }

  /** Resolves with the job's detail; rejects with NotFound where there is no such job. */
  find(jobId: string): Promise<Answer<Detail>> {
    // What a user gave and made is shown as it is, large integers too.
    const path = `${pathOf(jobId)}?points=${MOST_POINTS}`;
    return this.http.get<Detail>(path, undefined, parsed);
  }

  /** What a notebook keeps of a job: MIME types to their content. */
  async snapshot(jobId: string): Promise<{ [mime: string]: Json }> {
    const path = `${pathOf(jobId)}/snapshot`;
    return (await this.http.get<{ [mime: string]: Json }>(path)).value;
  }

  subscribe(take: (message: Message) => void): () => void {
    this.#take = take;
    const stop = this.feed.subscribe(
      (changes, now) => {
        if (changes.moves.length) {
          for (const [jobId, one] of this.#followed) {
            if (one.isQueued) this.#detailSoon(jobId, QUEUE_MS);
          }
        }
        const jobs = changes.jobs.filter((job) => this.#followed.has(job.job_id));
        const moves = changes.moves.filter((move) => this.#followed.has(move.job_id));
        if (jobs.length === 0 && moves.length === 0) return;
        take({ type: "changes", now, changes: { ...changes, jobs, moves } });
        for (const job of jobs) {
          this.#followed.get(job.job_id)?.see(job);
          this.#detailSoon(job.job_id);
        }
      },
      (link) => {
        take({ type: "link", link });
        // What happened meanwhile is not in the feed of a new connection.
        if (link === "open") {
          for (const jobId of this.#followed.keys()) this.#detailSoon(jobId);
        }
      },
    );
    return () => {
      this.#take = null;
      stop();
      for (const one of this.#followed.values()) one.close();
      this.#followed.clear();
    };
  }

  attach(jobId: string, attempt: number | null, offset: number | null): void {
    const one = this.#followed.get(jobId);
    if (!one) {
      const fresh = new Followed();
      fresh.attempt = attempt ?? 0;
      fresh.offset = offset;
      this.#followed.set(jobId, fresh);
      void this.#detail(jobId, fresh);
    } else if (attempt === null || attempt === one.attempt) {
      one.offset = offset;
      one.isOver = false;
      this.#logSoon(jobId, one, 0);
    } else void this.#older(jobId, attempt);
  }

  /** Takes a detail that was fetched already, and follows its job. */
  begin(answer: Answer<Detail>): void {
    const jobId = answer.value.status.job_id;
    const one = new Followed();
    this.#followed.set(jobId, one);
    one.detailAt = Date.now();
    this.#tell(jobId, one, answer);
  }

  async rows(jobId: string, offset: number): Promise<Json[][]> {
    const path = `${pathOf(jobId)}/results/rows?offset=${offset}&limit=${MOST_ROWS}`;
    return (await this.http.get<{ rows: Json[][] }>(path)).value.rows;
  }

  async command(
    jobId: string,
    name: CommandName,
    args: CommandArgs = {},
  ): Promise<Json> {
    const answer = await commanded(this.http, jobId, name, args).catch(
      async (error: unknown) => {
        if (!(error instanceof NotFound) || !(await this.#isGone(jobId))) throw error;
        this.onDeleted(jobId);
        throw new Gone(error.message);
      },
    );
    if (name === "delete") this.onDeleted(jobId);
    else this.#detailSoon(jobId);
    return answer;
  }

  /** Whether it is the job that is not found, and not what was wanted of it. */
  #isGone(jobId: string): Promise<boolean> {
    return this.find(jobId).then(
      () => false,
      (why) => why instanceof NotFound && !(why instanceof NoRoutes),
    );
  }

  #detailSoon(jobId: string, interval_ms = DETAIL_MS): void {
    const one = this.#followed.get(jobId);
    if (!one) return;
    if (one.detailTimer !== null) {
      if (interval_ms > DETAIL_MS) return;
      clearTimeout(one.detailTimer);
    }
    const wait_ms = Math.max(0, one.detailAt + interval_ms - Date.now());
    one.detailTimer = setTimeout(() => {
      one.detailTimer = null;
      void this.#detail(jobId, one);
    }, wait_ms);
  }

  async #detail(jobId: string, one: Followed): Promise<void> {
    one.detailAt = Date.now();
    try {
      const answer = await this.find(jobId);
      if (this.#followed.get(jobId) === one) this.#tell(jobId, one, answer);
    } catch (error) {
      // A job that was deleted stays as it was seen last.
      if (!(error instanceof NotFound)) this.#detailSoon(jobId, LOST_MS);
    }
  }

  #tell(jobId: string, one: Followed, { value, now }: Answer<Detail>): void {
    const { status } = value;
    one.see(status);
    this.#take?.({ type: "detail", now, job_id: jobId, detail: value });
    if (one.isOver && status.attempt > one.attempt) {
      // The attempt's last words are read; the next one begins at its start.
      one.attempt++;
      one.offset = 0;
      one.end = 0;
      one.isOver = false;
      one.see(status);
    }
    this.#logSoon(jobId, one, 0);
  }

  #logSoon(jobId: string, one: Followed, wait_ms: number): void {
    if (one.isOver || this.#followed.get(jobId) !== one) return;
    if (one.isReading) {
      // Its answer goes on from here: a second reader would never end again.
      one.wantsMore ||= wait_ms === 0;
      return;
    }
    if (one.logTimer !== null) {
      if (wait_ms > 0) return;
      clearTimeout(one.logTimer);
    }
    one.logTimer = setTimeout(() => void this.#log(jobId, one), wait_ms);
  }

  async #log(jobId: string, one: Followed): Promise<void> {
    one.logTimer = null;
    one.isReading = true;
    one.wantsMore = false;
    const wait_ms = await this.#read(jobId, one);
    one.isReading = false;
    if (one.isOver) this.#detailSoon(jobId);
    else if (one.wantsMore) this.#logSoon(jobId, one, 0);
    else if (wait_ms !== null) this.#logSoon(jobId, one, wait_ms);
  }

  /** Reads one piece; how long to wait for the next, null where there is no log. */
  async #read(jobId: string, one: Followed): Promise<number | null> {
    const { attempt, offset, start } = one;
    try {
      const { value: piece } = await this.#piece(jobId, attempt, start);
      if (this.#followed.get(jobId) !== one) return null;
      // Asked for again from another place in the meantime: that answer counts.
      if (one.attempt !== attempt || one.offset !== offset) return 0;
      if (offset !== null) piece.skipped += start - offset;
      this.#took(jobId, one, piece);
      return one.pause_ms;
    } catch (error) {
      if (error instanceof NotFound) return null;
      one.pause_ms = LOG_MS.resting;
      return LOST_MS;
    }
  }

  #took(jobId: string, one: Followed, piece: LogBatch): void {
    const isFirst = one.offset === null;
    one.offset = piece.next_offset;
    const hasText = piece.text !== "" || piece.skipped > 0;
    one.empty = hasText || one.isActive ? 0 : one.empty + 1;
    one.isOver = piece.end || one.empty > MOST_EMPTY;
    if (hasText || isFirst || one.isOver) {
      this.#take?.({ type: "log", job_id: jobId, log: piece });
    }
    // A full piece has more behind it, and a flood is not to be leapt over.
    const isFull = piece.next_offset - piece.offset > LOG_BYTES / 2;
    one.pause_ms = hasText
      ? isFull
        ? 0
        : LOG_MS.moving
      : Math.min(LOG_MS.resting, one.pause_ms * 1.5);
  }

  /** An attempt that is over, from its start. */
  async #older(jobId: string, attempt: number): Promise<void> {
    let offset = 0;
    try {
      for (let i = 0; i < MOST_PIECES && this.#take; i++) {
        const { value: piece } = await this.#piece(jobId, attempt, offset);
        this.#take?.({ type: "log", job_id: jobId, log: piece });
        if (piece.end || piece.text === "") return;
        offset = piece.next_offset;
      }
    } catch {
      // The card shows what came, and asks again when it is opened again.
    }
  }

  #piece(jobId: string, attempt: number, offset: number): Promise<Answer<LogBatch>> {
    const query = `attempt=${attempt}&offset=${offset}&limit=${LOG_BYTES}&numbered=1`;
    return this.http.get<LogBatch>(`${pathOf(jobId)}/logs?${query}`);
  }
}

/** Gives a command; a retry is answered with the new job's id. */
export async function commanded(
  http: Pick<Http, "post" | "delete">,
  jobId: string,
  name: CommandName,
  args: CommandArgs = {},
  by: "card" | "list" = "card",
): Promise<Json> {
  const path = pathOf(jobId);
  if (name === "delete") {
    await http.delete(path);
    return true;
  }
  if (name !== "retry" && name !== "retry_current") {
    await http.post(`${path}/${name}${name === "cancel" ? `?by=${by}` : ""}`, args);
    return true;
  }
  const code = name === "retry" ? "same" : "edited";
  const { value } = await http.post<{ job_id?: string }>(`${path}/retry`, {
    ...args,
    code,
  });
  return value.job_id ?? null;
}

function fileOf(jobId: string, n: number): string {
  return `${pathOf(jobId)}/files/${n}`;
}

function pathOf(jobId: string): string {
  return `jobs/${encodeURIComponent(jobId)}`;
}
