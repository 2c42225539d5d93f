import { render } from "preact";
import { act } from "preact/test-utils";
import { describe, expect, it } from "vitest";
import { JobsList } from "../src/core/list";
import { barsOf, marksIn, moved, windowOf } from "../src/core/timeline";
import type { Span, StatusInfo } from "../src/core/types";
import { Timeline } from "../src/ui/Timeline";
import { shelf } from "./bigger";
import { sample } from "./samples";

const JOB = sample("train_model", { submitted_at: 100, started_at: 110 });
const span = (number: number, from: number, to: number | null, over = {}): Span => ({
  number,
  started_at: from,
  finished_at: to,
  status: to === null ? "running" : "failed",
  ...over,
});
const kinds = (job: StatusInfo, spans: Span[], now: number) =>
  barsOf(job, spans, now).map(({ kind, from, to }) => [kind, from, to]);

describe("the bars of a job", () => {
  it("are its wait, its attempts, and the pauses between", () => {
    expect(kinds(JOB, [span(1, 110, 120), span(2, 125, null)], 140)).toEqual([
      ["queued", 100, 110],
      ["attempt", 110, 120],
      ["waiting", 120, 125],
      ["attempt", 125, 140],
    ]);
  });

  it("show a queued job's wait until now", () => {
    const job = sample("generate_report", { submitted_at: 100, finished_at: null });
    expect(kinds(job, [], 130)).toEqual([["queued", 100, 130]]);
  });

  it("show a retrying job's pause until now", () => {
    const job = sample("fetch_prices", { submitted_at: 100 });
    expect(kinds(job, [span(1, 101, 110)], 115).at(-1)).toEqual(["waiting", 110, 115]);
  });

  it("are drawn by what the job itself says where no attempts are known", () => {
    const job = { ...JOB, status: "completed", finished_at: 150 } as StatusInfo;
    expect(kinds(job, [], 200)).toEqual([
      ["queued", 100, 110],
      ["attempt", 110, 150],
    ]);
  });
});

describe("the window", () => {
  it("has all jobs in it, and zooms about a place", () => {
    const window = windowOf([JOB, { ...JOB, submitted_at: 50 }], 150);
    expect(window.from).toBeLessThan(50);
    expect(window.to).toBeGreaterThan(150);
    expect(moved({ from: 0, to: 100 }, 0.5, 0, 0)).toEqual({ from: 0, to: 50 });
    expect(moved({ from: 0, to: 100 }, 1, 0.1)).toEqual({ from: 10, to: 110 });
  });

  it("marks few round times", () => {
    expect(marksIn({ from: 3, to: 61 }, 6)).toEqual([10, 20, 30, 40, 50, 60]);
    expect(marksIn({ from: 0, to: 86_400 * 300 }, 6).length).toBeLessThanOrEqual(6);
  });
});

describe("Timeline", () => {
  it("draws rows in sight, and opens one by key", async () => {
    const root = document.body.appendChild(document.createElement("div"));
    const now = Date.now() / 1000;
    const list = new JobsList(shelf(500, now));
    list.start();
    list.wantSpans();
    await new Promise((resolve) => setTimeout(resolve));
    const opened: string[] = [];
    act(() =>
      render(
        <Timeline list={list} now={now} onOpen={(job) => opened.push(job.job_id)} />,
        root,
      ),
    );
    const lanes = [...root.querySelectorAll<HTMLElement>(".chutes-lane[data-job]")];
    expect(lanes.length).toBeLessThan(60);
    const retried = lanes[5];
    expect(retried?.querySelectorAll("i[data-kind=attempt]")).toHaveLength(3);
    expect(retried?.querySelectorAll("i[data-kind=waiting]")).toHaveLength(2);
    expect(retried?.textContent).toContain("before attempt 2");
    const key = new KeyboardEvent("keydown", { key: "Enter", bubbles: true });
    retried?.dispatchEvent(key);
    expect(opened).toEqual([retried?.dataset.job]);
    render(null, root);
    root.remove();
  });
});
