/** What is worth telling of a batch of changes to somebody who looks elsewhere. */
import type { Changes, StatusInfo } from "./types";
import { duration, elapsed, endText } from "./words";

export interface Toast {
  kind: "success" | "error" | "info";
  text: string;
  /** Null: it stands for several jobs. */
  jobId: string | null;
}

/** More ends than this at once are told in one sentence. */
const MOST = 3;

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
      return { kind: "error", text, jobId };
    }
    case "timeout":
    case "interrupted": {
      const how = job.status === "timeout" ? "ran out of time" : "was interrupted";
      return { kind: "error", text: `${job.name} ${how}: ${endText(job)}`, jobId };
    }
    case "completed":
    case "cancelled": {
      if (took < long_s) return null;
      const kind = job.status === "completed" ? "success" : "info";
      const text = `${job.name} ${job.status} after ${duration(took)}`;
      return { kind, text, jobId };
    }
    default:
      return null;
  }
}

function summed(toasts: Toast[]): Toast[] {
  const bad = toasts.filter((toast) => toast.kind === "error").length;
  const good = toasts.length - bad;
  const sums: Toast[] = [];
  if (bad) sums.push({ kind: "error", text: `${bad} jobs ended badly`, jobId: null });
  if (good) sums.push({ kind: "success", text: `${good} jobs ended`, jobId: null });
  return sums;
}
