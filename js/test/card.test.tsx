import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JobSource } from "../src/core/source";
import { type CommandName, Gone } from "../src/core/transport";
import type { Detail, StatusInfo } from "../src/core/types";
import { LiveCard } from "../src/ui/LiveCard";
import { batch, detailOf, HandTransport, sample } from "./samples";

const ALL: CommandName[] = ["cancel", "retry", "retry_current", "extend", "delete"];
let root: HTMLElement;
let transport: HandTransport;

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  transport = new HandTransport();
});
afterEach(() => {
  render(null, root);
  root.remove();
});

function show(job: StatusInfo, over: Partial<Detail> = {}, commands = ALL) {
  const source = new JobSource(transport);
  source.start();
  const now = Date.now() / 1000;
  act(() => {
    transport.deliver({
      type: "detail",
      now,
      job_id: job.job_id,
      detail: detailOf(job, over),
    });
    render(<LiveCard source={source} jobId={job.job_id} commands={commands} />, root);
  });
}

const text = (selector: string) => root.querySelector(selector)?.textContent ?? "";
const button = (name: string) =>
  [...root.querySelectorAll("button")].find((b) => b.textContent?.startsWith(name));
const click = (name: string) => act(() => button(name)?.click());
const tabs = () => [...root.querySelectorAll("[role=tab]")].map((t) => t.textContent);
const settled = () => act(() => Promise.resolve());

/** The sample's times, moved so that the job is running now. */
function lately(job: StatusInfo): StatusInfo {
  const now = Date.now() / 1000;
  const progress = job.progress && { ...job.progress, at: now };
  return { ...job, progress, submitted_at: now - 20, started_at: now - 19 };
}

describe("the card by keyboard", () => {
  it("keeps its keys from the notebook, and lets its code be scrolled", () => {
    show(sample("process_pipeline"), { source: "x = 1" });
    const card = root.querySelector(".chutes");
    expect(card?.getAttribute("data-lm-suppress-shortcuts")).toBe("true");
    const boxes = [
      ...root.querySelectorAll("[role=tabpanel] pre:not(.chutes-wrapped)"),
    ];
    expect(boxes.length).toBeGreaterThan(0);
    for (const box of boxes) {
      expect(box.getAttribute("tabindex")).toBe("0");
      expect(box.getAttribute("aria-label")).toBeTruthy();
    }
  });
});

describe("a long cause", () => {
  it("is there whole in the error's tab, though it is one line with no trace", () => {
    const message = `cannot read ${"/a/deep/folder".repeat(20)}`;
    const where = { source: [], line: null, function: null, cell: null };
    const error = { type: "OSError", message, traceback: "", ...where };
    show({ ...sample("process_pipeline"), error });
    expect(text("[role=tabpanel]")).toBe(message);
    expect(text(".chutes-cause")).toContain(message);
  });
});

describe("the card of a running job", () => {
  it("is a region named after the job, with its state and id", () => {
    const job = lately(sample("train_model"));
    show(job);
    const card = root.querySelector<HTMLElement>("section");
    expect(card?.getAttribute("aria-label")).toBe("Job train_model");
    expect(card?.dataset.state).toBe("running");
    expect(card?.dataset.job).toBe(job.job_id);
    expect(text(".chutes-facts")).toContain("epoch 31 of 50 · 62 %");
    expect(text(".chutes-facts")).toContain("about 1 min 20 s left");
    expect(
      root.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow"),
    ).toBe("62");
    expect(text(".chutes-id")).toBe(job.job_id.slice(-6));
  });

  it("asks before it cancels, then says that it is stopping", async () => {
    const job = lately(sample("train_model"));
    let answered: (value: boolean) => void = () => {};
    transport.answer = () => new Promise((resolve) => (answered = resolve));
    show(job);
    click("Cancel");
    expect(transport.commands).toEqual([]);
    click("No");
    click("Cancel");
    click("Yes, cancel");
    expect(transport.commands).toEqual([[job.job_id, "cancel", undefined]]);
    expect(button("stopping…")?.disabled).toBe(true);
    await act(async () => answered(true));
  });

  it("says when nobody tells any more what it does, and when they do again", () => {
    show(lately(sample("train_model")));
    act(() => transport.deliver({ type: "link", link: "lost" }));
    expect(text(".chutes-notice")).toContain("Not connected");
    act(() => transport.deliver({ type: "link", link: "open" }));
    expect(text(".chutes-notice")).toBe("");
  });

  it("offers no command that nobody answers", () => {
    show(lately(sample("train_model")), {}, []);
    expect(button("Cancel")).toBeUndefined();
  });

  it("says why a command failed", async () => {
    transport.answer = () => Promise.reject(new Error("the store is locked"));
    show(lately(sample("train_model")));
    click("Cancel");
    click("Yes, cancel");
    await settled();
    expect(text("[role=alert]")).toBe("the store is locked");
  });

  it("draws curves beside its log", () => {
    const metrics: Detail["metrics"] = {
      Loss: [
        [1, 2],
        [2, 1],
        [null, null],
      ],
    };
    show(lately(sample("train_model")), { metrics });
    expect(root.querySelector(".chutes-side svg")?.getAttribute("aria-label")).toBe(
      "Loss: 1 at step 2, no number since step 3",
    );
    expect(tabs()).toContain("Metrics");
  });

  it("says of a loss that has become NaN, and of what never was a number", () => {
    const metrics: Detail["metrics"] = {
      Loss: [
        [1, 2],
        [2, null],
      ],
      gap: [
        [1, null],
        [2, null],
      ],
    };
    show(lately(sample("train_model")), { metrics });
    expect(root.querySelectorAll(".chutes-side svg")).toHaveLength(1);
    expect(text(".chutes-side .chutes-lost")).toBe("no number since step 2");
    click("Metrics");
    expect(text(".chutes-legend")).toContain("no number since step 2");
    expect(text(".chutes-charts > .chutes-lost")).toMatch(/infinite: gap$/);
  });

  it("shows lines in their order, and never as markup", async () => {
    const job = lately(sample("train_model"));
    show(job);
    act(() =>
      transport.deliver({
        type: "log",
        job_id: job.job_id,
        log: batch("one\n<img src=x>\n\x1b[31mred\x1b[0m\n", { attempt: 2 }),
      }),
    );
    await act(() => new Promise((r) => requestAnimationFrame(() => r(undefined))));
    const lines = [...root.querySelectorAll("[role=log] .chutes-line")];
    expect(lines.map((l) => l.textContent)).toEqual(["one", "<img src=x>", "red"]);
    expect(root.querySelector("[role=log] img")).toBeNull();
    expect(root.querySelector("[role=log]")?.getAttribute("aria-live")).toBe("off");
  });

  it("offers more time when its timeout is near", async () => {
    const job = { ...lately(sample("train_model")), timeout_s: 20 };
    show(job);
    click("Give it 20 s more");
    await settled();
    expect(transport.commands).toEqual([[job.job_id, "extend", { seconds: 20 }]]);
  });
});

describe("what can be done", () => {
  const menu = () => {
    act(() => root.querySelector<HTMLElement>("[aria-haspopup=menu]")?.click());
    return [...root.querySelectorAll<HTMLElement>("[role=menuitem]")];
  };
  const CHECKPOINT = { attempt: 2, step: 30, at: 1 };

  it("resumes where there is a checkpoint, and also starts over", async () => {
    show(sample("process_pipeline"), { checkpoint: CHECKPOINT });
    expect(button("Resume")?.title).toBe("From its checkpoint at step 30");
    click("Resume");
    await settled();
    click("Retry");
    await settled();
    expect(transport.commands.map(([, name, args]) => [name, args])).toEqual([
      ["retry", { resume: true }],
      ["retry", { resume: false }],
    ]);
  });

  it("deletes after it has asked, and says so", async () => {
    const job = sample("process_pipeline");
    show(job);
    const last = menu().at(-1);
    expect(last?.textContent).toBe("Delete …");
    act(() => last?.click());
    expect(transport.commands).toEqual([]);
    click("Yes, delete");
    await settled();
    expect(transport.commands).toEqual([[job.job_id, "delete", undefined]]);
    expect(text(".chutes-notice")).toContain("Deleted from the store");
    expect(button("Retry")).toBeUndefined();
  });

  it("offers nothing for a job that was deleted from another place", async () => {
    show(sample("process_pipeline"));
    transport.answer = () => Promise.reject(new Gone("no job has this id"));
    click("Retry");
    await settled();
    expect(text(".chutes-notice")).toContain("Deleted from the store");
    expect(root.querySelector("[role=alert]")).toBeNull();
    expect(button("Retry")).toBeUndefined();
  });

  it("offers to copy, and what its place adds", () => {
    show(sample("process_pipeline"));
    const labels = menu().map((item) => item.textContent);
    expect(labels).toEqual(["Copy id", "Copy as Python", "Copy as curl", "Delete …"]);
  });

  it("marks an unusual silence", () => {
    const quiet_since = Date.now() / 1000 - 125;
    show({ ...lately(sample("train_model")), quiet_since });
    expect(text('[data-state="quiet"]')).toBe("quiet for 2 min");
  });

  it("marks the failing line in the code as it was submitted", () => {
    const job = sample("process_pipeline");
    const source = (job.error?.source ?? []).map(([, line]) => line).join("\n");
    const source_first_line = job.error?.source[0]?.[0] ?? 1;
    show(job, { source, source_first_line });
    act(() =>
      [...root.querySelectorAll<HTMLElement>("[role=tab]")]
        .find((tab) => tab.textContent === "Inputs")
        ?.click(),
    );
    expect(text("[data-marked]")).toContain('float(row["price"])');
  });

  it("tells the stages with how long each took", () => {
    const job = lately(sample("train_model"));
    const at = job.submitted_at;
    const attempt = {
      number: 2,
      started_at: at,
      finished_at: null,
      status: "running" as const,
      error: null,
      reason: null,
    };
    show(job, {
      attempts: [attempt],
      stages: [
        { attempt: 2, name: "load", at },
        { attempt: 2, name: "fit", at: at + 4 },
      ],
    });
    act(() =>
      [...root.querySelectorAll<HTMLElement>("[role=tab]")]
        .find((tab) => tab.textContent?.startsWith("Attempts"))
        ?.click(),
    );
    const stages = [...root.querySelectorAll("[aria-label=Stages] li")];
    expect(stages.map((li) => li.firstChild?.textContent)).toEqual(["load", "fit"]);
    expect(stages[0]?.textContent).toContain("4.0 s");
  });
});

describe("the card of a job that waits", () => {
  it("says its place in the queue", () => {
    show(sample("generate_report"));
    expect(text(".chutes-facts")).toContain("3rd in line");
  });

  it("says when it tries again, and after what", () => {
    const next_attempt_at = Date.now() / 1000 + 3.5;
    show(sample("fetch_prices", { next_attempt_at }));
    expect(text(".chutes-facts")).toContain("again in 4 s · attempt 2 of 4");
    expect(text(".chutes-facts")).toContain("after TimeoutError");
  });
});

describe("the card of a job that ended", () => {
  it("names the cause before the line, and the line before the trace", () => {
    show(sample("process_pipeline"));
    expect(text(".chutes-cause")).toContain("ValueError: could not convert");
    expect(text(".chutes-cause")).toContain("in clean_data, line 14 of cell [7]");
    expect(text("[data-marked]")).toContain('float(row["price"])');
    expect(root.querySelector<HTMLDetailsElement>("details")?.open).toBe(false);
    expect(tabs()[0]).toBe("Error");
  });

  it.each([
    ["resize_all", "timeout", "timed out after 300 s"],
    ["download", "cancelled", "cancelled in the notebook"],
    ["render", "interrupted", "killed by signal 9"],
  ])("says in words how %s ended", (name, state, words) => {
    show(sample(name));
    expect(root.querySelector("section")?.dataset.state).toBe(state);
    expect(text(".chutes-cause")).toContain(words);
  });

  it("puts why it was stopped before what that raised", () => {
    const error = { ...sample("process_pipeline").error, type: "JobStopped" };
    show(sample("download", { error: error as StatusInfo["error"] }));
    expect(text(".chutes-cause")).toMatch(/^cancelled in the notebook/);
    expect(text(".chutes-cause")).not.toContain("JobStopped");
    expect(text("[aria-selected=true]")).toBe("Log");
  });

  it("says once why a worker was lost, beside what the job wrote last", () => {
    const reason = "the body ended its worker with exit code 3 and no result";
    const place = { function: null, line: null, cell: null, source: [] };
    const error = { type: "WorkerLost", message: reason, traceback: "", ...place };
    const job = sample("process_pipeline", { error, reason });
    const attempt = { number: 3, started_at: 1, finished_at: 2, status: job.status };
    show(job, { attempts: [{ ...attempt, error, reason }] });
    expect(text(".chutes-cause")).toBe(`WorkerLost: ${reason}`);
    expect(tabs()).not.toContain("Error");
    expect(text("[aria-selected=true]")).toBe("Log");
    click("Attempts");
    expect(text(".chutes-attempts")).toContain(`WorkerLost: ${reason}`);
    expect(root.querySelector("details")).toBeNull();
  });

  it("shows text that was returned as it is, and of other values their repr", () => {
    const view = { "application/json": "one\n<b>", "text/plain": "'one\\n<b>'" };
    show(sample("analyze_text"), { result: { type: "str", exact: true, view } });
    expect(text(".chutes-result")).toBe("one\n<b>");
    act(() => render(null, root));
    show(sample("analyze_text"), { result: { type: "Words", exact: false, view } });
    expect(text(".chutes-result .chutes-text")).toBe("'one\\n<b>'");
  });

  it("says that a value is there whole where the page has a preview", () => {
    const view = { "text/plain": "x" };
    show(sample("analyze_text"), {
      result: { type: "pandas.DataFrame", exact: false, view },
    });
    expect(text(".chutes-result")).toContain(
      "Preview of a pandas.DataFrame; job.result() has it all.",
    );
  });

  it("shows what was displayed first where nothing was returned", async () => {
    const view = { "application/json": null, "text/plain": "None" };
    const facts = { size: 9, type: "image/png", sha256: "0" };
    const files = ["model.bin", "display-10.png", "display-2.png"].map((name, n) => ({
      ...{ n: n + 1, name },
      ...facts,
    }));
    const result = { type: "NoneType", exact: true, view };
    show(sample("analyze_text"), { result, files });
    await settled();
    expect(text("[aria-selected=true]")).toBe("Output 2");
    const shown = [...root.querySelectorAll(".chutes-display")];
    expect(shown.map((one) => one.getAttribute("aria-label"))).toEqual([
      "display-2.png",
      "display-10.png",
    ]);
  });

  it("stays with the log where nothing was returned", () => {
    const view = { "application/json": null, "text/plain": "None" };
    show(sample("analyze_text"), { result: { type: "NoneType", exact: true, view } });
    expect(tabs()).toContain("Result");
    expect(text("[aria-selected=true]")).toBe("Log");
  });

  it("shows a result first, and marks one that reports a failure", () => {
    show(sample("analyze_text"), {
      result: {
        type: "dict",
        exact: true,
        view: { "application/json": { success: false } },
      },
    });
    expect(text('[data-state="reported"]')).toBe("reported failure");
    expect(tabs()[0]).toBe("Result");
    expect(text(".chutes-json")).toContain("success: false");
  });

  it("shows the new job in its place after a retry", async () => {
    const old = sample("process_pipeline");
    const fresh = sample("train_model", { job_id: "fresh-id", retry_of: old.job_id });
    transport.answer = () => Promise.resolve("fresh-id");
    show(old);
    click("Retry");
    await settled();
    expect(transport.attached).toEqual([["fresh-id", null, null]]);
    act(() =>
      transport.deliver({
        type: "detail",
        now: Date.now() / 1000,
        job_id: "fresh-id",
        detail: detailOf(fresh),
      }),
    );
    expect(root.querySelector("section")?.dataset.job).toBe("fresh-id");
    click(`retry of ${old.job_id.slice(-6)}`);
    expect(root.querySelector("section")?.dataset.job).toBe(old.job_id);
  });

  it("moves between its tabs with the arrow keys", () => {
    show(sample("process_pipeline"), { source: "x = 1\n" });
    const first = root.querySelector<HTMLElement>("[role=tab]");
    const press = (key: string) =>
      act(() => {
        const event = new KeyboardEvent("keydown", { key, bubbles: true });
        root.querySelector("[role=tablist]")?.dispatchEvent(event);
      });
    expect(first?.tabIndex).toBe(0);
    press("ArrowRight");
    expect(text("[aria-selected=true]")).toBe("Log");
    press("End");
    expect(text("[aria-selected=true]")).toBe("Inputs");
  });
});
