"""What earlier runs of a job tell of the next one: how long it will take."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from .db import Transaction

# The last runs tell more than old ones, of other code and other input.
RUNS = 10
SEEN = 300  # rows looked at: behind them nobody looks for an earlier run
JOBS_KEPT = 512

SPANS = """
SELECT a.finished_at - a.started_at AS span_s, a.state = 'timeout' AS is_timeout
  FROM (SELECT id, attempt, seq, chute
          FROM jobs
         WHERE name = :name
         ORDER BY seq DESC
         LIMIT :seen) j
  JOIN attempts a ON a.job = j.id AND a.number = j.attempt
 WHERE j.chute = :chute AND a.state IN ('completed', 'timeout')
 ORDER BY j.seq DESC
 LIMIT :runs
"""


class Span(NamedTuple):
    """How long the last attempt of an earlier job took.

    Attributes
    ----------
    span_s : float
        From its claim to its end.
    is_timeout : bool
        Whether it was ended by its timeout; else it completed.
    """

    span_s: float
    is_timeout: bool


def spans(tx: Transaction, chute: str, name: str) -> list[Span]:
    """Give the last completed or timed out runs of a job, newest first."""
    bounds = {"chute": chute, "name": name, "seen": SEEN, "runs": RUNS}
    return [Span(row[0], bool(row[1])) for row in tx.all(SPANS, bounds)]


def _median(values: Iterable[float]) -> float:
    """Give the middle; the module of that name is slow to import for a worker."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return (ordered[last // 2] + ordered[-(last // 2) - 1]) / 2


class Earlier:
    """How long completed runs took, job by job; asks the store once for each."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str], deque[float]] = {}

    def usual_s(self, tx: Transaction, chute: str, name: str) -> float | None:
        """Give the median of the last completed runs in seconds; None without one.

        A store that cannot be read now only makes the guess less good.
        """
        known = self._of(tx, chute, name)
        return _median(known) if known else None

    def completed(self, tx: Transaction, chute: str, name: str, span_s: float) -> None:
        """Take a run that has just completed."""
        self._of(tx, chute, name).append(span_s)

    def _of(self, tx: Transaction, chute: str, name: str) -> deque[float]:
        known = self._spans.get((chute, name))
        if known is None:
            if len(self._spans) >= JOBS_KEPT:
                self._spans.clear()
            try:
                found = spans(tx, chute, name)
            except sqlite3.Error:  # no run waits for what is only worth knowing
                return deque()
            completed = [one.span_s for one in found if not one.is_timeout]
            known = deque(reversed(completed), maxlen=RUNS)
            self._spans[chute, name] = known
        return known
