import { describe, expect, it } from "vitest";
import { curlOf } from "../src/core/curl";
import { isBefore, matches } from "../src/core/filter";
import { ALL } from "../src/core/list";
import { fits, Selection } from "../src/core/selection";
import type { StatusInfo } from "../src/core/types";
import { sample } from "./samples";

const done = (n: number) =>
  sample("analyze_text", { job_id: `job${n}`, submitted_at: n, rev: n });

describe("Selection", () => {
  it("gives a command to those that it fits, and says how it went", async () => {
    const asked: string[] = [];
    const command = async (jobId: string) => {
      asked.push(jobId);
      if (jobId === "job2") throw new Error("it is locked");
      return true;
    };
    const selection = new Selection({ command }, () => {});
    const jobs = [done(1), done(2), done(3), sample("train_model")];
    selection.toggle(
      jobs.map((job) => job.job_id),
      true,
    );
    const dropped: string[] = [];
    await selection.run("delete", jobs, (jobId) => dropped.push(jobId));
    expect(asked.sort()).toEqual(["job1", "job2", "job3"]);
    expect(dropped.sort()).toEqual(["job1", "job3"]);
    expect(selection.said).toBe("2 of 3 deleted; it is locked");
    expect(selection.has("job2")).toBe(true);
    expect(selection.isBusy).toBe(false);
  });

  it("never has more than four commands on their way", async () => {
    let now = 0;
    let most = 0;
    const command = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now--;
      return true;
    };
    const selection = new Selection({ command }, () => {});
    await selection.run(
      "retry",
      Array.from({ length: 30 }, (_, n) => done(n)),
    );
    expect(most).toBe(4);
    expect(selection.said).toBe("30 of 30 started again");
  });

  it("knows what fits", () => {
    const running = sample("train_model");
    expect(fits("cancel", running)).toBe(true);
    expect(fits("cancel", { ...running, cancel_requested: true })).toBe(false);
    expect(fits("delete", running)).toBe(false);
    expect(fits("extend", { ...running, timeout_s: null })).toBe(false);
    expect(fits("retry", done(1))).toBe(true);
  });
});

describe("the filter", () => {
  const job = sample("train_model", { tags: ["GPU", "nightly"] });
  it("finds by tag, notebook and part of a tag", () => {
    expect(matches(job, { ...ALL, tag: "GPU" })).toBe(true);
    expect(matches(job, { ...ALL, tag: "gpu" })).toBe(false);
    expect(matches(job, { ...ALL, text: "gpu" })).toBe(true);
    expect(matches(job, { ...ALL, notebook: "train.ipynb" })).toBe(true);
    expect(matches(job, { ...ALL, notebook: "other.ipynb" })).toBe(false);
  });

  it("orders by time, name and length", () => {
    const a: StatusInfo = { ...done(1), name: "a", started_at: 0, finished_at: 9 };
    const b: StatusInfo = { ...done(2), name: "b", started_at: 0, finished_at: 3 };
    expect(isBefore(b, a, "newest")).toBe(true);
    expect(isBefore(a, b, "oldest")).toBe(true);
    expect(isBefore(a, b, "name")).toBe(true);
    expect(isBefore(a, b, "longest")).toBe(true);
  });
});

describe("curl", () => {
  it("submits the same again, quoted for a shell", () => {
    const job = sample("train_model");
    const line = curlOf(job, { text: "it's" }, "http://host/chutes/");
    expect(line).toContain('"http://host/chutes/jobs/train_model"');
    expect(line).toContain(`-d '{"text":"it'\\''s"}'`);
    expect(line).toContain("$JUPYTER_TOKEN");
    expect(curlOf(job, {}, null)).toContain("$JUPYTER_URL/chutes/jobs/train_model");
  });
});
