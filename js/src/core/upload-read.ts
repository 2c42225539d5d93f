/** Reads a file piece by piece into memory that is used again and again. */

/**
 * Each `Blob.arrayBuffer()` is a new buffer, which is a small object to the browser's
 * garbage collector: hundreds of megabytes gather before it looks. A byte stream fills
 * the buffer that it is given.
 */
export class PieceReader {
  #spare: ArrayBuffer[] = [];
  /** Whether the browser fills buffers that it is given. */
  #fills = false;

  constructor(
    private readonly file: Blob,
    private readonly pieceBytes: number,
  ) {}

  /** The piece that begins at a byte; rejects where the file cannot be read. */
  async read(at: number): Promise<Uint8Array<ArrayBuffer>> {
    const part = this.file.slice(at, at + this.pieceBytes);
    const reader = byteReader(part);
    if (reader === null) return new Uint8Array(await part.arrayBuffer());
    this.#fills = true;
    let buffer = this.#spare.pop() ?? new ArrayBuffer(this.pieceBytes);
    let held = 0;
    while (held < part.size) {
      const room = new Uint8Array(buffer, held, part.size - held);
      // At one go where the browser can: half as fast otherwise.
      const { value } = await reader.read(room, { min: room.length });
      if (!value?.length) throw new Error("The file is shorter than it was.");
      buffer = value.buffer;
      held += value.length;
    }
    return new Uint8Array(buffer, 0, held);
  }

  /** Takes a piece back whose bytes nobody needs any more. */
  giveBack({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (this.#fills && buffer.byteLength === this.pieceBytes) this.#spare.push(buffer);
  }
}

function byteReader(part: Blob): ReadableStreamBYOBReader | null {
  try {
    return part.stream().getReader({ mode: "byob" });
  } catch {
    return null; // no byte stream here
  }
}
