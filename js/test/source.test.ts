import { describe, expect, it } from "vitest";
import { JobSource } from "../src/core/source";
import { batch, HandTransport, sample } from "./samples";

const job = sample("train_model");

function started() {
  const transport = new HandTransport();
  let now = 1_000_000;
  const source = new JobSource(transport, () => now);
  source.start();
  const log = (text: string, offset: number) =>
    transport.deliver({
      type: "log",
      job_id: job.job_id,
      log: batch(text, { attempt: 2, offset }),
    });
  return { transport, source, log, later: (ms: number) => (now += ms) };
}

describe("JobSource", () => {
  it("asks once for a batch that was lost, and again when no answer comes", () => {
    const { transport, log, later } = started();
    log("one\n", 0);
    log("three\n", 8);
    log("four\n", 14);
    expect(transport.attached).toEqual([[job.job_id, 2, 4]]);
    later(3_000);
    log("five\n", 19);
    expect(transport.attached).toHaveLength(2);
  });

  it("goes on after the answer", () => {
    const { source, log } = started();
    log("one\n", 0);
    log("three\n", 8);
    log("two\nthree\n", 4);
    expect(source.log(job.job_id, 2).next).toBe(14);
  });

  it("learns how far the page's clock is ahead", () => {
    const { transport, source } = started();
    const changes = { rev: 1, jobs: [job], moves: [], more: false };
    transport.deliver({ type: "changes", now: 990, changes });
    expect(source.skew_s).toBeCloseTo(10);
  });

  it("keeps the parts of a detail that a later message leaves out", () => {
    const { transport, source } = started();
    const send = (detail: object) =>
      transport.deliver({ type: "detail", now: 0, job_id: job.job_id, detail });
    send({ source: "x = 1", metrics: {} });
    send({ metrics: { loss: [[1, 2]] } });
    expect(source.detail(job.job_id)).toMatchObject({
      source: "x = 1",
      metrics: { loss: [[1, 2]] },
    });
  });
});
