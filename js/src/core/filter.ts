/** What a list shows and in which order, as the store's own query has it. */
import type { Filter, Order } from "./transport";
import type { StatusInfo } from "./types";

/** Whether a job belongs into a list. */
export function matches(job: StatusInfo, filter: Filter): boolean {
  const { status, name, tag, notebook, text } = filter;
  if (status && job.status !== status) return false;
  if (name && job.name !== name) return false;
  if (tag && !job.tags.includes(tag)) return false;
  if (notebook && job.notebook !== notebook) return false;
  const part = text.toLowerCase();
  if (!part || job.name.toLowerCase().includes(part)) return true;
  return (
    job.job_id.includes(part) ||
    job.tags.some((one) => one.toLowerCase().includes(part))
  );
}

/** Whether one job stands before another. */
export function isBefore(a: StatusInfo, b: StatusInfo, order: Order): boolean {
  if (order === "oldest") return a.submitted_at < b.submitted_at;
  if (order === "name" && a.name !== b.name) return a.name < b.name;
  if (order === "name") return a.submitted_at < b.submitted_at;
  if (order === "longest" && spent(a) !== spent(b)) return spent(a) > spent(b);
  return a.submitted_at > b.submitted_at;
}

/** How long a job has run; what still runs is the longest, since it grows. */
function spent({ started_at, finished_at }: StatusInfo): number {
  if (started_at === null) return -1;
  return finished_at === null ? Number.POSITIVE_INFINITY : finished_at - started_at;
}
