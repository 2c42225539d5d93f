import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Gone, type Link, type Message } from "../src/core/transport";
import type { Changes, LogBatch, StatusInfo } from "../src/core/types";
import { NoAnswer, NotFound } from "../src/lab/http";
import { commanded, RestTransport } from "../src/lab/rest";
import { batch, detailOf, sample } from "./samples";

const JOB = sample("train_model", { attempt: 1, log_end: 0 });

/** A server with one job, whose log is cut at `limit` like the real one. */
class OneJob {
  status: StatusInfo = JOB;
  logs: { [attempt: number]: { text: string; end: boolean } } = {};
  posted: [string, object][] = [];
  /** Logs wait for this, as those of a busy server do. */
  answers: Promise<void> = Promise.resolve();
  isGone = false;
  asked: string[] = [];
  tell: (changes: Changes, now: number) => void = () => {};

  get = async <T>(path: string): Promise<{ value: T; now: number }> => {
    this.asked.push(path);
    if (path.includes("/logs?")) await this.answers;
    if (this.isGone) throw new NoAnswer();
    if (!path.startsWith(`jobs/${JOB.job_id}`)) throw new NotFound("no such job");
    const [, query] = path.split("/logs?");
    const value = query === undefined ? detailOf(this.status) : this.piece(query);
    return { value: value as T, now: 5 };
  };
  post = async <T>(path: string, body: object): Promise<{ value: T; now: number }> => {
    this.posted.push([path, body]);
    return { value: { job_id: "another" } as T, now: 5 };
  };
  piece(query: string): LogBatch {
    const asked = new URLSearchParams(query);
    const attempt = Number(asked.get("attempt"));
    const offset = Number(asked.get("offset"));
    const log = this.logs[attempt] ?? { text: "", end: false };
    const text = log.text.slice(offset, offset + Number(asked.get("limit")));
    const end = log.end && offset + text.length === log.text.length;
    return batch(text, { attempt, offset, end });
  }
  delete = async (): Promise<never> => {
    throw new Error("not asked for");
  };
  blob = async () => new Blob([]);
  url = (path: string) => `/chutes/${path}`;
  link: (link: Link) => void = () => {};
  subscribe = (
    take: (changes: Changes, now: number) => void,
    onLink: (link: Link) => void = () => {},
  ) => {
    this.tell = take;
    this.link = onLink;
    return () => {};
  };
  move(over: Partial<StatusInfo>): void {
    this.status = { ...this.status, ...over, rev: this.status.rev + 1 };
    const { rev } = this.status;
    this.tell({ rev, jobs: [this.status], moves: [], more: false }, 5);
  }
}

function following() {
  const server = new OneJob();
  const transport = new RestTransport(server, server);
  const messages: Message[] = [];
  const stop = transport.subscribe((message) => messages.push(message));
  const text = (attempt: number) =>
    messages
      .map((one) =>
        one.type === "log" && one.log.attempt === attempt ? one.log.text : "",
      )
      .join("");
  return { server, transport, messages, stop, text };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("RestTransport", () => {
  it("reads a log on from where it stands, until the attempt's end", async () => {
    const { server, transport, text } = following();
    server.logs[1] = { text: "one\n", end: false };
    transport.begin(await transport.find(JOB.job_id));
    await vi.advanceTimersByTimeAsync(100);
    server.logs[1] = { text: "one\ntwo\n", end: true };
    await vi.advanceTimersByTimeAsync(1_000);
    expect(text(1)).toBe("one\ntwo\n");
    const asked = server.asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.asked.length).toBe(asked);
  });

  it("goes on with the next attempt after the last words of one", async () => {
    const { server, transport, text } = following();
    server.logs[1] = { text: "first\n", end: false };
    transport.begin(await transport.find(JOB.job_id));
    await vi.advanceTimersByTimeAsync(100);
    server.logs[2] = { text: "second\n", end: false };
    server.move({ attempt: 2 });
    await vi.advanceTimersByTimeAsync(500);
    expect(text(2)).toBe("");
    server.logs[1] = { text: "first\nlast\n", end: true };
    await vi.advanceTimersByTimeAsync(2_000);
    expect([text(1), text(2)]).toEqual(["first\nlast\n", "second\n"]);
  });

  it("reads a log once at a time, whatever is told meanwhile", async () => {
    const { server, transport, text } = following();
    server.logs[1] = { text: "one\n", end: false };
    transport.begin(await transport.find(JOB.job_id));
    await vi.advanceTimersByTimeAsync(100);
    server.asked.length = 0;
    let answer = () => {};
    server.answers = new Promise((resolve) => {
      answer = resolve;
    });
    for (let i = 0; i < 20; i++) {
      server.move({ stage: `stage ${i}` });
      await vi.advanceTimersByTimeAsync(300);
    }
    const logs = () => server.asked.filter((path) => path.includes("/logs"));
    expect(logs()).toHaveLength(1);
    server.logs[1] = { text: "one\ntwo\n", end: false };
    answer();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(text(1)).toBe("one\ntwo\n");
    server.asked.length = 0;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(logs().length).toBeLessThanOrEqual(120);
  });

  it("lets a server that is gone rest, and goes on where it is back", async () => {
    const { server, transport, text } = following();
    server.logs[1] = { text: "one\n", end: false };
    transport.begin(await transport.find(JOB.job_id));
    await vi.advanceTimersByTimeAsync(100);
    server.isGone = true;
    await vi.advanceTimersByTimeAsync(1_000);
    server.asked.length = 0;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(server.asked.length).toBeLessThanOrEqual(10);
    server.isGone = false;
    server.logs[1] = { text: "one\ntwo\n", end: false };
    server.link("open");
    await vi.advanceTimersByTimeAsync(300);
    expect(text(1)).toBe("one\ntwo\n");
  });

  it("leaps over what is too much, and tells how much that was", async () => {
    const { server, transport, messages } = following();
    server.logs[1] = { text: "x".repeat(10), end: false };
    transport.begin(await transport.find(JOB.job_id));
    await vi.advanceTimersByTimeAsync(100);
    const size = 4 << 20;
    server.logs[1] = { text: "x".repeat(size), end: false };
    server.move({ log_end: size });
    await vi.advanceTimersByTimeAsync(1_000);
    const logs = messages.flatMap((one) => (one.type === "log" ? [one.log] : []));
    const leap = logs.find((one) => one.skipped > 0);
    expect(leap).toMatchObject({ offset: size - (1 << 20), next_offset: size });
    expect(leap?.skipped).toBe(size - (1 << 20) - 10);
  });

  it("asks for a detail once for many changes", async () => {
    const { server, transport } = following();
    transport.begin(await transport.find(JOB.job_id));
    server.asked.length = 0;
    for (let i = 0; i < 50; i++) server.move({ stage: `stage ${i}` });
    await vi.advanceTimersByTimeAsync(260);
    expect(server.asked.filter((path) => !path.includes("/logs"))).toHaveLength(1);
  });

  it("answers a retry with the new job's id", async () => {
    const { server, transport } = following();
    expect(await transport.command(JOB.job_id, "retry")).toBe("another");
    expect(await transport.command(JOB.job_id, "extend", { seconds: 9 })).toBe(true);
    expect(server.posted.map(([path]) => path)).toEqual([
      `jobs/${JOB.job_id}/retry`,
      `jobs/${JOB.job_id}/extend`,
    ]);
  });

  it("tells that a job is not there", async () => {
    const { transport } = following();
    await expect(transport.find("other")).rejects.toBeInstanceOf(NotFound);
  });

  it("asks nothing after its end", async () => {
    const { server, transport, stop } = following();
    transport.begin(await transport.find(JOB.job_id));
    await vi.advanceTimersByTimeAsync(100);
    stop();
    const asked = server.asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.asked.length).toBe(asked);
  });

  it("says where a job was cancelled", async () => {
    const { server, transport } = following();
    await transport.command(JOB.job_id, "cancel");
    await commanded(server, JOB.job_id, "cancel", {}, "list");
    const path = `jobs/${JOB.job_id}/cancel`;
    expect(server.posted.map(([one]) => one)).toEqual([
      `${path}?by=card`,
      `${path}?by=list`,
    ]);
  });

  it("tells a job that was deleted elsewhere from what a job has not", async () => {
    const { server, transport } = following();
    server.delete = async () => {
      throw new NotFound("no such thing");
    };
    const known = transport.command(JOB.job_id, "delete");
    await expect(known).rejects.not.toBeInstanceOf(Gone);
    await expect(transport.command("other", "delete")).rejects.toBeInstanceOf(Gone);
  });
});
