import { describe, expect, it } from "vitest";
import { BadEnds, toastsFor } from "../src/core/toasts";
import type { Changes, StatusInfo } from "../src/core/types";
import { sample } from "./samples";

const LONG_S = 10;

/** Changes in which each job has just moved to the state it has. */
function moved(...jobs: StatusInfo[]): Changes {
  const moves = jobs.map((job) => ({
    rev: job.rev,
    job_id: job.job_id,
    from: "running" as const,
    to: job.status,
    at: 0,
    attempt: 1,
    reason: null,
  }));
  return { rev: 1, jobs, moves, more: false };
}

function done(took: number, over: Partial<StatusInfo> = {}): StatusInfo {
  const times = { started_at: 100, finished_at: 100 + took };
  return sample("train_model", { status: "completed", ...times, ...over });
}

describe("toastsFor", () => {
  it("tells each failure with its cause", () => {
    const [toast] = toastsFor(moved(sample("process_pipeline")), LONG_S);
    expect(toast?.kind).toBe("error");
    expect(toast?.text).toBe(
      "process_pipeline failed: ValueError: could not convert string to float: 'n/a'",
    );
  });

  it("tells the end of a long job, not of a short one", () => {
    expect(toastsFor(moved(done(9)), LONG_S)).toEqual([]);
    const [toast] = toastsFor(moved(done(75)), LONG_S);
    expect(toast?.text).toBe("train_model completed after 1 min 15 s");
  });

  it("tells nothing of starts, waits and progress", () => {
    const running = sample("train_model");
    expect(toastsFor(moved(running, sample("generate_report")), LONG_S)).toEqual([]);
    const progress = { rev: 1, jobs: [done(75)], moves: [], more: false };
    expect(toastsFor(progress, LONG_S)).toEqual([]);
  });

  it("sums up many ends at once", () => {
    const jobs = Array.from({ length: 5 }, (_, i) =>
      sample("process_pipeline", { job_id: `bad${i}` }),
    );
    expect(toastsFor(moved(...jobs), LONG_S)).toEqual([
      { kind: "error", text: "5 jobs ended badly", jobId: null, count: 5 },
    ]);
  });
});

describe("BadEnds", () => {
  function wall() {
    const shown = new Map<string, string>();
    let made = 0;
    const ends = new BadEnds({
      show: ({ text }) => {
        made += 1;
        shown.set(`t${made}`, text);
        return `t${made}`;
      },
      change: (id, { text }) => void shown.set(id, text),
      hide: (id) => void shown.delete(id),
      has: (id) => shown.has(id),
    });
    const fail = (n: number) =>
      ends.tell({ kind: "error", text: `bad ${n}`, jobId: `j${n}`, count: 1 });
    return { shown, ends, fail, texts: () => [...shown.values()] };
  }

  it("shows a few one by one", () => {
    const { fail, texts } = wall();
    for (const n of [1, 2, 3]) fail(n);
    expect(texts()).toEqual(["bad 1", "bad 2", "bad 3"]);
  });

  it("shows one that counts where there are many, however they come", () => {
    const { fail, ends, texts } = wall();
    for (let n = 1; n <= 72; n += 1) fail(n);
    expect(texts()).toEqual(["72 jobs ended badly; the last: bad 72"]);
    ends.tell({ kind: "error", text: "5 jobs ended badly", jobId: null, count: 5 });
    expect(texts()).toEqual(["77 jobs ended badly"]);
  });

  it("begins anew once they were put away", () => {
    const { fail, shown, texts } = wall();
    for (let n = 1; n <= 9; n += 1) fail(n);
    shown.clear();
    fail(10);
    expect(texts()).toEqual(["bad 10"]);
  });

  it("counts no more what was put away by itself", () => {
    const { fail, shown, texts } = wall();
    for (const n of [1, 2, 3]) fail(n);
    shown.delete("t2");
    fail(4);
    expect(texts()).toEqual(["bad 1", "bad 3", "bad 4"]);
  });
});
