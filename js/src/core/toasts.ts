/** What is worth telling of a batch of changes to somebody who looks elsewhere. */
import type { Changes, StatusInfo } from "./types";
import { duration, elapsed, endText } from "./words";

export interface Toast {
  kind: "success" | "error" | "info";
  text: string;
  /** Null: it stands for several jobs. */
  jobId: string | null;
  /** Of how many jobs it tells. */
  count: number;
}

/** More ends than this at once are told in one sentence. */
const MOST = 3;

/** Where toasts are shown. */
export interface Wall {
  /** Shows a toast; returns its name there. */
  show(toast: Toast): string;
  change(id: string, toast: Toast): void;
  hide(id: string): void;
  /** Whether it is still there: somebody may have put it away. */
  has(id: string): boolean;
}

/**
 * Bad ends on the wall, where each stays until somebody has seen it.
 *
 * Jobs of a `map` fail one after the other, and as many toasts would cover the notebook:
 * where there are several, one takes their place and counts on.
 */
export class BadEnds {
  #shown: { id: string; toast: Toast }[] = [];

  constructor(private readonly wall: Wall) {}

  tell(toast: Toast): void {
    const shown = this.#shown.filter(({ id }) => this.wall.has(id));
    const count = shown.reduce((sum, one) => sum + one.toast.count, toast.count);
    if (count <= MOST) {
      this.#shown = [...shown, { id: this.wall.show(toast), toast }];
      return;
    }
    const told = toast.jobId === null ? "" : `; the last: ${toast.text}`;
    const text = `${count} jobs ended badly${told}`;
    const sum: Toast = { kind: "error", text, jobId: null, count };
    const first = shown.find((one) => one.toast.jobId === null);
    for (const { id } of shown) if (id !== first?.id) this.wall.hide(id);
    if (first) this.wall.change(first.id, sum);
    this.#shown = [{ id: first?.id ?? this.wall.show(sum), toast: sum }];
  }
}

/**
 * Failures, and ends of jobs that took long.
 *
 * @param long_s From how many seconds on a job's good end is told.
 */
export function toastsFor(changes: Changes, long_s: number): Toast[] {
  const jobs = new Map(changes.jobs.map((job) => [job.job_id, job]));
  const told = new Map<string, Toast>();
  for (const move of changes.moves) {
    const job = jobs.get(move.job_id);
    // A move of which the job has made another since is not its end.
    if (!job || job.status !== move.to) continue;
    const toast = toastFor(job, long_s);
    if (toast) told.set(job.job_id, toast);
  }
  const toasts = [...told.values()];
  if (toasts.length <= MOST) return toasts;
  return summed(toasts);
}

function toastFor(job: StatusInfo, long_s: number): Toast | null {
  const took = elapsed(job, job.finished_at ?? 0) ?? 0;
  const jobId = job.job_id;
  switch (job.status) {
    case "failed": {
      const { error } = job;
      const cause = error
        ? `${error.type}: ${error.message.split("\n")[0]}`
        : job.reason;
      const text = [`${job.name} failed`, cause].filter(Boolean).join(": ");
      return { kind: "error", text, jobId, count: 1 };
    }
    case "timeout":
    case "interrupted": {
      const how = job.status === "timeout" ? "ran out of time" : "was interrupted";
      const text = `${job.name} ${how}: ${endText(job)}`;
      return { kind: "error", text, jobId, count: 1 };
    }
    case "completed":
    case "cancelled": {
      if (took < long_s) return null;
      const kind = job.status === "completed" ? "success" : "info";
      const text = `${job.name} ${job.status} after ${duration(took)}`;
      return { kind, text, jobId, count: 1 };
    }
    default:
      return null;
  }
}

function summed(toasts: Toast[]): Toast[] {
  const bad = toasts.filter((toast) => toast.kind === "error").length;
  const good = toasts.length - bad;
  const sums: Toast[] = [];
  const sum = (kind: Toast["kind"], count: number, how: string) =>
    sums.push({ kind, text: `${count} jobs ${how}`, jobId: null, count });
  if (bad) sum("error", bad, "ended badly");
  if (good) sum("success", good, "ended");
  return sums;
}
