"""Jobs that run on a cluster: claimed here, and a store of one job there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

from ..processes import Identity
from . import fleet, jobs
from .db import Row, Transaction
from .holding import MAY_START
from .journal import ATTEMPT

# As jobs.CLAIM, for clusters that answer.
CLAIM = f"""
UPDATE jobs
   SET state = 'running', attempt = attempt + 1, worker = :worker,
       started_at = coalesce(started_at, :now), changed_at = :now,
       progress = NULL, stage = NULL, log_end = 0, reason = NULL, error = NULL,
       quiet_since = NULL, rev = :rev
 WHERE seq = (SELECT seq FROM jobs INDEXED BY jobs_beside
               WHERE executor = :executor AND state IN ('queued', 'retrying')
                 AND lane <> 'process' AND lane = 'dask'
                 AND waits = 0 AND not_before <= :now AND attempt < max_attempts
                 AND (deadline_at IS NULL OR deadline_at > :now)
                 AND (SELECT json_extract(options, '$.address') FROM definitions
                       WHERE key = jobs.definition)
                     IN (SELECT value FROM json_each(:addresses))
                 AND {MAY_START}
               ORDER BY priority DESC, seq
               LIMIT 1)
RETURNING id, chute, name, definition, attempt, max_attempts, timeout_s, grace_s,
          deadline_at, policy, input_kind, input,
          concurrency IS NOT NULL OR resources IS NOT NULL AS is_limited, fresh
"""
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
LAST_TOLD = """
SELECT max(at)
  FROM (SELECT max(at) AS at FROM metrics WHERE job = :job AND attempt = :attempt
        UNION ALL
        SELECT max(at) FROM partials WHERE job = :job AND attempt = :attempt
        UNION ALL
        SELECT max(at) FROM states WHERE job = :job AND attempt = :attempt)
"""
SET_ATTEMPT = "UPDATE jobs SET attempt = :attempt WHERE id = :job"
CHECKPOINT_AT = "SELECT at FROM checkpoints WHERE job = :job"


def claim(
    tx: Transaction,
    executor: str,
    worker: str,
    output: str,
    now: float,
    addresses: Iterable[str],
) -> Row | None:
    """Take the next job for one of the clusters that answer."""
    params = {"executor": executor, "worker": worker, "now": now, "rev": tx.rev}
    row = tx.one(CLAIM, params | {"addresses": json.dumps(list(addresses))})
    if row is not None:
        attempt = {"job": row["id"], "number": row["attempt"], "output": output}
        tx.run(jobs.ADD_ATTEMPT, attempt | {"worker": worker, "now": now})
        tx.facts.append((ATTEMPT, row["id"], row["attempt"], worker, now, output))
    return row


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


def last_told(tx: Transaction, job: str, attempt: int) -> float:
    """Return the time of the newest telling of an attempt that is in the store."""
    row = tx.one(LAST_TOLD, {"job": job, "attempt": attempt})
    return 0.0 if row is None or row[0] is None else float(row[0])


def checkpoint_at(tx: Transaction, job: str) -> float:
    """Return when the newest checkpoint was kept; 0 without one."""
    row = tx.one(CHECKPOINT_AT, {"job": job})
    return 0.0 if row is None else float(row[0])


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
