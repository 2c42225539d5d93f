import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import goldenRows from "../../tests/golden/group_rows.json";
import { FollowedGroup, type GroupAnswer } from "../src/core/group";
import { textsOf } from "../src/core/group-words";
import type { Link } from "../src/core/transport";
import type { Changes, GroupDocument, Move, StatusInfo } from "../src/core/types";
import { RestGroup } from "../src/lab/group";
import { NoRoutes } from "../src/lab/http";
import { LiveGroup } from "../src/ui/LiveGroup";
import { CHANGES, sample } from "./samples";

const AT = 1_700_000_000;

function job(id: string, over: Partial<StatusInfo> = {}): StatusInfo {
  const none = { error: null, reason: null, tags: [], progress: null };
  return {
    ...sample("train_model"),
    ...none,
    job_id: id,
    name: "fit",
    status: "running",
    started_at: AT - 9,
    finished_at: null,
    rev: 1,
    ...over,
  };
}

const done = (id: string, rev = 9) =>
  job(id, { status: "completed", finished_at: AT, rev });

function documentOf(jobs: StatusInfo[], over: Partial<GroupDocument> = {}) {
  const counts: GroupDocument["counts"] = {};
  for (const { status } of jobs) counts[status] = (counts[status] ?? 0) + 1;
  const ids = jobs.map((one) => one.job_id);
  const inputs = Object.fromEntries(ids.map((id) => [id, `k=${id}`]));
  const document: GroupDocument = {
    version: 1,
    ids,
    total: ids.length,
    of: null,
    counts,
    inputs,
    jobs,
    at: AT,
  };
  return { ...document, ...over };
}

/** A server that a test drives by hand. */
class HandServer {
  asked: string[][] = [];
  answer: () => Promise<GroupDocument | null> = async () => null;
  take: (changes: Changes, now: number) => void = () => {};
  onLink: (link: Link) => void = () => {};

  async group(ids: string[]): Promise<GroupAnswer | null> {
    this.asked.push(ids);
    const document = await this.answer();
    return document && { document, bundle: {}, now: AT };
  }

  watch(take: HandServer["take"], onLink: HandServer["onLink"]) {
    [this.take, this.onLink] = [take, onLink];
    onLink("open");
    return () => {};
  }

  tell(jobs: StatusInfo[], moved: string[] = []) {
    const moves = moved.map((job_id) => ({ job_id }) as Move);
    this.take({ rev: 99, jobs, moves, more: false }, AT);
  }
}

let root: HTMLElement;
let server: HandServer;
let opened: string[];

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  server = new HandServer();
  opened = [];
});
afterEach(() => {
  render(null, root);
  root.remove();
});

const settled = () =>
  act(async () => {
    for (let i = 0; i < 2; i++) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  });

async function show(saved: GroupDocument) {
  const group = new FollowedGroup(server, saved);
  await act(async () => {
    render(<LiveGroup group={group} onOpen={(one) => opened.push(one.job_id)} />, root);
  });
  return group;
}

const rows = () => [...root.querySelectorAll<HTMLElement>("tbody tr")];
const head = () => root.querySelector(".chutes-several-head")?.textContent ?? "";
const states = () => rows().map((row) => row.dataset.state);
const key = (row: HTMLElement | undefined, name: string) =>
  act(async () => {
    row?.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  });

describe("the table of several jobs", () => {
  it("shows at once what was saved, and when that was", async () => {
    await show(documentOf([job("a"), done("b")]));
    expect(states()).toEqual(["running", "completed"]);
    expect(head()).toContain("2 jobs");
    expect(head()).toContain("1 running, 1 completed");
    expect(head()).toMatch(/ · as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    const columns = [...root.querySelectorAll("th")].map((one) => one.textContent);
    expect(columns).toEqual(["state", "job", "inputs", "attempt", "time", "id"]);
    expect(rows()[0]?.textContent).toContain("k=a");
    expect(rows()[0]?.textContent).toContain("9 s");
  });

  it("leads nowhere where no server knows the jobs", async () => {
    const group = await show(documentOf([job("a")]));
    group.start();
    await settled();
    rows()[0]?.click();
    expect(opened).toEqual([]);
    expect(root.querySelector("[role=grid]")).toBeNull();
    expect(rows()[0]?.hasAttribute("tabindex")).toBe(false);
    expect(head()).toContain("as of");
  });

  it("takes over what the server knows, then what it tells", async () => {
    server.answer = async () => documentOf([job("a", { rev: 3 }), done("b")]);
    const group = await show(documentOf([job("a"), job("b")]));
    group.start();
    await settled();
    expect(states()).toEqual(["running", "completed"]);
    expect(head()).not.toContain("as of");
    server.tell([done("a"), done("other")]);
    await settled();
    expect(head()).toContain("2 completed");
    expect(group.isMoving).toBe(false);
    expect(server.asked).toHaveLength(1);
  });

  it("keeps its rows and the server's news when the kernel brings older ones", async () => {
    server.answer = async () => documentOf([done("a"), job("b")]);
    const group = await show(documentOf([job("a"), job("b")]));
    group.start();
    await settled();
    const before = rows();
    before[1]?.focus();
    group.seed(documentOf([job("a", { rev: 2 }), job("b", { rev: 2 })]));
    await settled();
    expect(states()).toEqual(["completed", "running"]);
    expect(rows()).toEqual(before);
    expect(document.activeElement).toBe(before[1]);
  });

  it("opens a job by the mouse and by the keyboard", async () => {
    server.answer = async () => documentOf([job("a"), job("b")]);
    const group = await show(documentOf([job("a"), job("b")]));
    group.start();
    await settled();
    expect(root.querySelector("[role=grid]")?.getAttribute("aria-label")).toBe(
      "Table of 2 jobs",
    );
    rows()[0]?.click();
    expect(rows().map((row) => row.tabIndex)).toEqual([0, -1]);
    await key(rows()[0], "ArrowDown");
    expect(document.activeElement).toBe(rows()[1]);
    expect(rows().map((row) => row.tabIndex)).toEqual([-1, 0]);
    await key(rows()[1], "Enter");
    expect(opened).toEqual(["a", "b"]);
  });

  it("asks again how many there are where jobs without a row move", async () => {
    const ids = ["a", "hidden"];
    const part = { ids, total: 2, counts: { running: 2 } };
    server.answer = async () => documentOf([job("a")], part);
    const group = await show(documentOf([job("a")], part));
    group.start();
    await settled();
    expect(root.textContent).toContain("and 1 more");
    server.answer = async () =>
      documentOf([done("a")], { ...part, counts: { completed: 2 } });
    server.tell([], ["hidden"]);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await settled();
    expect(head()).toContain("2 completed");
  });

  it("says of how many it tells where not all can be followed", async () => {
    const part = { total: 5_000, counts: { running: 5_000 } };
    server.answer = async () => documentOf([job("a"), done("b")]);
    const group = await show(documentOf([job("a"), job("b")], part));
    expect(head()).toContain("5,000 running");
    group.start();
    await settled();
    expect(head()).toContain("5,000 jobs\u2002first 2: 1 running, 1 completed");
    expect(root.textContent).toContain("and 4,998 more");
  });

  it("says so while the server does not answer, and asks again after that", async () => {
    server.answer = async () => documentOf([job("a")]);
    const group = await show(documentOf([job("a")]));
    group.start();
    await settled();
    server.onLink("lost");
    await settled();
    expect(root.querySelector("[role=status]")?.textContent).toContain(
      "does not answer",
    );
    server.answer = async () => documentOf([done("a")]);
    server.onLink("open");
    await settled();
    expect(states()).toEqual(["completed"]);
    expect(root.querySelector<HTMLElement>("[role=status]")?.hidden).toBe(true);
  });

  it("leaves out a job that was deleted", async () => {
    server.answer = async () => documentOf([job("a"), done("b")]);
    const group = await show(documentOf([job("a"), done("b")]));
    group.start();
    await settled();
    group.drop("b");
    group.seed(documentOf([job("a"), done("b")])); // the kernel, a moment late
    await settled();
    expect(rows()).toHaveLength(1);
    expect(head()).toContain("1 job");
  });
});

describe("the words of a row", () => {
  it("are those of the HTML that Python writes", () => {
    const said = CHANGES.jobs
      .filter((one) => !["running", "retrying"].includes(one.status))
      .map((one) => [one.job_id, Object.values(textsOf(one, "k=1", AT))]);
    expect(Object.fromEntries(said)).toEqual(goldenRows);
  });
});

describe("several jobs by HTTP", () => {
  it("knows no jobs where the server has no routes", async () => {
    const feed = { subscribe: () => () => {} };
    const refuse = () => Promise.reject(new NoRoutes("no routes"));
    const absent = new RestGroup({ post: refuse }, feed);
    expect(await absent.group(["a"], null)).toBeNull();
  });
});
