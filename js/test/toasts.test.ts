import { describe, expect, it } from "vitest";
import { toastsFor } from "../src/core/toasts";
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
      { kind: "error", text: "5 jobs ended badly", jobId: null },
    ]);
  });
});
