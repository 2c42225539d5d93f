"""Timeouts of running attempts, which are moved while they run."""

from __future__ import annotations

from ..errors import DefinitionError
from ..states import State
from . import jobs
from .db import Transaction

EXTEND = """
UPDATE jobs
   SET timeout_s = timeout_s + :seconds, rev = :rev
 WHERE id = :job AND state = 'running' AND timeout_s IS NOT NULL
"""
LIMITS = """
SELECT id, timeout_s
  FROM jobs
 WHERE state = 'running' AND executor = :executor AND timeout_s IS NOT NULL
"""


def extend(tx: Transaction, job: str, seconds: float) -> bool:
    """Give a running attempt more time, or less; False if it has no limit or is over.

    Raises
    ------
    JobNotFound
    DefinitionError
        If no time at all would be left.
    """
    row = jobs.get(tx, job)
    limit_s = row["timeout_s"]
    if row["state"] != State.RUNNING or limit_s is None:
        return False
    if limit_s + seconds <= 0:
        raise DefinitionError(
            f"seconds={seconds:g} would leave nothing of {limit_s:g} s; to end the "
            "job, cancel it"
        )
    return bool(tx.run(EXTEND, {"job": job, "seconds": seconds, "rev": tx.rev}))
