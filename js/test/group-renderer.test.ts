import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FollowedGroup, type GroupAnswer } from "../src/core/group";
import type { Link } from "../src/core/transport";
import {
  type Changes,
  GROUP_MIME,
  type GroupDocument,
  type Json,
} from "../src/core/types";
import type { Doors } from "../src/lab/doors";
import { GroupRenderer } from "../src/lab/group-renderer";
import { sample } from "./samples";

const running = { ...sample("train_model"), job_id: "a", rev: 1 };
const done = { ...running, status: "completed" as const, finished_at: 9, rev: 9 };

function documentOf(job: typeof running | typeof done, total = 1): GroupDocument {
  const counts = { [job.status]: total };
  const rest = { of: null, inputs: {}, at: null };
  return { version: 1, ids: ["a"], total, counts, jobs: [job], ...rest };
}

/** An output of a notebook; counts how often it was written. */
class Model {
  written = 0;
  constructor(public data: { [mime: string]: Json }) {}
  setData({ data }: { data: { [mime: string]: Json } }) {
    this.written++;
    this.data = data;
  }
  get kept(): GroupDocument {
    return this.data[GROUP_MIME] as unknown as GroupDocument;
  }
}

let tell: (changes: Changes, now: number) => void;
let known: GroupDocument | null;
let renderer: GroupRenderer;

beforeEach(() => {
  vi.useFakeTimers();
  known = documentOf(running);
  const transport = {
    group: async (): Promise<GroupAnswer | null> =>
      known && {
        document: known,
        bundle: { [GROUP_MIME]: known as unknown as Json, "text/html": "over" },
        now: 9,
      },
    watch: (take: typeof tell, onLink: (link: Link) => void) => {
      tell = take;
      onLink("open");
      return () => {};
    },
  };
  const doors = {
    newGroup: (saved: GroupDocument) => new FollowedGroup(transport, saved),
    endList: () => {},
    open: () => {},
  };
  renderer = new GroupRenderer(doors as unknown as Doors);
});
afterEach(() => {
  renderer.dispose();
  vi.useRealTimers();
});

const shown = (model: Model) =>
  renderer.renderModel(model as unknown as IRenderMime.IMimeModel);
const modelOf = (document: GroupDocument) =>
  new Model({
    [GROUP_MIME]: document as unknown as Json,
    "text/html": "as it was",
    other: "kept",
  });

function ends() {
  known = documentOf(done);
  tell({ rev: 9, jobs: [done], moves: [], more: false }, 9);
}

describe("the output of several jobs", () => {
  it("is written once, when all have ended", async () => {
    const model = modelOf(documentOf(running));
    await shown(model);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(renderer.node.dataset.via).toBe("rest");
    expect(model.written).toBe(0);
    ends();
    await vi.advanceTimersByTimeAsync(10_000);
    await shown(model); // our own writing comes back
    ends();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(model.written).toBe(1);
    expect(model.kept.counts).toEqual({ completed: 1 });
    expect(model.data["text/html"]).toBe("over");
    expect(model.data.other).toBe("kept");
  });

  it("is left to a kernel that lives", async () => {
    await shown(modelOf(documentOf(running)));
    await vi.advanceTimersByTimeAsync(100);
    ends();
    await vi.advanceTimersByTimeAsync(500);
    const newer = modelOf(documentOf(done));
    await shown(newer);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(newer.written).toBe(0);
  });

  it("is not written where not all jobs are followed, or nobody knows them", async () => {
    const many = modelOf(documentOf(running, 5_000));
    await shown(many);
    await vi.advanceTimersByTimeAsync(100);
    ends();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(many.written).toBe(0);
    known = null;
    const unknown = modelOf(documentOf(running));
    await shown(unknown);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(unknown.written).toBe(0);
  });

  it("is the same table when its kernel brings news", async () => {
    await shown(modelOf(documentOf(running)));
    const table = renderer.node.querySelector("table");
    await shown(modelOf(documentOf({ ...running, rev: 2 })));
    expect(renderer.node.querySelector("table")).toBe(table);
    expect(table).not.toBeNull();
  });
});
