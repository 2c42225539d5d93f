import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Changes } from "../src/core/types";
import { ChangeFeed } from "../src/lab/feed";
import { NoAnswer, NoRoutes } from "../src/lab/http";
import { CHANGES } from "./samples";

type Said = Changes | Error;

function feed(...answers: Said[]) {
  return feedBeside(null, ...answers);
}

/** The same behind another that is told first. */
function feedBeside(stumbling: (() => void) | null, ...answers: Said[]) {
  const asked: string[] = [];
  const http = {
    get: async <T>(path: string, signal?: AbortSignal) => {
      asked.push(path);
      const said = answers.shift();
      if (said === undefined) {
        return new Promise<never>((_, reject) => {
          signal?.addEventListener("abort", () => reject(new Error("aborted")));
        });
      }
      if (said instanceof Error) throw said;
      return { value: said as T, now: 1 };
    },
  };
  const links: string[] = [];
  const taken: number[] = [];
  const made = new ChangeFeed(http);
  if (stumbling) made.subscribe(stumbling);
  const stop = made.subscribe(
    (changes) => taken.push(changes.rev),
    (link) => links.push(link),
  );
  return { asked, links, taken, stop };
}

const nothing = (rev: number): Changes => ({ rev, jobs: [], moves: [], more: false });
const news = (rev: number, more = false): Changes => ({ ...CHANGES, rev, more });

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("ChangeFeed", () => {
  it("begins with what comes from now on, then waits for more", async () => {
    const { asked, taken, links } = feed(nothing(7), news(9));
    await vi.advanceTimersByTimeAsync(200);
    expect(asked).toEqual([
      "changes?wait=0",
      "changes?since=7&wait=25",
      "changes?since=9&wait=25",
    ]);
    expect(taken).toEqual([9]);
    expect(links).toEqual(["opening", "open"]);
  });

  it("reads on at once where a page was full", async () => {
    const { taken } = feed(nothing(1), news(5, true), news(6));
    await vi.advanceTimersByTimeAsync(60);
    expect(taken).toEqual([5, 6]);
  });

  it("says that the server is gone after two answers that did not come", async () => {
    const { links } = feed(nothing(1), new NoAnswer(), new NoAnswer(), nothing(1));
    await vi.advanceTimersByTimeAsync(400);
    expect(links).toEqual(["opening", "open", "lost"]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(links.at(-1)).toBe("open");
  });

  it("says so too where the line stays open and nothing comes", async () => {
    const { asked, links } = feed(nothing(7));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(links.at(-1)).toBe("open");
    await vi.advanceTimersByTimeAsync(20_000);
    expect(links.at(-1)).toBe("lost");
    expect(asked.slice(1, 3)).toEqual([
      "changes?since=7&wait=25",
      "changes?since=7&wait=0",
    ]);
  });

  it("asks a server without our routes now and then only", async () => {
    const { asked, links } = feed(new NoRoutes(), nothing(1));
    await vi.advanceTimersByTimeAsync(29_000);
    expect([asked.length, links.at(-1)]).toEqual([1, "absent"]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(links.at(-1)).toBe("open");
  });

  it("begins again with a store whose revisions are its own", async () => {
    const { asked, taken } = feed(nothing(70), news(3), news(4));
    await vi.advanceTimersByTimeAsync(200);
    expect(asked[2]).toBe("changes?since=3&wait=25");
    expect(taken).toEqual([4]);
  });

  it("goes on where one that is told stumbles, and tells the rest", async () => {
    const reported = vi.fn();
    vi.stubGlobal("reportError", reported);
    const fault = new Error("of one card");
    const stumble = () => {
      throw fault;
    };
    const { taken } = feedBeside(stumble, nothing(7), news(9), news(10));
    await vi.advanceTimersByTimeAsync(200);
    expect(taken).toEqual([9, 10]);
    expect(reported.mock.calls).toEqual([[fault], [fault]]);
    vi.unstubAllGlobals();
  });

  it("asks nothing once nobody listens", async () => {
    const { asked, stop } = feed(nothing(1), nothing(2));
    await vi.advanceTimersByTimeAsync(10);
    stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
  });
});
