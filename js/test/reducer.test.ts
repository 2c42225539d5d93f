import { describe, expect, it } from "vitest";
import { apply, NO_JOBS } from "../src/core/reducer";
import { CHANGES, sample } from "./samples";

const some = (over: object) => ({ rev: 0, jobs: [], moves: [], more: false, ...over });

describe("apply", () => {
  it("reads the golden sample", () => {
    const after = apply(NO_JOBS, CHANGES);
    expect(after.jobs.size).toBe(CHANGES.jobs.length);
    expect(after.rev).toBe(CHANGES.rev);
    for (const job of CHANGES.jobs) {
      const moves = after.moves.get(job.job_id) ?? [];
      expect(moves.at(-1)?.to).toBe(job.status);
      expect(moves.map((move) => move.rev)).toEqual(
        moves.map((move) => move.rev).sort((a, b) => a - b),
      );
    }
  });

  it("gives the same object for the same changes", () => {
    const once = apply(NO_JOBS, CHANGES);
    expect(apply(once, CHANGES)).toBe(once);
  });

  it("comes to the same end in whatever order pages arrive", () => {
    const [first, second] = [CHANGES.jobs.slice(0, 4), CHANGES.jobs.slice(4)];
    const a = some({ rev: 110, jobs: first, moves: CHANGES.moves.slice(0, 9) });
    const b = some({ rev: 120, jobs: second, moves: CHANGES.moves.slice(9) });
    const forth = apply(apply(NO_JOBS, a), b);
    const back = apply(apply(NO_JOBS, b), a);
    expect(new Map([...back.jobs].sort())).toEqual(new Map([...forth.jobs].sort()));
    expect(new Map([...back.moves].sort())).toEqual(new Map([...forth.moves].sort()));
  });

  it("passes over an older row that comes late", () => {
    const job = sample("train_model");
    const after = apply(NO_JOBS, some({ jobs: [job] }));
    const late = { ...job, status: "queued" as const, rev: job.rev - 1 };
    expect(apply(after, some({ jobs: [late] })).jobs.get(job.job_id)).toBe(job);
  });

  it("follows a place in the queue, which moves without a revision", () => {
    const job = sample("generate_report");
    const after = apply(NO_JOBS, some({ jobs: [job] }));
    const next = apply(after, some({ jobs: [{ ...job, queue_position: 1 }] }));
    expect(next.jobs.get(job.job_id)?.queue_position).toBe(1);
  });
});
