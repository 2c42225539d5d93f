/** SHA-256 of a piece: the browser's own, or FIPS 180-4 where a page has none. */
const BLOCK = 64;
/** Hashed at one go by ourselves, before the page may draw again. */
const STRETCH = 512 << 10;

/** A page that came by plain HTTP from another machine has no `crypto.subtle`. */
export async function sha256(
  bytes: Uint8Array<ArrayBuffer>,
  subtle: Pick<SubtleCrypto, "digest"> | undefined = globalThis.crypto?.subtle,
): Promise<Uint8Array> {
  if (subtle) return new Uint8Array(await subtle.digest("SHA-256", bytes));
  const hash = new Sha256();
  for (let at = 0; at < bytes.length; at += STRETCH) {
    hash.update(bytes.subarray(at, at + STRETCH));
    await new Promise((resolve) => setTimeout(resolve));
  }
  return hash.digest();
}

const K = constants((prime) => prime ** (1 / 3), 64);
const START = constants(Math.sqrt, 8);

export class Sha256 {
  #state = START.slice();
  #words = new Int32Array(BLOCK);
  #held = new Uint8Array(BLOCK);
  #heldBytes = 0;
  #bytes = 0;

  update(piece: Uint8Array): this {
    this.#bytes += piece.length;
    let at = 0;
    if (this.#heldBytes > 0) {
      at = Math.min(BLOCK - this.#heldBytes, piece.length);
      this.#held.set(piece.subarray(0, at), this.#heldBytes);
      this.#heldBytes += at;
      if (this.#heldBytes < BLOCK) return this;
      this.#take(this.#held, 0, BLOCK);
      this.#heldBytes = 0;
    }
    const whole = piece.length - ((piece.length - at) % BLOCK);
    this.#take(piece, at, whole);
    this.#held.set(piece.subarray(whole));
    this.#heldBytes = piece.length - whole;
    return this;
  }

  /** Nothing can be added after it. */
  digest(): Uint8Array {
    const rest = this.#heldBytes < BLOCK - 8 ? BLOCK : 2 * BLOCK;
    const end = new Uint8Array(rest);
    end.set(this.#held.subarray(0, this.#heldBytes));
    end[this.#heldBytes] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(rest - 8, Math.floor(this.#bytes / 2 ** 29));
    view.setUint32(rest - 4, (this.#bytes << 3) >>> 0);
    this.#take(end, 0, rest);
    const digest = new DataView(new ArrayBuffer(32));
    this.#state.forEach((word, i) => {
      digest.setInt32(4 * i, word);
    });
    return new Uint8Array(digest.buffer);
  }

  #take(bytes: Uint8Array, from: number, to: number): void {
    if (to > from) blocks(this.#state, this.#words, K, bytes, from, to);
  }
}

/** The rounds of all whole blocks; plain numbers only, which engines keep in registers. */
function blocks(
  s: Int32Array,
  w: Int32Array,
  k: Int32Array,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  let a = s[0] as number;
  let b = s[1] as number;
  let c = s[2] as number;
  let d = s[3] as number;
  let e = s[4] as number;
  let f = s[5] as number;
  let g = s[6] as number;
  let h = s[7] as number;
  for (let at = from; at < to; at += BLOCK) {
    for (let i = 0, j = at; i < 16; i++, j += 4) {
      w[i] =
        ((bytes[j] as number) << 24) |
        ((bytes[j + 1] as number) << 16) |
        ((bytes[j + 2] as number) << 8) |
        (bytes[j + 3] as number);
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15] as number;
      const y = w[i - 2] as number;
      const low = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const high = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = ((w[i - 16] as number) + low + (w[i - 7] as number) + high) | 0;
    }
    for (let i = 0; i < 64; i++) {
      const up =
        ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t =
        (h + up + ((e & f) ^ (~e & g)) + (k[i] as number) + (w[i] as number)) | 0;
      const down =
        ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const u = (down + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t) | 0;
      d = c;
      c = b;
      b = a;
      a = (t + u) | 0;
    }
    a = s[0] = ((s[0] as number) + a) | 0;
    b = s[1] = ((s[1] as number) + b) | 0;
    c = s[2] = ((s[2] as number) + c) | 0;
    d = s[3] = ((s[3] as number) + d) | 0;
    e = s[4] = ((s[4] as number) + e) | 0;
    f = s[5] = ((s[5] as number) + f) | 0;
    g = s[6] = ((s[6] as number) + g) | 0;
    h = s[7] = ((s[7] as number) + h) | 0;
  }
}

/** The first 32 bits of the fractions of what a function makes of the first primes. */
function constants(of: (prime: number) => number, many: number): Int32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < many; n++) {
    if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  }
  return Int32Array.from(primes, (prime) => ((of(prime) % 1) * 2 ** 32) | 0);
}
