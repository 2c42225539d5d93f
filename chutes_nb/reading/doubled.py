"""Metrics that a job tells by itself are not read from what it prints as well.

Many a loop does both: ``self.log(loss=x)`` and ``print(f"Epoch {n}: loss = {x}")``. The
two count their steps differently, and one curve of both goes to and fro.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .values import Metric

MOST_HELD = 100

Point = tuple[str, float | None, float]


class Doubled:
    """What was read of each metric that the job has not told by itself so far."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._read: dict[str, list[Metric]] = {}

    def left(self, metrics: list[Metric]) -> list[Metric]:
        """Take what was read; returns what the job does not tell by itself."""
        kept = [one for one in metrics if one.name.casefold() not in self._told]
        for one in kept:
            held = self._read.setdefault(one.name.casefold(), [])
            if len(held) <= MOST_HELD:
                held.append(one)
        return kept

    def told(self, tellings: Iterable[tuple[str, Any]]) -> list[Point]:
        """Take what the job tells; returns what was read of the same, which is to go.

        Where much was read before, it stays: the job has begun to tell late.

        Parameters
        ----------
        tellings : iterable of (str, object)
            Kind and value; that of a ``"metric"`` is name, step and value.
        """
        names = {value[0].casefold() for kind, value in tellings if kind == "metric"}
        found = [self._read.pop(name, []) for name in names - self._told]
        self._told |= names
        return [
            (one.name, one.step, one.value)
            for part in found
            if len(part) <= MOST_HELD
            for one in part
        ]
