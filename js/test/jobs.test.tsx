import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JobsList } from "../src/core/list";
import type { Link, ListTransport, Page } from "../src/core/transport";
import type { StatusInfo } from "../src/core/types";
import { LiveList } from "../src/ui/LiveList";
import { CHANGES, sample } from "./samples";

let root: HTMLElement;
let opened: string[];

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  opened = [];
});
afterEach(() => {
  render(null, root);
  root.remove();
});

async function show(jobs: StatusInfo[], link: Link = "open") {
  const transport: ListTransport = {
    page: async (): Promise<Page> => ({ jobs, next: null, counts: { running: 2 } }),
    command: async () => true,
    watch: (_, onLink) => {
      onLink(link);
      return () => {};
    },
  };
  const list = new JobsList(transport);
  list.start();
  await act(async () => {
    render(<LiveList list={list} onOpen={(job) => opened.push(job.job_id)} />, root);
  });
  await act(async () => {
    await new Promise((resolve) => requestAnimationFrame(resolve));
  });
}

const rows = () => [...root.querySelectorAll<HTMLElement>(".chutes-row")];
const cells = (row: number) =>
  [...(rows()[row]?.querySelectorAll("[role=gridcell]") ?? [])].map(
    (c) => c.textContent,
  );

describe("the list of jobs", () => {
  it("says of each job what it does, how far it is and where it came from", async () => {
    const now = Date.now() / 1000;
    const told = (job: StatusInfo) => job.progress && { ...job.progress, at: now };
    await show(CHANGES.jobs.map((job) => ({ ...job, progress: told(job) })));
    const at = CHANGES.jobs.findIndex((job) => job.name === "train_model");
    const [, state, name, how, , left, from] = cells(at);
    expect([state, name]).toEqual(["running", "train_modelattempt 2 of 3gpu"]);
    expect([how, left, from]).toEqual(["62 %", "1:20", "train.ipynb [12]"]);
    expect(rows()).toHaveLength(CHANGES.jobs.length);
  });

  it("says of which jobs its counts are where a filter leaves some out", async () => {
    await show([sample("analyze_text")]);
    const counts = () =>
      root.querySelector(".chutes-counts")?.textContent?.replaceAll("\u00a0", " ");
    expect(counts()).toBe("2 running");
    const state = root.querySelector<HTMLSelectElement>("select[aria-label=State]");
    await act(async () => {
      if (state) state.value = "failed";
      state?.dispatchEvent(new Event("change", { bubbles: true }));
      await new Promise((resolve) => setTimeout(resolve, 40)); // asked, and a frame
    });
    expect(counts()).toBe("Of all jobs: 2 running");
  });

  it("says it in words when there are no jobs", async () => {
    await show([]);
    expect(root.textContent).toContain("No jobs yet.");
    expect(root.textContent).toContain("%%chute_job");
  });

  it("says it in words when the server knows nothing of jobs", async () => {
    await show([], "absent");
    expect(root.querySelector("[role=status]")?.textContent).toContain(
      "chutes_nb is not",
    );
  });

  it("tells who hears the page what was picked, and that it was deleted", async () => {
    await show([sample("analyze_text")]);
    const said = () => [...root.querySelectorAll("[role=status]")].at(-1)?.textContent;
    const press = (button: Element | null | undefined) =>
      act(async () => {
        (button as HTMLElement | undefined)?.click();
        await new Promise((resolve) => requestAnimationFrame(resolve));
      });
    const named = (text: string) =>
      [...root.querySelectorAll("button")].find((one) =>
        one.textContent?.startsWith(text),
      );
    expect(said()).toBe("");
    await press(rows()[0]?.querySelector("input[type=checkbox]"));
    expect(said()).toBe("1 job picked");
    await press(named("Delete"));
    await press(named("Yes, delete"));
    expect(rows()).toHaveLength(0);
    expect(said()).toBe("1 of 1 deleted");
  });

  it("opens a job by click and by key", async () => {
    await show(CHANGES.jobs);
    rows()[1]?.click();
    const key = new KeyboardEvent("keydown", { key: "Enter", bubbles: true });
    rows()[0]?.dispatchEvent(key);
    expect(opened).toEqual([CHANGES.jobs[1]?.job_id, CHANGES.jobs[0]?.job_id]);
  });

  it("shows a hostile name as text", async () => {
    await show([sample("train_model", { name: "<img src=x onerror=alert(1)>" })]);
    expect(root.querySelector("img")).toBeNull();
    expect(cells(0)[2]).toContain("<img src=x");
  });

  it("draws only the rows in sight", async () => {
    const many = Array.from({ length: 5_000 }, (_, i) =>
      sample("train_model", { job_id: `job${i}` }),
    );
    await show(many);
    expect(rows().length).toBeLessThan(60);
    const space = root.querySelector<HTMLElement>(".chutes-row-space");
    expect(space?.style.height).toBe(`${5_000 * 32}px`);
  });
});
