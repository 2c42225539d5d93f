import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Message } from "../src/core/transport";
import { CommTransport } from "../src/panel/comm";

type Listen = (message: unknown, buffers?: DataView[]) => void;

/** A kernel at the other end of the comm, which may be gone. */
class Kernel {
  listeners = new Set<Listen>();
  asked: { type: string; id: string; offset?: number }[] = [];
  isThere = true;
  body = new Uint8Array(2_500_000).fill(7);
  on = (_: string, listen: Listen) => void this.listeners.add(listen);
  off = (_: string, listen: Listen) => void this.listeners.delete(listen);
  send = (question: { type: string; id: string; offset?: number }) => {
    this.asked.push(question);
    if (this.isThere) queueMicrotask(() => this.answer(question));
  };
  answer({ type, id, offset = 0 }: { type: string; id: string; offset?: number }) {
    const piece = type === "file" ? this.body.slice(offset, offset + (1 << 20)) : null;
    const value = piece ? { size: this.body.length, type: "x/y" } : true;
    const buffers = piece ? [new DataView(piece.buffer)] : [];
    for (const listen of [...this.listeners]) {
      listen({ type: "answer", id, ok: true, value }, buffers);
    }
  }
}

function connected() {
  const kernel = new Kernel();
  const transport = new CommTransport(kernel as never);
  return { kernel, transport };
}

describe("CommTransport", () => {
  it("brings a file in pieces", async () => {
    const { kernel, transport } = connected();
    const body = await transport.file("job", 1);
    expect(body.size).toBe(2_500_000);
    expect(body.type).toBe("x/y");
    expect(kernel.asked.map((one) => one.offset)).toEqual([0, 1 << 20, 2 << 20]);
  });

  describe("while time passes", () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());

    it("misses a kernel that is silent, and notices its return", async () => {
      const { kernel, transport } = connected();
      const links: string[] = [];
      const stop = transport.subscribe((message: Message) => {
        if (message.type === "link") links.push(message.link);
      });
      await vi.advanceTimersByTimeAsync(20_000);
      expect(links).not.toContain("lost");
      kernel.isThere = false;
      await vi.advanceTimersByTimeAsync(30_000);
      expect(links.at(-1)).toBe("lost");
      kernel.isThere = true;
      await vi.advanceTimersByTimeAsync(10_000);
      expect(links.at(-1)).toBe("open");
      stop();
      expect(vi.getTimerCount()).toBeLessThan(10);
    });
  });
});
