// @vitest-environment node
import { describe, expect, it } from "vitest";
import { CommLine } from "../src/core/upload-comm";
import { Garbage } from "../src/core/upload-garbage";

const MB = 1_000_000;

/** Counts the collections that are asked for, each by a large buffer. */
function counted(): { asked: number[]; garbage: Garbage } {
  const asked: number[] = [];
  return { asked, garbage: new Garbage((bytes) => asked.push(bytes)) };
}

describe("the garbage of an upload", () => {
  it("is collected each time that two megabytes were sent", () => {
    const { asked, garbage } = counted();
    for (let sent = 0; sent < 7; sent++) garbage.add(MB);
    expect(asked).toHaveLength(3);
    expect(Math.min(...asked)).toBeGreaterThan(64 * MB);
  });

  it("stays where there is no room for the buffer that has it collected", () => {
    const garbage = new Garbage(() => {
      throw new RangeError("Array buffer allocation failed");
    });
    expect(() => garbage.add(8 * MB)).not.toThrow();
  });

  it("is left to itself in a browser that is no Chromium", () => {
    expect(() => new Garbage(null).add(8 * MB)).not.toThrow();
  });

  it("is told of every piece that goes by the comm", async () => {
    const { asked, garbage } = counted();
    const standing = { upload: "u", offset: 0, sha256: null };
    const line = new CommLine(async () => standing, garbage);
    const bytes = new Uint8Array(MB);
    const piece = { at: 0, part: new Blob(), bytes, sha256: new Uint8Array(32) };
    for (let n = 0; n < 4; n++) await line.send("u", piece, () => undefined);
    expect(asked).toHaveLength(2);
  });
});
