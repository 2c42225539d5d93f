/** An upload to the kernel, in messages small enough for Jupyter's websocket. */

import type { Json } from "./types";
import { Final, Gone, type Piece, type Standing, type UploadLine } from "./upload";
import { Garbage } from "./upload-garbage";
import { base64 } from "./upload-tus";

/** A message costs both sides as much as a megabyte does, whatever is in it. */
const PIECE_BYTES = 2 << 20;
/** Each piece on its way is there three times: ours, JupyterLab's, the websocket's. */
const WINDOW = 2;

/** Asks the kernel something; rejects with an Error whose name is the error's kind. */
export type Ask = (
  question: { [key: string]: Json },
  buffers?: ArrayBuffer[],
) => Promise<Json>;

export class CommLine implements UploadLine {
  readonly pieceBytes = PIECE_BYTES;
  readonly window = WINDOW;
  readonly takesBytes = true;

  constructor(
    private readonly ask: Ask,
    private readonly garbage = new Garbage(),
  ) {}

  async begin({ name, type, size }: File): Promise<Standing> {
    try {
      return await this.#ask({ name: "begin", file: name, media: type, size });
    } catch (error) {
      // The kernel has looked at the size and at its disk.
      throw isAnswer(error) ? new Final(error.message) : error;
    }
  }

  where(upload: string): Promise<Standing> {
    return this.#ask({ name: "where", upload });
  }

  async send(
    upload: string,
    { at, bytes, sha256 }: Piece,
    onSent: (bytes: number) => void,
  ): Promise<Standing> {
    const question = { name: "piece", upload, at, sha256: base64(sha256) };
    const { length } = bytes;
    // A buffer goes whole, and the last piece is shorter than its own.
    const { buffer } = length < bytes.buffer.byteLength ? bytes.slice() : bytes;
    this.garbage.add(length);
    const standing = await this.#ask(question, [buffer]);
    onSent(length);
    return standing;
  }

  async drop(upload: string): Promise<void> {
    await this.#ask({ name: "drop", upload });
  }

  async #ask(
    question: { [key: string]: Json },
    buffers?: ArrayBuffer[],
  ): Promise<Standing> {
    try {
      const said = await this.ask({ type: "upload", ...question }, buffers);
      return said as unknown as Standing;
    } catch (error) {
      if (!isAnswer(error)) throw error;
      if (error.kind === "UploadNotFound") throw new Gone(error.message);
      if (error.kind === "StoreFull") throw new Final(error.message);
      throw error;
    }
  }
}

/** An answer of the kernel that says no. */
export class Denied extends Error {
  constructor(
    message: string,
    /** Class of the error in Python. */
    readonly kind: string,
    readonly details: Json[] = [],
  ) {
    super(message);
  }
}

function isAnswer(error: unknown): error is Denied {
  return error instanceof Denied;
}

/** The kernel's uploads, sent by a server where one answers that has them too. */
export class EitherLine implements UploadLine {
  #way: UploadLine;

  constructor(
    private readonly kernel: UploadLine,
    private readonly server: UploadLine | null,
  ) {
    this.#way = kernel;
  }

  get pieceBytes(): number {
    return this.#way.pieceBytes;
  }

  get takesBytes(): boolean {
    return this.#way.takesBytes;
  }

  get window(): number {
    return this.#way.window;
  }

  async begin(file: File): Promise<Standing> {
    const standing = await this.kernel.begin(file);
    if (!this.server) return standing;
    try {
      await this.server.where(standing.upload);
      this.#way = this.server;
    } catch {
      // No server of ours, or one with another store.
    }
    return standing;
  }

  where(uid: string): Promise<Standing> {
    return this.#way.where(uid);
  }

  send(...args: Parameters<UploadLine["send"]>): Promise<Standing> {
    return this.#way.send(...args);
  }

  drop(uid: string): Promise<void> {
    return this.#way.drop(uid);
  }
}
