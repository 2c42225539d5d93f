import { describe, expect, it } from "vitest";
import { NotFound } from "../src/lab/http";
import { RunDoor } from "../src/lab/run-door";

/** A server with one job of one chute. */
function serverWith(answers: { [path: string]: unknown }) {
  const posted: [string, object][] = [];
  const http = {
    get: async <T>(path: string) => {
      if (!(path in answers)) throw new NotFound("no such job");
      return { value: answers[path] as T, now: 0 };
    },
    post: async <T>(path: string, body: object) => {
      posted.push([path, body]);
      return { value: { job_id: "by-server" } as T, now: 0 };
    },
    line: () => ({ limit: async () => 1000 }),
  };
  const attached: string[] = [];
  const transport = { attach: (jobId: string) => attached.push(jobId) };
  const door = new RunDoor(http as never, transport as never);
  return { door, posted, attached };
}

const SCHEMA = {
  title: "train",
  properties: { n: { type: "integer" } },
  "x-chutes": { chute: "my chute", upload: true, timeout_s: 60, retry: 2 },
};

describe("a form's door to the server", () => {
  it("finds what the form shows, with the limit of a file", async () => {
    const { door } = serverWith({ "my%20chute/schema/train": SCHEMA });
    const found = await door.find({ chute: "my chute", name: "train" });
    expect(found).toEqual({
      chute: "my chute",
      name: "train",
      schema: { title: "train", properties: { n: { type: "integer" } } },
      upload: true,
      timeout_s: 60,
      retry: 2,
      limit: 1000,
    });
  });

  it("says so where the server knows no such job", async () => {
    const { door } = serverWith({});
    await expect(door.find({ chute: null, name: "train" })).rejects.toBeInstanceOf(
      NotFound,
    );
  });

  it("queues by the server where no kernel takes it, and follows the job", async () => {
    const { door, posted, attached } = serverWith({ "schema/train": SCHEMA });
    await door.find({ chute: null, name: "train" });
    expect(await door.submit({ n: 1 })).toBe("by-server");
    expect(posted).toEqual([["my%20chute/jobs/train", { n: 1 }]]);
    expect(attached).toEqual(["by-server"]);
  });

  it("leaves it to a kernel that takes it", async () => {
    const { door, posted } = serverWith({ "schema/train": SCHEMA });
    await door.find({ chute: null, name: "train" });
    door.through({ submit: async () => "by-kernel" } as never);
    expect(await door.submit({ n: 1 })).toBe("by-kernel");
    expect(posted).toEqual([]);
    door.through({ submit: async () => null } as never);
    expect(await door.submit({ n: 1 })).toBe("by-server");
  });
});
