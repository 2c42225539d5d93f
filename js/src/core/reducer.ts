/** The one way in which a page's picture of the jobs changes. */
import type { Changes, Move, StatusInfo } from "./types";

export interface Jobs {
  readonly rev: number;
  readonly jobs: ReadonlyMap<string, StatusInfo>;
  /** The moves of each job, oldest first. */
  readonly moves: ReadonlyMap<string, readonly Move[]>;
}

export const NO_JOBS: Jobs = { rev: 0, jobs: new Map(), moves: new Map() };

/**
 * The picture after some changes. The same changes twice, or older ones late,
 * give the same picture (and the same object, so that nothing is drawn again).
 */
export function apply(before: Jobs, changes: Changes): Jobs {
  const fresh = changes.jobs.filter((job) => isNews(before.jobs.get(job.job_id), job));
  const moved = changes.moves.filter((move) => !has(before, move));
  const rev = Math.max(before.rev, changes.rev);
  if (fresh.length === 0 && moved.length === 0 && rev === before.rev) return before;
  return {
    rev,
    jobs: fresh.length ? withJobs(before.jobs, fresh) : before.jobs,
    moves: moved.length ? withMoves(before.moves, moved) : before.moves,
  };
}

/** A job's place in the queue moves with other jobs, so without a revision of its own. */
function isNews(known: StatusInfo | undefined, job: StatusInfo): boolean {
  if (!known || job.rev > known.rev) return true;
  return job.rev === known.rev && job.queue_position !== known.queue_position;
}

function has(before: Jobs, move: Move): boolean {
  return (before.moves.get(move.job_id) ?? []).some(
    (known) => known.rev === move.rev && known.to === move.to,
  );
}

function withJobs(before: Jobs["jobs"], fresh: StatusInfo[]): Jobs["jobs"] {
  const after = new Map(before);
  for (const job of fresh) {
    if (isNews(after.get(job.job_id), job)) after.set(job.job_id, job);
  }
  return after;
}

function withMoves(before: Jobs["moves"], fresh: Move[]): Jobs["moves"] {
  const after = new Map(before);
  for (const move of fresh) {
    const known = after.get(move.job_id) ?? [];
    after.set(
      move.job_id,
      [...known, move].sort((a, b) => a.rev - b.rev),
    );
  }
  return after;
}
