"""How a waiting job is taken by whoever has room for it, in whichever lane."""

from __future__ import annotations

from typing import Any

from . import moving
from .db import Row, Transaction
from .holding import MAY_START
from .journal import ATTEMPT

# What whoever runs an attempt has to know of its job.
CLAIMED = """
id, chute, name, definition, attempt, max_attempts, timeout_s, grace_s, deadline_at,
policy, input_kind, input,
concurrency IS NOT NULL OR resources IS NOT NULL AS is_limited, fresh
"""
ADD_ATTEMPT = """
INSERT INTO attempts (job, number, worker, started_at, output)
VALUES (:job, :number, :worker, :now, :output)
"""


def statement(rows: str, fits: str, unless: str = "FALSE") -> str:
    """Write the statement that takes the next ready job.

    One statement, so that two executors can never hold the same job; the attempt's
    number comes from here and from nowhere else.

    Parameters
    ----------
    rows : str
        Where to look, ``jobs`` with an index or without.
    fits : str
        Condition on a row: which jobs can be taken at all.
    unless : str
        Condition on the first of these, for which none is taken.
    """
    return f"""
UPDATE jobs
   SET state = 'running', move = {moving.NEXT},
       attempt = attempt + 1, worker = :worker,
       started_at = coalesce(started_at, :now), changed_at = :now,
       progress = NULL, stage = NULL, log_end = 0, reason = NULL, error = NULL,
       quiet_since = NULL, rev = :rev
 WHERE seq = (SELECT seq FROM {rows}
               WHERE executor = :executor AND state IN ('queued', 'retrying')
                 AND waits = 0 AND not_before <= :now AND attempt < max_attempts
                 AND (deadline_at IS NULL OR deadline_at > :now)
                 AND {fits}
                 AND {MAY_START}
               ORDER BY priority DESC, seq
               LIMIT 1)
   AND NOT ({unless})
RETURNING {CLAIMED}
"""


def take(
    tx: Transaction,
    claim: str,
    executor: str,
    worker: str,
    output: str,
    now: float,
    **facts: Any,
) -> Row | None:
    """Take the next job by a statement, with a new attempt's number.

    Parameters
    ----------
    **facts
        What the statement asks of the worker beside its name.
    """
    place = {"executor": executor, "worker": worker, "now": now, "rev": tx.rev}
    row = tx.one(claim, place | facts)
    if row is not None:
        job, number = row["id"], row["attempt"]
        add_attempt(tx, job, number, worker, now, output)
    return row


def add_attempt(
    tx: Transaction, job: str, number: int, worker: str, now: float, output: str
) -> None:
    """Write a new attempt; of the path of its output only the name (`output_name`)."""
    attempt = {"job": job, "number": number, "worker": worker, "now": now}
    tx.run(ADD_ATTEMPT, attempt | {"output": output_name(output)})
    tx.facts.append((ATTEMPT, job, number, worker, now, output))


def output_name(path: str) -> str:
    """Return the name by which an attempt's row has its output.

    It lies beside the folder of its worker, whose row says where that is.
    """
    return path.rpartition("/")[2]
