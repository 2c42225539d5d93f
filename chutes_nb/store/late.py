"""Output of attempts that are over, of which the log has not got all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import logs
from .transaction import Transaction

LIVE = """
SELECT a.output
  FROM jobs j
  JOIN attempts a ON a.job = j.id AND a.number = j.attempt
 WHERE j.state = 'running'
"""

# An output that stayed empty serves the next attempt: what is in it is of the last.
LAST = """
SELECT a.job, a.number, a.output, a.finished_at, w.executor, e.lease,
       MAX(a.started_at)
  FROM attempts a
  LEFT JOIN workers w ON w.id = a.worker
  LEFT JOIN executors e ON e.id = w.executor
 WHERE a.output IN (SELECT value FROM json_each(:names))
 GROUP BY a.output
"""


class Late(NamedTuple):
    """An output file that is kept until the log has all of it.

    Attributes
    ----------
    end : int
        Bytes of it that the log has.
    executor : str or None
        Whose worker it was; None where that is not known any more.
    lease : str or None
        What that one holds while it lives.
    """

    job: str
    attempt: int
    output: Path
    end: int
    executor: str | None
    lease: str | None


def outputs(tx: Transaction, log_tx: Transaction, runs: Path) -> Iterator[Late]:
    """Find them: a full disk may take the end of an attempt, but not its log.

    Parameters
    ----------
    tx, log_tx : Transaction
        Readers of the jobs and of the logs.
    runs : pathlib.Path
        The folder of the workers.
    """
    filled = {one.name: one for one in runs.glob("*.out") if _size(one)}
    # Looked at before who lives: an attempt is in the store before it can write.
    for row in tx.all(LIVE) if filled else ():
        filled.pop(row["output"], None)
    if not filled:
        return
    for row in tx.all(LAST, {"names": json.dumps(list(filled))}):
        if row["finished_at"] is None:
            continue  # it has begun since
        output = filled[row["output"]]
        end = logs.end(log_tx, row["job"], row["number"])
        if end < _size(output):
            owner = (row["executor"], row["lease"])
            yield Late(row["job"], row["number"], output, end, *owner)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it has been brought in meanwhile
        return 0
