import { describe, expect, it } from "vitest";
import {
  Final,
  Gone,
  type Phase,
  type Piece,
  type Standing,
  Upload,
  type UploadLine,
  UploadQueue,
} from "../src/core/upload";
import { CommLine, Denied, EitherLine } from "../src/core/upload-comm";
import { Sha256, sha256 } from "../src/core/upload-hash";

const hex = (bytes: Uint8Array) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const digest = async (bytes: Uint8Array<ArrayBuffer>) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** The other side of an upload, in memory; a test says what goes wrong with it. */
class Memory implements UploadLine {
  pieceBytes = 10;
  window = 1;
  takesBytes = true;
  content: number[] = [];
  size = 0;
  begun = 0;
  sent: number[] = [];
  dropped: string[] = [];
  most = 0;
  #flying = 0;
  /** Called before a piece is taken. */
  before: (piece: Piece) => void | Promise<void> = () => undefined;

  async begin(file: File): Promise<Standing> {
    this.begun++;
    this.size = file.size;
    this.content = [];
    return this.#standing();
  }
  async where(): Promise<Standing> {
    return this.#standing();
  }
  async send(
    _uid: string,
    piece: Piece,
    onSent: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<Standing> {
    this.most = Math.max(this.most, ++this.#flying);
    try {
      this.sent.push(piece.at);
      await this.before(piece);
      if (signal.aborted) throw new Error("aborted");
      if (piece.at !== this.content.length) throw new Error("not the next piece");
      // Taken in the order in which they came, as a comm does.
      this.content.push(...piece.bytes);
      expect(hex(piece.sha256)).toBe(hex(await digest(piece.bytes)));
      onSent(piece.bytes.length);
      return this.#standing();
    } finally {
      this.#flying--;
    }
  }
  async drop(uid: string): Promise<void> {
    this.dropped.push(uid);
  }
  async #standing(): Promise<Standing> {
    const isWhole = this.content.length === this.size;
    const content = Uint8Array.from(this.content);
    const whole = isWhole ? hex(await digest(content)) : null;
    return { upload: `u${this.begun}`, offset: this.content.length, sha256: whole };
  }
}

const BYTES = Uint8Array.from({ length: 95 }, (_, i) => (i * 7) % 256);
const fileOf = (bytes = BYTES) => new File([bytes], "data.bin");

function reached(upload: Upload, phase: Phase): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (upload.phase !== phase) return;
      stop();
      resolve();
    };
    const stop = upload.subscribe(look);
    look();
  });
}

describe("an upload", () => {
  it.each([1, 8])("arrives whole with %d pieces under way", async (window) => {
    const line = new Memory();
    line.window = window;
    const upload = new Upload(fileOf(), line);
    upload.start();
    expect(await upload.settled()).toBe("done");
    expect(Uint8Array.from(line.content)).toEqual(BYTES);
    expect(upload.sha256).toBe(hex(await digest(BYTES)));
    expect(upload.sent).toBe(95);
    expect(line.sent).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    expect(line.most).toBeLessThanOrEqual(window);
  });

  it("of nothing is done at once", async () => {
    const upload = new Upload(fileOf(new Uint8Array()), new Memory());
    upload.start();
    expect(await upload.settled()).toBe("done");
    expect(upload.sha256).toBe(hex(await digest(new Uint8Array())));
  });

  it.each([1, 8])("goes on where it stood when the line broke (%d)", async (window) => {
    const line = new Memory();
    line.window = window;
    let isCut = false;
    line.before = ({ at }) => {
      if (at !== 50 || isCut) return;
      isCut = true;
      throw new Error("The connection was lost.");
    };
    const upload = new Upload(fileOf(), line);
    upload.start();
    await reached(upload, "lost");
    expect(upload.problem).toBe("The connection was lost.");
    expect(await upload.settled()).toBe("done");
    expect(Uint8Array.from(line.content)).toEqual(BYTES);
    expect(line.begun).toBe(1);
  });

  it("stands still while it is paused, and goes on", async () => {
    const line = new Memory();
    const upload = new Upload(fileOf(), line);
    line.before = ({ at }) => {
      if (at === 30) upload.pause();
    };
    upload.start();
    await reached(upload, "paused");
    line.before = () => undefined;
    expect(line.content).toHaveLength(30);
    upload.start();
    expect(await upload.settled()).toBe("done");
    expect(Uint8Array.from(line.content)).toEqual(BYTES);
  });

  it("that is dropped is forgotten by the other side", async () => {
    const line = new Memory();
    const upload = new Upload(fileOf(), line);
    line.before = () => upload.drop();
    upload.start();
    expect(await upload.settled()).toBe("dropped");
    expect(line.dropped).toEqual(["u1"]);
    expect(line.content).toEqual([]);
  });

  it("begins anew where the other side has forgotten it", async () => {
    const line = new Memory();
    let isGone = false;
    line.before = ({ at }) => {
      if (at !== 50 || isGone) return;
      isGone = true;
      throw new Gone("no such upload");
    };
    const upload = new Upload(fileOf(), line);
    upload.start();
    expect(await upload.settled()).toBe("done");
    expect(line.begun).toBe(2);
    expect(Uint8Array.from(line.content)).toEqual(BYTES);
  });

  it("fails with the reason where trying again is of no use", async () => {
    const line = new Memory();
    line.before = () => {
      throw new Final("the disk is full");
    };
    const upload = new Upload(fileOf(), line);
    upload.start();
    expect(await upload.settled()).toBe("failed");
    expect(upload.problem).toBe("the disk is full");
    line.before = () => undefined;
    upload.start();
    expect(await upload.settled()).toBe("done");
  });

  it("that is too large is refused before a byte is sent", () => {
    const line = new Memory();
    const upload = new Upload(fileOf(), line);
    upload.refuse("too large");
    expect([upload.phase, upload.canRetry, line.begun]).toEqual(["failed", false, 0]);
  });

  it("tells its rate and the time that is left", async () => {
    const line = new Memory();
    let now = 0;
    const upload = new Upload(fileOf(), line, () => now);
    const seen: [number | null, number | null][] = [];
    line.before = () => {
      seen.push([upload.rate, upload.left_s]);
      now += 100;
    };
    upload.start();
    await upload.settled();
    expect(seen[5]).toEqual([100, 0.45]);
  });

  it("tells of its bytes ten times a second, and of the last at once", async () => {
    const line = new Memory();
    let now = 0;
    const upload = new Upload(fileOf(), line, () => now);
    line.before = () => {
      now += 50;
    };
    const told: number[] = [];
    upload.subscribe(() => told.push(upload.sent));
    upload.start();
    await upload.settled();
    expect([...new Set(told)]).toEqual([0, 20, 40, 60, 80, 95]);
  });
});

it("files of one form go one after the other, and a paused one lets others by", async () => {
  const lines = [new Memory(), new Memory(), new Memory()];
  const uploads = lines.map((line) => new Upload(fileOf(), line));
  const [first, second, third] = uploads as [Upload, Upload, Upload];
  const queue = new UploadQueue();
  for (const upload of uploads) queue.add(upload);
  expect([first.phase, second.phase]).toEqual(["sending", "waiting"]);
  first.pause();
  await second.settled();
  await third.settled();
  expect([first.phase, second.phase, third.phase]).toEqual(["paused", "done", "done"]);
});

describe("SHA-256 of our own", () => {
  it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])(
    "is right for %d bytes",
    async (n) => {
      const bytes = Uint8Array.from({ length: n }, (_, i) => i);
      const hash = new Sha256();
      for (let at = 0; at < n; at += 37) hash.update(bytes.subarray(at, at + 37));
      expect(hex(hash.digest())).toBe(hex(await digest(bytes)));
    },
  );

  it("stands in where the page has no crypto.subtle", async () => {
    const bytes = new Uint8Array(1_200_000).fill(3);
    expect(hex(await sha256(bytes, undefined))).toBe(hex(await digest(bytes)));
  });
});

describe("the line to the kernel", () => {
  it("sends the bytes as a buffer and the rest as JSON", async () => {
    const asked: unknown[] = [];
    const line = new CommLine(async (question, buffers) => {
      asked.push(question, buffers?.[0]?.byteLength);
      return { upload: "u", offset: 3, sha256: null };
    });
    const bytes = Uint8Array.from([1, 2, 3]);
    const piece = {
      at: 0,
      part: new Blob([bytes]),
      bytes,
      sha256: await digest(bytes),
    };
    await line.send("u", piece, () => undefined);
    expect(asked[0]).toMatchObject({
      type: "upload",
      name: "piece",
      upload: "u",
      at: 0,
    });
    expect(asked[1]).toBe(3);
  });

  it.each([
    ["UploadNotFound", Gone],
    ["StoreFull", Final],
    ["UploadConflict", Denied],
  ])("takes %s for what it is", async (kind, wanted) => {
    const line = new CommLine(() => Promise.reject(new Denied("no", kind)));
    await expect(line.where("u")).rejects.toBeInstanceOf(wanted);
  });

  it("fails for good where the kernel will not begin", async () => {
    const line = new CommLine(() => Promise.reject(new Denied("no", "UploadTooLarge")));
    await expect(line.begin(fileOf())).rejects.toBeInstanceOf(Final);
  });

  it("leaves the pieces to a server that knows the upload", async () => {
    const [kernel, server] = [new Memory(), new Memory()];
    const either = new EitherLine(kernel, server);
    server.pieceBytes = 40;
    await either.begin(fileOf());
    expect(either.pieceBytes).toBe(40);
    server.where = () => Promise.reject(new Gone("another store"));
    const alone = new EitherLine(kernel, server);
    await alone.begin(fileOf());
    expect(alone.pieceBytes).toBe(10);
  });
});
