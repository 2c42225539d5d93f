/** Has Chromium collect the buffers of sent messages before a hundred megabytes gather. */

/** So much is sent between two baits: less than a piece by the comm, so each has one. */
const EVERY_BYTES = 2_000_000;
/** Far above what a collector lets gather; far below where it would stop the page. */
const BAIT_BYTES = 256 << 20;

/**
 * JupyterLab copies each message into a buffer of its own, which `WebSocket.send` takes
 * hold of by an object that only a full collection lets go; one is due when some 64 MB
 * more are on V8's books. V8 looks at them when a buffer is made: one that is large and
 * never touched, for which the system gives no memory, has it begin, and go on with what
 * it has begun. It collects beside the page, in steps of some 10 ms.
 */
export class Garbage {
  #bytes = 0;

  /**
   * @param bait Makes a buffer and lets go of it. By default one in Chromium alone:
   * another browser may fill it with zeros, and would give it memory.
   */
  constructor(
    private readonly bait: typeof baitOf | null = isChromium() ? baitOf : null,
  ) {}

  /** Tells of a message that is sent and needs its bytes no longer than that. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < EVERY_BYTES) return;
    this.#bytes = 0;
    try {
      this.bait?.(BAIT_BYTES);
    } catch {
      // No room for it: V8 has collected before it said so.
    }
  }
}

function baitOf(bytes: number): number {
  return new ArrayBuffer(bytes).byteLength;
}

function isChromium(): boolean {
  return /Chrom(e|ium)\//.test(globalThis.navigator?.userAgent ?? "");
}
