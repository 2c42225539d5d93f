// @vitest-environment node
import { describe, expect, it } from "vitest";
import { PieceReader } from "../src/core/upload-read";

const CONTENT = Uint8Array.from({ length: 10 }, (_, n) => n);

/** As of a browser whose files are no byte streams. */
class PlainBlob extends Blob {
  override slice(from: number, to: number): Blob {
    const part = super.slice(from, to);
    part.stream = () => new ReadableStream();
    return part;
  }
}

function readerOf(kind: typeof Blob): PieceReader {
  return new PieceReader(new kind([CONTENT]), 4);
}

describe("PieceReader", () => {
  it.each([
    ["a byte stream", Blob],
    ["a browser without one", PlainBlob],
  ])("reads every piece, by %s", async (_, kind) => {
    const reader = readerOf(kind);
    for (const at of [0, 4, 8, 10, 4]) {
      const piece = await reader.read(at);
      expect([...piece]).toEqual([...CONTENT.slice(at, at + 4)]);
      reader.giveBack(piece);
    }
  });

  it("fills what was given back, and nothing that is still in use", async () => {
    const reader = readerOf(Blob);
    const kept = await reader.read(0);
    reader.giveBack(await reader.read(4));
    reader.giveBack(new Uint8Array());
    await reader.read(8);
    expect([...kept]).toEqual([0, 1, 2, 3]);
  });
});
