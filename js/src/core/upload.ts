/** One file on its way: pieces with checksums, pause, and going on after a cut. */
import { sha256 } from "./upload-hash";
import { PieceReader } from "./upload-read";

/** Where an upload stands on the other side. */
export interface Standing {
  upload: string;
  /** Bytes that are there for good. */
  offset: number;
  /** Of the whole content, once all of it is there. */
  sha256: string | null;
}

export interface Piece {
  at: number;
  part: Blob;
  /** Empty where the line sends the part, which a browser does without taking it in. */
  bytes: Uint8Array<ArrayBuffer>;
  sha256: Uint8Array;
}

/** The way that pieces take. A rejection that is no `Final` is a line that broke. */
export interface UploadLine {
  readonly pieceBytes: number;
  /** Whether it sends the bytes of a piece, or the part of the file. */
  readonly takesBytes: boolean;
  /** Pieces that may be under way at once. */
  readonly window: number;
  begin(file: File): Promise<Standing>;
  where(uid: string): Promise<Standing>;
  send(
    uid: string,
    piece: Piece,
    onSent: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Standing>;
  drop(uid: string): Promise<void>;
}

/** Trying again would be of no use. */
export class Final extends Error {}

/** The other side does not know the upload any more. */
export class Gone extends Error {}

export type Phase =
  | "waiting"
  | "sending"
  | "paused"
  | "lost"
  | "done"
  | "failed"
  | "dropped";

const RETRY_MS = [300, 1_000, 2_000, 4_000, 8_000];
/** The rate is that of the last seconds. */
const RATE_WINDOW_MS = 3_000;
/** So often listeners hear of bytes alone: each time costs the page a frame. */
const TELL_MS = 100;
/** So often an upload that is gone, or a piece that came in wrong, is begun again. */
const MOST_BEGINNINGS = 3;

let count = 0;

export class Upload {
  readonly id = ++count;
  phase: Phase = "waiting";
  /** Names the upload in a payload. */
  uid = "";
  /** Bytes that are sent, also those that nobody has confirmed. */
  sent = 0;
  sha256: string | null = null;
  /** Why it stands still. */
  problem = "";
  /** Whether a failure may have been the moment's. */
  canRetry = true;
  #confirmed = 0;
  #beginnings = 0;
  #failures = 0;
  #samples: [at: number, bytes: number][] = [];
  #toldAt = Number.NEGATIVE_INFINITY;
  #listeners = new Set<() => void>();
  #run: AbortController | null = null;

  constructor(
    readonly file: File,
    private readonly line: UploadLine,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  get size(): number {
    return this.file.size;
  }

  get isOver(): boolean {
    return this.phase === "done" || this.phase === "failed" || this.phase === "dropped";
  }

  /** Bytes a second over the last seconds; null where that says nothing yet. */
  get rate(): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (this.phase !== "sending" || !first || !last) return null;
    const span_ms = last[0] - first[0];
    return span_ms < 200 ? null : ((last[1] - first[1]) / span_ms) * 1000;
  }

  get left_s(): number | null {
    const { rate } = this;
    return rate ? (this.size - this.sent) / rate : null;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when it is over, whichever way. */
  settled(): Promise<Phase> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.isOver) return;
        stop();
        resolve(this.phase);
      };
      const stop = this.subscribe(look);
      look();
    });
  }

  /** Refuses the file before a byte of it is sent. */
  refuse(problem: string): void {
    this.canRetry = false;
    this.#become("failed", problem);
  }

  /** Begins, or goes on where it was left. */
  start(): void {
    if (this.#run || this.phase === "done" || this.phase === "dropped") return;
    this.#failures = 0;
    this.#beginnings = 0;
    this.#become("sending");
    void this.#keepOn();
  }

  pause(): void {
    if (this.isOver) return;
    this.#stop();
    this.#become("paused");
  }

  /** Gives the file up, and lets the other side forget it. */
  drop(): void {
    if (this.phase === "dropped") return;
    this.#stop();
    this.#become("dropped");
    // A half that nobody drops is forgotten after a day.
    if (this.uid) this.line.drop(this.uid).catch(() => undefined);
  }

  #stop(): void {
    this.#run?.abort();
    this.#run = null;
    this.#samples = [];
  }

  #become(phase: Phase, problem = ""): void {
    this.phase = phase;
    this.problem = problem;
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  async #keepOn(): Promise<void> {
    const run = new AbortController();
    this.#run = run;
    let isNew = this.uid === "";
    while (!run.signal.aborted) {
      try {
        const standing = isNew
          ? await this.line.begin(this.file)
          : await this.line.where(this.uid);
        if (run.signal.aborted) {
          if (isNew) this.line.drop(standing.upload).catch(() => undefined);
          return;
        }
        this.uid = standing.upload;
        isNew = false;
        this.sent = standing.offset; // what was under way may be lost
        this.#become("sending");
        this.#confirm(standing);
        await this.#send(run.signal);
        if (run.signal.aborted) return;
        this.#run = null;
        this.#become("done");
        return;
      } catch (error) {
        if (run.signal.aborted) return;
        isNew = await this.#broke(error, run);
      }
    }
  }

  /** What to do after an error; whether to begin from the first byte. */
  async #broke(error: unknown, run: AbortController): Promise<boolean> {
    const message = error instanceof Error ? error.message : String(error);
    const isGone = error instanceof Gone;
    if (error instanceof Final || (isGone && ++this.#beginnings > MOST_BEGINNINGS)) {
      this.#stop();
      this.#become("failed", message);
      return true;
    }
    if (isGone) {
      this.uid = "";
      this.#confirmed = this.sent = 0;
      return true;
    }
    this.#samples = [];
    this.#become("lost", message);
    const wait_ms = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)];
    await pause(wait_ms ?? 0, run.signal);
    return this.uid === "";
  }

  /** One loop reads, hashes and hands over: pieces stay in order. */
  async #send(signal: AbortSignal): Promise<void> {
    const broken = new AbortController();
    const stop = () => broken.abort();
    signal.addEventListener("abort", stop);
    const reader = new PieceReader(this.file, this.line.pieceBytes);
    const flying: Promise<Standing>[] = [];
    try {
      let next = this.#confirmed;
      let ready = this.#prepared(reader, next);
      while (this.#confirmed < this.size && !signal.aborted) {
        if (next < this.size && flying.length < this.line.window) {
          const piece = await ready;
          if (signal.aborted) return;
          const sent = this.line.send(
            this.uid,
            piece,
            (bytes) => this.#saw(piece.at + bytes),
            broken.signal,
          );
          // What went wrong is told where it is awaited; a line may yet send those bytes.
          sent.then(
            () => reader.giveBack(piece.bytes),
            () => undefined,
          );
          flying.push(sent);
          next += piece.part.size;
          ready = this.#prepared(reader, next);
          continue;
        }
        const standing = await (flying.shift() as Promise<Standing>);
        if (signal.aborted) return;
        this.#failures = 0;
        this.#confirm(standing);
      }
    } finally {
      broken.abort();
      signal.removeEventListener("abort", stop);
      await Promise.allSettled(flying);
    }
  }

  #prepared(reader: PieceReader, at: number): Promise<Piece> {
    const made = this.#read(reader, at);
    made.catch(() => undefined); // told where it is awaited, or not wanted any more
    return made;
  }

  async #read(reader: PieceReader, at: number): Promise<Piece> {
    const part = this.file.slice(at, at + this.line.pieceBytes);
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = await reader.read(at);
    } catch {
      throw new Final(
        "The file cannot be read any more: it was changed, moved or removed.",
      );
    }
    const digest = await sha256(bytes);
    if (!this.line.takesBytes) {
      reader.giveBack(bytes);
      bytes = new Uint8Array();
    }
    return { at, part, bytes, sha256: digest };
  }

  #confirm(standing: Standing): void {
    this.#confirmed = standing.offset;
    this.sha256 = standing.sha256;
    this.#saw(standing.offset);
  }

  #saw(bytes: number): void {
    this.sent = Math.min(this.size, Math.max(this.sent, bytes));
    const now = this.clock();
    this.#samples.push([now, this.sent]);
    while ((this.#samples[0]?.[0] ?? now) < now - RATE_WINDOW_MS) this.#samples.shift();
    // The last byte is told at once: what comes after it may take long.
    if (this.sent < this.size && now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    this.#tell();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

/** Files of one form go one after the other: together none would be faster. */
export class UploadQueue {
  #waiting: Upload[] = [];
  #now: Upload | null = null;

  add(upload: Upload): void {
    this.#waiting.push(upload);
    this.#next();
  }

  #next(): void {
    if (this.#now) return;
    const next = this.#waiting.shift();
    if (!next) return;
    if (next.isOver) {
      this.#next();
      return;
    }
    this.#now = next;
    const stop = next.subscribe(() => {
      // One that pauses lets the others go on.
      if (!next.isOver && next.phase !== "paused") return;
      stop();
      this.#now = null;
      this.#next();
    });
    if (next.phase === "waiting") next.start();
  }
}
