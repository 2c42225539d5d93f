import { describe, expect, it } from "vitest";
import { Refused } from "../src/core/form";
import { KernelLine } from "../src/lab/kernel-line";

/** A kernel's side of a comm, driven by hand. */
class OneComm {
  isDisposed = false;
  sent: unknown[] = [];
  closed = 0;
  onMsg: (message: unknown) => void = () => {};
  onClose: () => void = () => {};
  /** What the kernel does when the line is opened, and when it is asked. */
  opened: () => void = () => this.say({ type: "form" });
  asked: () => void = () => {};

  open(data: unknown): void {
    this.sent.push(data);
    this.opened();
  }
  send(data: unknown): void {
    this.sent.push(data);
    this.asked();
  }
  close(): void {
    this.closed++;
  }
  dispose(): void {
    this.isDisposed = true;
  }
  say(data: object): void {
    this.onMsg({ content: { data } });
  }
}

function lineTo(comm: OneComm, status = "idle", connectionStatus = "connected") {
  const listeners = new Set<(sender: unknown, status: string) => void>();
  const kernel = {
    status,
    connectionStatus,
    handleComms: true,
    createComm: () => comm,
    statusChanged: {
      connect: (one: (sender: unknown, status: string) => void) => listeners.add(one),
      disconnect: (one: (sender: unknown, status: string) => void) =>
        listeners.delete(one),
    },
  };
  const become = (next: string) => {
    kernel.status = next;
    for (const one of [...listeners]) one(kernel, next);
  };
  const about = { chute: "c", name: "train", form: "f" };
  const session = { session: { kernel } } as never;
  const patience = { idle: 20, busy: 10 };
  return { line: new KernelLine(session, about, patience), become, listeners };
}

describe("a line to the kernel", () => {
  it("names the form, submits once it is taken, and is closed", async () => {
    const comm = new OneComm();
    comm.asked = () => comm.say({ type: "answer", ok: true, value: "job-1" });
    const { line, listeners } = lineTo(comm);
    expect(await line.submit({ n: 1 })).toBe("job-1");
    expect(comm.sent).toEqual([
      { chute: "c", name: "train", form: "f" },
      { type: "submit", id: "1", payload: { n: 1 } },
    ]);
    expect([comm.closed, listeners.size]).toEqual([1, 0]);
  });

  it("brings the faults that the kernel finds", async () => {
    const comm = new OneComm();
    const details = [{ loc: ["n"], msg: "", type: "missing" }];
    comm.asked = () => comm.say({ type: "answer", ok: false, message: "no", details });
    const refused = await lineTo(comm)
      .line.submit({})
      .catch((error) => error);
    expect(refused).toBeInstanceOf(Refused);
    expect(refused.faults).toEqual(details);
  });

  it.each([
    ["is starting", "starting", "connected"],
    ["is dead", "dead", "connected"],
    ["is out of reach", "idle", "connecting"],
  ])("is not opened to a kernel that %s", async (_, status, connection) => {
    const comm = new OneComm();
    expect(await lineTo(comm, status, connection).line.submit({})).toBeNull();
    expect(comm.sent).toEqual([]);
  });

  it("asks nobody where the kernel does not know the job", async () => {
    const comm = new OneComm();
    comm.opened = () => comm.onClose();
    expect(await lineTo(comm).line.submit({})).toBeNull();
    expect(comm.sent).toHaveLength(1);
  });

  it("is given up where the kernel does not take it in time", async () => {
    const comm = new OneComm();
    comm.opened = () => {};
    expect(await lineTo(comm, "busy").line.submit({})).toBeNull();
    expect([comm.sent.length, comm.closed]).toEqual([1, 1]);
  });

  it("tells where the kernel ended before it answered: the job may be queued", async () => {
    const comm = new OneComm();
    const { line, become } = lineTo(comm);
    comm.asked = () => become("restarting");
    await expect(line.submit({})).rejects.toThrow("Look at the list of jobs");
    expect(comm.isDisposed).toBe(true);
  });
});
