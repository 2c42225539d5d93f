"""A job that starts in the commit that queues it: one row, written once.

Queued and claimed apart it would be written twice, and so would its indexes. The
trigger ``job_added`` tells both moves all the same.
"""

from __future__ import annotations

from . import moving
from .claiming import CLAIMED, add_attempt
from .db import Row, Transaction
from .jobs import fields_of
from .journal import JOB
from .new import NewJob

# Where anybody waits, ready or not, who comes waits as well: so neither priorities
# nor times have to be compared here.
HAS_TO_WAIT = """
SELECT EXISTS (SELECT 1 FROM jobs
                WHERE executor = :executor AND waits = 0
                  AND state IN ('queued', 'retrying'))
    OR EXISTS (SELECT 1 FROM pauses WHERE chute = :chute AND is_paused)
"""
ADD_STARTED = f"""
INSERT INTO jobs (id, chute, name, definition, state, move, attempt, worker,
       started_at, max_attempts, priority, timeout_s, grace_s, deadline_at, policy,
       lane, concurrency, resources, fresh, reuse_key, input_kind, input, inputs,
       executor, submitted_at, changed_at, retry_of, notebook, cell, tags, after,
       waits, rev)
VALUES (:id, :chute, :name, :definition, 'running', 1 + {moving.NEXT}, 1, :worker,
       :now, :max_attempts, :priority, :timeout_s, :grace_s, :deadline_at, :policy,
       :lane, :concurrency, :resources, :fresh, :reuse_key, :input_kind, :input,
       :inputs, :executor, :submitted_at, :now, :retry_of, :notebook, :cell, :tags,
       :after, :waits, :rev)
RETURNING {CLAIMED}
"""


def is_simple(job: NewJob, now: float) -> bool:
    """Whether nothing but other jobs and a pause can hold a job back."""
    return (
        job.lane == "process"
        and not (job.waits or job.fresh)
        and job.concurrency is None
        and job.resources is None
        and job.reuse_key is None
        and (job.deadline_at is None or job.deadline_at > now)
    )


def add_started(
    tx: Transaction, job: NewJob, worker: str, output: str, now: float
) -> Row | None:
    """Queue a simple job and claim it for an idle worker, as one row.

    Returns
    -------
    sqlite3.Row or None
        As :func:`jobs.claim` gives it. None where the job has to wait; nothing is
        written then.
    """
    params = fields_of(job)
    row = tx.one(HAS_TO_WAIT, params)
    if row is None or row[0]:
        return None
    tx.facts.append((JOB, job.id, params.copy()))
    params |= {"worker": worker, "now": now, "rev": tx.rev}
    row = tx.one(ADD_STARTED, params)
    add_attempt(tx, job.id, 1, worker, now, output)
    return row
