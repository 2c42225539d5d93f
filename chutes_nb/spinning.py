"""Waits for what comes soon without going to sleep.

Who sleeps in poll() is woken some tens of microseconds after what it waits for, on a
core that has halted and with caches that others have used: for a short job, awaited by
itself, half of the time from its submit to its result. So whoever waited briefly the
last time looks again and again for a moment before it sleeps ("spin, then block"; see
Karlin, Li, Manasse and Owicki, "Empirical studies of competitive spinning for a
shared-memory multiprocessor", SOSP 1991). A wait that is long costs one such moment,
and the next one none.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import sys
import time
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import TypeVar

from .cores import usable_cores

T = TypeVar("T")

SPIN_S = 0.002
# Between two looks the core is offered to whoever wants it.
_give_way: Callable[[], object] = getattr(os, "sched_yield", lambda: time.sleep(0))
# Of Linux alone, and not in Python.
_core: Callable[[], int] | None = None
if sys.platform == "linux":
    _core = getattr(ctypes.CDLL(None), "sched_getcpu", None)
_NOTHING = contextlib.nullcontext()


class SpinWait:
    """Waits of one kind; what the last one took says how the next one begins.

    Parameters
    ----------
    stays : bool
        Whether the thread keeps to its core while it spins. Where two that take turns
        in another process stand on two cores, the scheduler moves whoever spins to and
        fro before them, at half of the time again; one that stays brings them together.
    """

    __slots__ = ("_last_s", "_stays")

    def __init__(self, *, stays: bool = False) -> None:
        self._last_s = float("inf")
        self._stays = stays

    def wait(
        self, look: Callable[[float | None], T], timeout_s: float | None = None
    ) -> T:
        """Return what has come.

        Parameters
        ----------
        look : callable
            Waits for so long at most (None: for ever) and returns what has come; with
            0 it does not wait.
        timeout_s : float, optional
            Longest wait in seconds.
        """
        began = perf_counter()
        if self._last_s < SPIN_S:
            end = began + SPIN_S
            if timeout_s is not None:
                end = min(end, began + timeout_s)
            with _staying() if self._stays else _NOTHING:
                found = look(0)
                while not found and perf_counter() < end:
                    _give_way()
                    found = look(0)
            if found:
                self._last_s = perf_counter() - began
                return found
        found = look(timeout_s)
        self._last_s = perf_counter() - began
        return found


@contextlib.contextmanager
def _staying() -> Iterator[None]:
    """Keep this thread to the core that it is on; where that may not be, go on so."""
    cores: set[int] = set()
    if sys.platform == "linux" and _core is not None:
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            cores = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {_core()})
    try:
        yield
    finally:
        if cores:
            _go_anywhere(cores)


def _go_anywhere(cores: set[int]) -> None:
    if sys.platform == "linux":
        try:
            os.sched_setaffinity(0, cores)
        except OSError:  # they were taken from this group meanwhile: all that it has
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, range(os.cpu_count() or 1))


class SpinningSelector(selectors.DefaultSelector):
    """What an event loop waits on; spins where it is told that something comes soon.

    Attributes
    ----------
    spin : SpinWait or None
        The kind of wait that comes next; None sleeps at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spin: SpinWait | None = None

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events, as selectors do."""
        if self.spin is None or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        return self.spin.wait(super().select, timeout)


class LoneJob:
    """Says when the next step of a job is soon, since nothing else is to be done.

    Only then is a core free to look for it: with more jobs, each look takes time from
    a job's body; and where nobody waits for a job, from the thread that goes on to
    submit the next. So there must be two cores, one for each side. Between two jobs
    the loop sleeps: it shares its core, and all that Python holds, with that thread.

    Attributes
    ----------
    is_awaited : bool
        Whether somebody waited for the job that ended last.
    """

    def __init__(self) -> None:
        self.selector = SpinningSelector()
        self.is_awaited = False
        self._for_end = SpinWait()
        self._may_spin = usable_cores() > 1

    @property
    def is_expected(self) -> bool:
        """Whether the end of a job is awaited, and nothing else may come with it."""
        return self.selector.spin is not None

    def expect(self, busy: int | None) -> bool:
        """Take note of how many jobs run (None where some wait); whether to spin."""
        is_soon = self.is_next(busy)
        self.selector.spin = self._for_end if is_soon else None
        return is_soon

    def is_next(self, busy: int | None) -> bool:
        """Whether the only job that is there follows one that somebody waited for."""
        return self._may_spin and self.is_awaited and busy == 1
