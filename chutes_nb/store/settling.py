"""What an attempt told and how it ended, written in the words of the store.

Both an executor and a worker that is alone settle attempts; this is the one place
where that is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ..policy import Ending, RetryPolicy, settle
from ..states import State
from . import jobs, runs
from .db import Row, Transaction

CANCELLED_BY = "SELECT cancel_by FROM jobs WHERE id = :job"


def write_tellings(
    tx: Transaction,
    job: str,
    attempt: int,
    tellings: Iterable[tuple[str, Any]],
    at: float,
) -> None:
    """Write what a run told: kind and value, as ``worker.frames.Telling`` has them.

    Progress is not among them: it needs the pace, which whoever follows the
    output knows; see :func:`runs.note`.
    """
    points: list[tuple[str, float | None, float]] = []
    for kind, value in tellings:
        if kind == "metric":
            points.append(value)
        elif kind == "stage":
            runs.add_stage(tx, job, attempt, value, at)
        elif kind == "state":
            body, exact, file = value
            runs.set_state(tx, job, attempt, body, exact, at, file)
        elif kind == "partial":
            runs.add_partial(tx, job, attempt, value[0], value[1], at)
        elif kind == "file":
            runs.add_files(tx, job, attempt, [runs.KeptFile(*value)])
    runs.add_metrics(tx, job, attempt, points, at)
    runs.note(tx, job, attempt)  # so that whoever follows looks again


@lru_cache(maxsize=64)
def retry_policy(text: str) -> RetryPolicy:
    """Retry rules of a job as its row has them."""
    return RetryPolicy(**json.loads(text))


def finish_attempt(
    tx: Transaction,
    task: Row,
    worker: str,
    ending: Ending,
    now: float,
    result: jobs.NewResult | None = None,
    told: Iterable[tuple[str, Any]] = (),
    files: Iterable[runs.KeptFile] = (),
) -> State:
    """End an attempt by the rules of its job; returns the job's new state.

    Parameters
    ----------
    task : sqlite3.Row
        The job's row as it was claimed: id, attempt, max_attempts, policy.

    Raises
    ------
    MoveRefused
        If the attempt is not this worker's any more.
    """
    job, attempt = task["id"], task["attempt"]
    policy = retry_policy(task["policy"])
    if ending.state is not State.COMPLETED:
        ending = _as_asked(tx, job, ending, policy)
    verdict = settle(ending, attempt, task["max_attempts"], policy, now)
    jobs.finish(tx, job, attempt, worker, ending, verdict, now, result)
    told = list(told)
    if told:
        write_tellings(tx, job, attempt, told, now)
    runs.add_files(tx, job, attempt, files)
    return verdict.state


def bare(ending: Ending, error: Exception) -> Ending:
    """Return the end of an attempt whose own end no store can take.

    A job has to end; what it left (too large, no text) is told in the reason.
    """
    is_good = ending.state is State.COMPLETED
    state = State.FAILED if is_good else ending.state
    reason = f"what it left cannot be stored: {error}"
    told = {"type": "ResultNotStorable", "message": reason, "traceback": ""}
    return Ending(state, reason, told, may_retry=False)


def _as_asked(tx: Transaction, job: str, ending: Ending, policy: RetryPolicy) -> Ending:
    """Let a cancel stand that was promised before the attempt went wrong.

    Without it the job would be tried again, and whoever cancelled it was told that
    it would not.
    """
    row = tx.one(CANCELLED_BY, {"job": job})
    by = None if row is None else row[0]
    is_final = ending.state is State.TIMEOUT and not policy.on_timeout
    if by is None or is_final or ending.state is State.CANCELLED:
        return ending
    return Ending(State.CANCELLED, f"cancelled by {by}", ending.error)
