"""Jobs that run on a cluster: claimed here, and a store of one job there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

from ..processes import Identity
from . import claiming, fleet, jobs
from .db import Row, Transaction

# For clusters that answer.
CLAIM = claiming.statement(
    "jobs INDEXED BY jobs_beside",
    """
    lane <> 'process' AND lane = 'dask'
    AND (SELECT json_extract(options, '$.address') FROM definitions
          WHERE key = jobs.definition)
        IN (SELECT value FROM json_each(:addresses))
    """,
)
WAITING = """
SELECT DISTINCT json_extract(d.options, '$.address')
  FROM jobs j JOIN definitions d ON d.key = j.definition
 WHERE j.executor = :executor AND j.state IN ('queued', 'retrying')
   AND j.lane <> 'process' AND j.lane = 'dask' AND j.not_before <= :now
"""
SAY_WHY = """
UPDATE jobs
   SET reason = :reason, rev = :rev
 WHERE executor = :executor AND state IN ('queued', 'retrying')
   AND lane <> 'process' AND lane = 'dask'
   AND reason IS NOT :reason
   AND :address = (SELECT json_extract(options, '$.address') FROM definitions
                    WHERE key = jobs.definition)
"""
ADDRESS = "SELECT json_extract(options, '$.address') FROM definitions WHERE key = :key"
TOLD = "SELECT told FROM attempts WHERE job = :job AND number = :attempt"
# Whether these are over on their cluster nobody has confirmed.
UNSURE = """
SELECT number
  FROM attempts
 WHERE job = :job AND number < :attempt AND state = 'interrupted'
"""
SET_ATTEMPT = "UPDATE jobs SET attempt = :attempt WHERE id = :job"
CHECKPOINT_AT = "SELECT at, step FROM checkpoints WHERE job = :job"


def claim(
    tx: Transaction,
    executor: str,
    worker: str,
    output: str,
    now: float,
    addresses: Iterable[str],
) -> Row | None:
    """Take the next job for one of the clusters that answer."""
    place = (executor, worker, output, now)
    return claiming.take(tx, CLAIM, *place, addresses=json.dumps(list(addresses)))


def waiting_for(tx: Transaction, executor: str, now: float) -> list[str]:
    """Return the addresses of the clusters that jobs wait for."""
    rows = tx.all(WAITING, {"executor": executor, "now": now})
    return [row[0] for row in rows if row[0]]


def say_why(tx: Transaction, executor: str, address: str, reason: str) -> None:
    """Say of the jobs that wait for a cluster why they wait."""
    place = {"executor": executor, "address": address, "reason": reason}
    tx.run(SAY_WHY, place | {"rev": tx.rev})


def address_of(tx: Transaction, definition: str) -> str:
    """Return the scheduler that a definition's jobs go to."""
    row = tx.one(ADDRESS, {"key": definition})
    return "" if row is None else str(row[0])


def last_told(tx: Transaction, job: str, attempt: int) -> int:
    """Return the number of an attempt's newest telling that is in the store."""
    row = tx.one(TOLD, {"job": job, "attempt": attempt})
    return 0 if row is None else int(row[0])


def unsure(tx: Transaction, job: str, attempt: int) -> list[int]:
    """Return the attempts before one that may not be over where they were sent."""
    rows = tx.all(UNSURE, {"job": job, "attempt": attempt})
    return [int(row[0]) for row in rows]


def checkpoint_at(tx: Transaction, job: str) -> tuple[float, float | None]:
    """Return when the newest checkpoint was kept, and its step; 0 without one."""
    row = tx.one(CHECKPOINT_AT, {"job": job})
    return (0.0, None) if row is None else (float(row[0]), row[1])


def settle_in(
    tx: Transaction,
    definition: jobs.NewDefinition,
    job: jobs.NewJob,
    attempt: int,
    worker: str,
    folder: Path,
    output: str,
) -> None:
    """Make a store of one job that a worker runs already.

    It counts as cancelled from the start: a worker that finds itself alone, since
    whoever speaks for it to the cluster is gone, ends its attempt at once.
    """
    now = time.time()
    nobody = Identity(0, 0, "")
    assert job.executor is not None  # who claims it below
    fleet.add_executor(
        tx,
        job.executor,
        kind="host",
        who=nobody,
        python="",
        lease="",
        sqlite="",
        now=now,
    )
    fleet.end_executor(tx, job.executor, now)  # nobody is to inherit it
    place = {"lease": "", "socket": "", "folder": str(folder)}
    fleet.add_worker(tx, worker, job.executor, now=now, **place)
    jobs.add_definition(tx, definition)
    jobs.add(tx, job)
    tx.run(SET_ATTEMPT, {"job": job.id, "attempt": attempt - 1})
    row = jobs.claim(tx, job.executor, worker, output, now)
    assert row is not None  # there is but one job, and nothing holds it back
    jobs.request_cancel(tx, job.id, "the end of its dask worker", now)
