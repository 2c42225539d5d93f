/** Jobs that were picked in a list, and what is done to all of them at once. */
import type { CommandName, ListTransport } from "./transport";
import { isActive, type StatusInfo } from "./types";

/** So many commands are on their way at a time: a server has others to serve. */
const AT_ONCE = 4;
/** Causes that are said; the rest is counted. */
const SAID = 2;

/** The commands that make sense for many jobs. */
export const BULK = ["cancel", "retry", "delete"] as const;
export type Bulk = (typeof BULK)[number];

/** Whether a command can be given to a job as it stands. */
export function fits(name: CommandName, job: StatusInfo): boolean {
  if (name === "cancel") return isActive(job) && !job.cancel_requested;
  if (name === "extend") return job.status === "running" && job.timeout_s !== null;
  return !isActive(job);
}

const DONE: { [name in Bulk]: string } = {
  cancel: "cancelled",
  retry: "started again",
  delete: "deleted",
};

export class Selection {
  /** What was done last, or is being done, in words. */
  said: string | null = null;
  /** Whether commands are on their way. */
  isBusy = false;
  #ids = new Set<string>();

  constructor(
    private readonly transport: Pick<ListTransport, "command">,
    private readonly tell: () => void,
  ) {}

  get size(): number {
    return this.#ids.size;
  }

  has(jobId: string): boolean {
    return this.#ids.has(jobId);
  }

  toggle(jobIds: readonly string[], on: boolean): void {
    for (const id of jobIds) {
      if (on) this.#ids.add(id);
      else this.#ids.delete(id);
    }
    this.said = null;
    this.tell();
  }

  clear(): void {
    this.toggle([...this.#ids], false);
  }

  /** Lets go of what is not in the list any more. */
  keep(isThere: (jobId: string) => boolean): void {
    for (const id of this.#ids) if (!isThere(id)) this.#ids.delete(id);
  }

  /** Gives a command to those of some jobs that it fits, a few at a time. */
  async run(
    name: Bulk,
    jobs: readonly StatusInfo[],
    onDone: (jobId: string) => void = () => {},
  ): Promise<void> {
    const waiting = jobs.filter((job) => fits(name, job)).map((job) => job.job_id);
    const total = waiting.length;
    const causes: string[] = [];
    let done = 0;
    this.isBusy = true;
    const say = () => {
      this.said = `${done} of ${total} ${DONE[name]}`;
      this.tell();
    };
    say();
    const work = async () => {
      for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
        try {
          await this.transport.command(id, name);
          this.#ids.delete(id);
          done++;
          onDone(id);
        } catch (error) {
          causes.push(error instanceof Error ? error.message : String(error));
        }
        say();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.isBusy = false;
    if (causes.length) this.said = `${this.said}; ${causesText(causes)}`;
    this.tell();
  }
}

function causesText(causes: string[]): string {
  const different = [...new Set(causes)];
  const said = different.slice(0, SAID).join("; ");
  const rest = different.length - SAID;
  return rest > 0 ? `${said}; and ${rest} other reasons` : said;
}
