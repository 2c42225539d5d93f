import { describe, expect, it } from "vitest";
import { ALL, JobsList } from "../src/core/list";
import type { Cursor, Filter, Link, ListTransport, Page } from "../src/core/transport";
import type { Changes, StatusInfo } from "../src/core/types";
import { sample } from "./samples";

const MODEL = sample("train_model", { status: "completed", finished_at: 5, rev: 1 });

function job(n: number, over: Partial<StatusInfo> = {}): StatusInfo {
  return { ...MODEL, job_id: `job${n}`, name: `n${n % 3}`, submitted_at: n, ...over };
}

/** A store in the page: it pages and counts like the real one. */
class Shelf implements ListTransport {
  asked: [Filter, Cursor | null, number][] = [];
  fails: Error | null = null;
  take: (changes: Changes) => void = () => {};
  onLink: (link: Link) => void = () => {};
  constructor(public jobs: StatusInfo[]) {}

  async page(filter: Filter, before: Cursor | null, limit: number): Promise<Page> {
    this.asked.push([filter, before, limit]);
    if (this.fails) throw this.fails;
    const found = this.jobs
      .filter((one) => !filter.name || one.name === filter.name)
      .filter((one) => before === null || one.submitted_at < Number(before))
      .sort((a, b) => b.submitted_at - a.submitted_at);
    const page = found.slice(0, limit);
    const next = found.length > limit ? (page.at(-1)?.submitted_at ?? null) : null;
    return { jobs: page, next, counts: { completed: this.jobs.length } };
  }
  async command() {
    return true;
  }
  watch(take: (changes: Changes) => void, onLink: (link: Link) => void) {
    this.take = take;
    this.onLink = onLink;
    return () => {};
  }
}

async function listed(jobs: StatusInfo[]) {
  const shelf = new Shelf(jobs);
  const list = new JobsList(shelf);
  list.start();
  await settled();
  const ids = () => Array.from({ length: list.length }, (_, i) => list.row(i)?.job_id);
  const news = (...fresh: StatusInfo[]) =>
    shelf.take({ rev: 9, jobs: fresh, moves: [], more: false });
  return { shelf, list, ids, news };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe("JobsList", () => {
  it("loads the newest page, and older ones when they are wanted", async () => {
    const { list, shelf } = await listed(Array.from({ length: 800 }, (_, i) => job(i)));
    expect(list.length).toBe(100);
    expect(list.row(0)?.job_id).toBe("job799");
    await list.more();
    expect(list.length).toBe(600);
    await list.more();
    expect(list.length).toBe(800);
    expect(list.hasMore).toBe(false);
    await list.more();
    expect(shelf.asked).toHaveLength(3);
  });

  it("puts a new job at its place by time, and once", async () => {
    const { ids, news } = await listed([job(1), job(3)]);
    news(job(4), job(2));
    news(job(4, { rev: 2 }));
    expect(ids()).toEqual(["job4", "job3", "job2", "job1"]);
  });

  it("leaves a job that is older than its pages to its page", async () => {
    const { list, news } = await listed(
      Array.from({ length: 300 }, (_, i) => job(i + 10)),
    );
    news(job(2));
    expect(list.length).toBe(100);
  });

  it("takes no older state of a job", async () => {
    const { list, news } = await listed([job(1, { rev: 7 })]);
    news(job(1, { rev: 6, status: "running" }));
    expect(list.row(0)?.status).toBe("completed");
  });

  it("drops a job that does not fit its filter any more", async () => {
    const { list, news, ids } = await listed([job(1), job(2)]);
    list.filter = { ...ALL, status: "completed" };
    news(job(2, { status: "running", rev: 2 }));
    expect(ids()).toEqual(["job1"]);
  });

  it("drops an answer to a question that was changed meanwhile", async () => {
    const { list, ids } = await listed([job(0), job(1), job(2)]);
    list.setFilter({ name: "n1" });
    list.setFilter({ name: "n2" });
    await settled();
    expect(ids()).toEqual(["job2"]);
  });

  it("says what went wrong, and reads again when the link is back", async () => {
    const shelf = new Shelf([job(1)]);
    shelf.fails = new Error("no store");
    const list = new JobsList(shelf);
    list.start();
    await settled();
    expect([list.phase, list.problem]).toEqual(["failed", "no store"]);
    shelf.fails = null;
    shelf.onLink("open");
    await settled();
    expect([list.phase, list.length]).toEqual(["ready", 1]);
  });
});
