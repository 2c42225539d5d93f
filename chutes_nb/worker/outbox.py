"""What a run tells, until somebody sends it on."""

from __future__ import annotations

import threading

from ..reading import Thinner
from .frames import Telling


class Outbox:
    """Tellings of one run; of progress only the newest is kept.

    Its lock is held for moments only. A body that tells something waits neither for a
    disk that is full nor for what the user's code does when its state is read.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may tell something, anywhere
        self._told: list[Telling] = []
        self._progress: Telling | None = None
        self._curves = Thinner()

    def put(self, telling: Telling) -> None:
        """Take one telling; of a curve not every point passes."""
        with self._lock:
            if telling.kind == "progress":
                self._progress = telling
            elif telling.kind != "metric" or self._curves.take(telling.value):
                self._told.append(telling)

    def put_back(self, tellings: list[Telling]) -> None:
        """Take tellings back that could not be sent; they come first again."""
        with self._lock:
            self._told[:0] = tellings

    def take(self, *, is_last: bool = False) -> list[Telling]:
        """Give what there is.

        Parameters
        ----------
        is_last : bool
            The run is over: the last points of its curves come along.
        """
        with self._lock:
            if is_last:
                self._told += [Telling("metric", one) for one in self._curves.finish()]
            told, self._told = self._told, []
            if self._progress is not None:
                told.append(self._progress)
                self._progress = None
            return told
