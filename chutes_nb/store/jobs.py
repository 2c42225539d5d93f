"""Definitions, jobs, attempts and results: every statement that moves a job."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from operator import attrgetter
from typing import Any

from ..errors import JobNotFound, MoveRefused
from ..policy import Ending, Verdict
from ..states import State
from . import claiming, following, moving
from .db import Row, Transaction
from .holding import MAY_START
from .journal import DEFINITION, DELETED, END, END_WAITING, JOB
from .new import NewDefinition as NewDefinition
from .new import NewJob as NewJob
from .new import NewResult as NewResult

ADD_DEFINITION = """
INSERT OR IGNORE INTO definitions
       (key, chute, name, code, setup, source, first_line, sources, schema, options,
        python, created_at)
VALUES (:key, :chute, :name, :code, :setup, :source, :first_line, :sources, :schema,
        :options, :python, :created_at)
"""
ADD = f"""
INSERT INTO jobs (id, chute, name, definition, state, move, max_attempts, priority,
       timeout_s, grace_s, deadline_at, policy, lane, concurrency, resources,
       fresh, reuse_key, input_kind, input, inputs, executor, submitted_at,
       changed_at, retry_of, notebook, cell, tags, after, waits, rev)
VALUES (:id, :chute, :name, :definition, 'queued', {moving.NEXT}, :max_attempts,
       :priority,
       :timeout_s, :grace_s, :deadline_at, :policy, :lane, :concurrency, :resources,
       :fresh, :reuse_key, :input_kind, :input, :inputs, :executor, :submitted_at,
       :submitted_at, :retry_of, :notebook, :cell, :tags, :after, :waits, :rev)
"""
# Whoever tidies up must not take it for one that nobody uses any more. Its cells have
# the numbers of their newest run.
TOUCH_DEFINITION = """
UPDATE definitions
   SET created_at = max(created_at, :now), sources = :sources
 WHERE key = :key
"""
REUSABLE = """
SELECT id
  FROM jobs
 WHERE reuse_key = :reuse_key
   AND state IN ('queued', 'running', 'retrying', 'completed')
 ORDER BY seq DESC
 LIMIT 1
"""
# One that was submitted without a word of reuse has no such key: it is found by code
# and the bytes of its input, among the newest of its name.
ALIKE = """
WITH newest AS (
  SELECT seq FROM jobs WHERE name = :name ORDER BY seq DESC LIMIT 200)
SELECT n.id
  FROM newest JOIN jobs n USING (seq) JOIN definitions d ON d.key = n.definition
 WHERE n.input_kind = :input_kind AND length(n.input) = length(:input)
   AND n.input = :input
   AND n.state IN ('queued', 'running', 'retrying', 'completed')
   AND d.chute = :chute AND json_extract(d.options, '$.fingerprint') = :code
   AND json_extract(d.options, '$.username')
       IS (SELECT json_extract(options, '$.username')
             FROM definitions WHERE key = :definition)
 ORDER BY n.seq DESC
 LIMIT 1
"""
BY_INPUT = "same:"  # how a reuse key begins that its user has not given
# How a code ends that reads files beside the notebook: what they were when a job ran is
# in its reuse key alone.
READS_FILES = "+"
# A job that wants a worker of its own keeps its place in the queue: a used worker that
# finds it first gets none, unless it is told to pass over such jobs.
CLAIM = claiming.statement(
    "jobs",
    "lane = 'process' AND (fresh = 0 OR NOT :passes_over)",
    unless="fresh = 1 AND NOT :is_new",
)
# Fenced by job, attempt and worker: whoever lost the attempt cannot end it.
FINISH = f"""
UPDATE jobs
   SET state = :state, move = {moving.NEXT},
       not_before = :not_before, changed_at = :now,
       finished_at = iif(:ended, :now, NULL), reason = :reason, error = :error,
       worker = NULL, reported_failure = :reported_failure, rev = :rev
 WHERE id = :job AND attempt = :attempt AND worker = :worker AND state = 'running'
"""
END_ATTEMPT = """
UPDATE attempts
   SET state = :state, finished_at = :now, reason = :reason, error = :error
 WHERE job = :job AND number = :attempt
"""
# In one statement, since each one more costs a look for the row.
COMPLETE_ATTEMPT = """
UPDATE attempts
   SET state = :state, finished_at = :now, reason = :reason, error = :error,
       result_kind = :kind, result_body = :body, result_blob = :blob,
       result_sha256 = :sha256, result_type = :type, result_view = :view
 WHERE job = :job AND number = :attempt
"""
END_QUEUED = f"""
UPDATE jobs
   SET state = :state, move = {moving.NEXT},
       reason = :reason, cancel_by = :by, finished_at = :now,
       waits = 0, changed_at = :now, rev = :rev
 WHERE id = :job AND state IN ('queued', 'retrying')
RETURNING id
"""
ASK_CANCEL = """
UPDATE jobs
   SET cancel_by = coalesce(cancel_by, :by), rev = :rev
 WHERE id = :job AND state = 'running'
RETURNING id
"""
ASKED = """
SELECT id, cancel_by
  FROM jobs INDEXED BY jobs_asked
 WHERE cancel_by IS NOT NULL AND finished_at IS NULL AND executor = :executor
"""
PAST_DEADLINE = """
SELECT id, attempt
  FROM jobs INDEXED BY jobs_deadline
 WHERE executor = :executor AND state IN ('queued', 'retrying')
   AND deadline_at <= :now
"""
READY = f"""
SELECT 1
  FROM jobs
 WHERE executor = :executor AND state IN ('queued', 'retrying')
   AND lane = 'process' AND waits = 0 AND not_before <= :now
   AND (fresh = 1 OR NOT :fresh_only) AND {MAY_START}
 LIMIT :limit
"""
SAY_WHY = """
UPDATE jobs
   SET reason = :reason, rev = :rev
 WHERE executor = :executor AND state = 'queued' AND waits = 0
   AND reason IS NOT :reason
"""
SET_CAPACITY = """
INSERT INTO capacities (name, amount) VALUES (:name, :amount)
ON CONFLICT (name) DO UPDATE SET amount = excluded.amount
"""
# A retry whose time has come is not waited for: a token or a pause holds it back, and
# whoever frees it says so.
NEXT_TIME = """
SELECT (SELECT min(not_before)
          FROM jobs INDEXED BY jobs_due
         WHERE executor = :executor AND state IN ('queued', 'retrying')
           AND not_before > 0 AND not_before > :now),
       (SELECT min(deadline_at)
          FROM jobs INDEXED BY jobs_deadline
         WHERE executor = :executor AND state IN ('queued', 'retrying')
           AND deadline_at IS NOT NULL)
"""
STATE = "SELECT state FROM jobs WHERE id = :job"
GET = "SELECT * FROM jobs WHERE id = :job"
NEWEST = "SELECT id FROM jobs ORDER BY seq DESC LIMIT 1"
RESULT = "SELECT * FROM results WHERE job = :job"
# Not all columns: a result may be a megabyte.
ATTEMPTS = """
SELECT number, started_at, finished_at, state, reason, error
  FROM attempts
 WHERE job = :job
 ORDER BY number
"""
HAS_DEFINITION = "SELECT 1 FROM definitions WHERE key = :key"
GET_DEFINITION = "SELECT * FROM definitions WHERE key = :key"
DELETE = """
DELETE FROM jobs
 WHERE id = :job AND finished_at IS NOT NULL
RETURNING move
"""


def has_definition(tx: Transaction, key: str) -> bool:
    """Whether a definition is there: one that no job needed may have been let go."""
    return tx.one(HAS_DEFINITION, {"key": key}) is not None


def add_definition(tx: Transaction, definition: NewDefinition) -> None:
    """Keep a definition; one that is there already stays."""
    fields = asdict(definition)
    if tx.run(ADD_DEFINITION, fields):
        tx.facts.append((DEFINITION, definition.key, fields))
    else:
        tx.run(TOUCH_DEFINITION, fields | {"now": time.time()})


def add(tx: Transaction, job: NewJob) -> str:
    """Queue a job, or find the one that it may be instead; returns the id.

    A job with a ``reuse_key`` is not queued where one with the same key waits,
    runs or has completed, unless it is one that is made again.
    """
    params = fields_of(job)
    if job.reuse_key is not None and job.retry_of is None:
        row = tx.one(REUSABLE, params) or _alike(tx, job.reuse_key, params)
        if row is not None:
            return str(row[0])
    tx.facts.append((JOB, job.id, params.copy()))
    params["rev"] = tx.rev
    tx.run(ADD, params)
    if job.waits and job.after is not None:
        following.say_what_for(tx, job.id, job.after)
        if following.is_over(tx, job.after):
            _settle_follower(tx, job.id, job.after, job.submitted_at)
    return job.id


def _alike(tx: Transaction, reuse_key: str, params: dict[str, Any]) -> Row | None:
    code, _, digest = reuse_key.removeprefix(BY_INPUT).rpartition("/")
    if not reuse_key.startswith(BY_INPUT):
        return None
    if code.endswith(READS_FILES):  # jobs of an earlier version have no such mark
        key = f"{BY_INPUT}{code.removesuffix(READS_FILES)}/{digest}"
        return tx.one(REUSABLE, {"reuse_key": key})
    return tx.one(ALIKE, params | {"code": code})


def fields_of(job: NewJob) -> dict[str, Any]:
    """Return the fields of a job by their names."""
    return dict(zip(_JOB_FIELDS, _JOB_VALUES(job), strict=True))


_JOB_FIELDS = tuple(NewJob.__dataclass_fields__)
_JOB_VALUES = attrgetter(*_JOB_FIELDS)  # a third of the time of one getattr each


def claim(
    tx: Transaction,
    executor: str,
    worker: str,
    output: str,
    now: float,
    *,
    is_new: bool = True,
    passes_over: bool = False,
) -> Row | None:
    """Take the next ready job for an idle worker, with a new attempt's number.

    Parameters
    ----------
    is_new : bool
        Whether the worker has run nothing yet; one that has gets no job that
        wants a worker of its own.
    passes_over : bool
        Whether to look behind such jobs.
    """
    place = (executor, worker, output, now)
    return claiming.take(tx, CLAIM, *place, is_new=is_new, passes_over=passes_over)


def finish(
    tx: Transaction,
    job: str,
    attempt: int,
    worker: str,
    ending: Ending,
    verdict: Verdict,
    now: float,
    result: NewResult | None = None,
) -> None:
    """End an attempt and move its job, in one step.

    Raises
    ------
    MoveRefused
        If the attempt is not this worker's any more; nothing is changed.
    """
    error = None if ending.error is None else json.dumps(ending.error)
    place = {
        "job": job,
        "attempt": attempt,
        "worker": worker,
        "state": str(verdict.state),
        "not_before": verdict.not_before,
        "now": now,
        "reason": ending.reason,
        "error": error,
        "reported_failure": result is not None and result.reported_failure,
    }
    told = [END, *place.values(), str(ending.state)]
    place["ended"], place["rev"] = verdict.state.is_ended, tx.rev
    if not tx.run(FINISH, place):
        raise MoveRefused(job, to=verdict.state, found=state(tx, job))
    place["state"] = told[-1]
    kept = None
    if result is not None and verdict.state is State.COMPLETED:
        kept = (*_RESULT_VALUES(result), result.digest())
    end_attempt(tx, place, kept)
    tx.facts.append((*told, kept))
    if verdict.state.is_ended:
        _settle_followers(tx, job, now)


RESULT_FIELDS = ("kind", "body", "blob", "type", "view", "sha256")
_RESULT_VALUES = attrgetter(*RESULT_FIELDS[:-1])


def end_attempt(
    tx: Transaction, place: dict[str, Any], result: Sequence[Any] | None
) -> None:
    """Write the end of an attempt, with its result where it has one."""
    if result is None:
        tx.run(END_ATTEMPT, place)
    else:
        tx.run(COMPLETE_ATTEMPT, place | dict(zip(RESULT_FIELDS, result, strict=True)))


def end_waiting(
    tx: Transaction, job: str, to: State, reason: str, now: float, by: str | None = None
) -> bool:
    """End a job that no worker holds; False if it is not queued or retrying."""
    params = {"job": job, "state": str(to), "reason": reason, "by": by, "now": now}
    if tx.one(END_QUEUED, params | {"rev": tx.rev}) is None:
        return False
    tx.facts.append((END_WAITING, *params.values()))
    _settle_followers(tx, job, now)
    return True


def _settle_followers(tx: Transaction, job: str, now: float) -> None:
    """Let the followers of a job that has just ended start, or end with it.

    Those that end have followers too; a chain may be longer than Python's stack.
    """
    ends = deque((one, job) for one in following.waiting(tx, job))
    while ends:
        follower, before = ends.popleft()
        if _settle_follower(tx, follower, before, now):
            ends.extend((one, follower) for one in following.waiting(tx, follower))


def _settle_follower(tx: Transaction, job: str, before: str, now: float) -> bool:
    """Settle one follower; whether it has ended."""
    reason = following.why_not(tx, before)
    if reason is None:
        following.release(tx, job, before)
        return False
    params: dict[str, Any] = {"job": job, "state": str(State.CANCELLED)}
    params |= {"reason": reason, "by": None, "now": now}
    tx.one(END_QUEUED, params | {"rev": tx.rev})
    tx.facts.append((END_WAITING, *params.values()))
    tx.ended_too.append(job)
    return True


def delete(tx: Transaction, job: str) -> bool:
    """Forget an ended job; False if there is none of that id."""
    row = tx.one(DELETE, {"job": job})
    if row is None:
        return False
    moving.forget(tx, row[0])
    tx.facts.append((DELETED, job))
    return True


def request_cancel(tx: Transaction, job: str, by: str, now: float) -> bool:
    """Cancel a waiting job, or ask its executor to; False if it had ended.

    Raises
    ------
    JobNotFound
    """
    if end_waiting(tx, job, State.CANCELLED, f"cancelled by {by}", now, by):
        return True
    if tx.one(ASK_CANCEL, {"job": job, "by": by, "rev": tx.rev}) is not None:
        return True
    if state(tx, job) is None:
        raise JobNotFound(f"no job has the id {job!r}")
    return False


def state(tx: Transaction, job: str) -> str | None:
    """State of a job, or None where there is no such job."""
    row = tx.one(STATE, {"job": job})
    return None if row is None else str(row[0])


def get(tx: Transaction, job: str) -> Row:
    """Row of a job.

    Raises
    ------
    JobNotFound
    """
    row = tx.one(GET, {"job": job})
    if row is None:
        raise JobNotFound(
            f"no job has the id {job!r}; chutes_nb.jobs() and 'chutes-nb ls' list them"
        )
    return row
