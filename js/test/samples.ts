/** Jobs for the tests and the harness page: the golden sample, and details to go with it. */
import golden from "../../tests/golden/changes.json";
import type { Message, Transport } from "../src/core/transport";
import type { Changes, Detail, Json, LogBatch, StatusInfo } from "../src/core/types";

export const CHANGES = golden as unknown as Changes;

export function sample(name: string, over: Partial<StatusInfo> = {}): StatusInfo {
  const found = CHANGES.jobs.find((job) => job.name === name);
  if (!found) throw new Error(`no job ${name} in the golden sample`);
  return { ...found, ...over };
}

export function batch(text: string, over: Partial<LogBatch> = {}): LogBatch {
  const offset = over.offset ?? 0;
  const next_offset = offset + new TextEncoder().encode(text).length;
  return {
    attempt: 1,
    offset,
    next_offset,
    text,
    end: false,
    skipped: 0,
    line: 0,
    ...over,
  };
}

export function detailOf(job: StatusInfo, over: Partial<Detail> = {}): Detail {
  return {
    status: job,
    attempts: [],
    moves: CHANGES.moves.filter((move) => move.job_id === job.job_id),
    inputs: {},
    source: "",
    source_first_line: 1,
    state: {},
    metrics: {},
    stages: [],
    checkpoint: null,
    files: [],
    result: null,
    ...over,
  };
}

/** A transport that a test drives by hand. */
export class HandTransport implements Transport {
  attached: [string, number | null, number | null][] = [];
  commands: [string, string, object | undefined][] = [];
  address: string | null = null;
  files = new Map<number, Blob>();
  answer: () => Promise<Json> = () => Promise.resolve(true);
  #takers = new Set<(message: Message) => void>();

  subscribe(take: (message: Message) => void): () => void {
    this.#takers.add(take);
    return () => this.#takers.delete(take);
  }
  attach(jobId: string, attempt: number | null, offset: number | null): void {
    this.attached.push([jobId, attempt, offset]);
  }
  command(jobId: string, name: string, args?: object): Promise<Json> {
    this.commands.push([jobId, name, args]);
    return this.answer();
  }
  link(): string | null {
    return null;
  }
  rows(): null {
    return null;
  }
  async file(_jobId: string, n: number): Promise<Blob> {
    const found = this.files.get(n);
    if (!found) throw new Error(`there is no file ${n}`);
    return found;
  }
  deliver(message: Message): void {
    for (const take of this.#takers) take(message);
  }
}
