"""News of the store: revisions to wait for, ends of jobs to be called at.

A nudge says "look now"; what happened is read from the store by revision, so nudges may
be lost or doubled. Who waits for a short result is given it along: it has just been
committed, and to read it again takes longer than many a job.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from weakref import ReferenceType, ref

from ..bells import new_bell
from ..errors import ChutesError
from ..interrupts import Uninterrupted
from .new import NewResult

# Changes of other processes are found by asking this often (3 us each time).
FOREIGN_POLL_S = 0.1
# A job may be deleted in the moment in which it ends: so each that is waited for is
# looked for as well, at each so many looks.
LOOKS_FOR_GONE = 10
NOTHING: Mapping[str, NewResult] = MappingProxyType({})
# No set of them: an interrupt within its callbacks, written in Python, would be lost.
_known: list[ReferenceType[Feed]] = []


class Returned:
    """One thread's wait for the end of a job.

    A bell alone, since a future takes three times as long to be told: the waiting
    thread sleeps while that is done.

    Attributes
    ----------
    result : NewResult or None
        What the job returned, where that came along.
    """

    __slots__ = ("_bell", "_is_told", "result")

    def __init__(self) -> None:
        self.result: NewResult | None = None
        self._bell, self._is_told = new_bell(), False

    def wait(self, limit_s: float | None) -> bool:
        """Wait for so many seconds at most; whether the job has ended."""
        if not self._is_told and self._bell.wait(limit_s):
            self._is_told = True
            self._bell.give_back()  # it may be another's from now on
        return self._is_told

    def tell(self, result: NewResult | None) -> None:
        """Let the thread go on; called once."""
        self.result = result
        self._bell.ring()

    def give_up(self) -> None:
        """Wait no more, where nobody will tell.

        An interrupt that comes while a bell is finalized would be lost.
        """
        self._bell.give_back()


class Feed:
    """Tells the threads of one process what changed in the store.

    Parameters
    ----------
    revision : callable
        The store's newest revision, read afresh.
    unended : callable
        Those of some jobs that are there and have not ended.
    ended_since : callable
        The jobs whose end is newer than a revision.
    """

    def __init__(
        self,
        revision: Callable[[], int],
        unended: Callable[[list[str]], set[str]],
        ended_since: Callable[[int], list[str]],
    ) -> None:
        self._revision = revision
        self._unended, self._ended_since = unended, ended_since
        self._begin()
        _known[:] = [*(one for one in _known if one() is not None), ref(self)]

    def _begin(self) -> None:
        """Know of nobody who waits, and of no job that runs here.

        So does a forked child: it runs none of its parent's jobs, whoever waited there
        is not here, and who had the lock may be a thread that is not here.
        """
        # Taken by itself: an interrupt within the methods of a condition, which are
        # written in Python, would leave it taken for good.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._nudges = 0
        self._waiting: dict[str, list[Future[None] | Returned]] = {}
        self._live: set[str] = set()
        self._follower: threading.Thread | None = None

    def nudge(
        self, ended: Sequence[str] = (), results: Mapping[str, NewResult] = NOTHING
    ) -> bool:
        """Say that this process has committed something; whether an end was awaited.

        Parameters
        ----------
        ended : sequence of str
            The jobs that ended.
        results : mapping
            What some of them returned, as it was written.
        """
        with Uninterrupted():  # else others who wait would never be told
            with self._lock:
                self._live.difference_update(ended)
                done = [(f, job) for job in ended for f in self._waiting.pop(job, ())]
            for waiting, job in done:
                if isinstance(waiting, Returned):
                    waiting.tell(results.get(job))
                    continue
                with contextlib.suppress(Exception):  # cancelled by who waited
                    waiting.set_result(None)
            with self._lock:  # behind: a thread is woken meanwhile
                self._nudges += 1
                self._changed.notify_all()
        return bool(done)

    def expect(self, jobs: Iterable[str]) -> None:
        """Say that this process runs these jobs, so that it will tell their ends."""
        with self._lock:
            self._live.update(jobs)

    def forget(self) -> None:
        """Say that this process runs nothing any more; others may end its jobs."""
        with self._lock:
            self._live.clear()
            is_waited_for = bool(self._waiting)
        if is_waited_for:
            self._follow()

    def wait(self, since: int, timeout_s: float) -> int:
        """Block until the revision passes ``since``, at most so many seconds.

        Returns
        -------
        int
            The newest revision, which is ``since`` where time ran out.
        """
        end = time.monotonic() + timeout_s
        while True:
            nudges = self._nudges
            rev = self._revision()  # not with the lock: a read may take its time
            left = end - time.monotonic()
            if rev > since or left <= 0:
                return rev
            with Uninterrupted(), self._lock:  # an interrupt comes at the next look
                if self._nudges == nudges:
                    self._changed.wait(min(left, FOREIGN_POLL_S))

    def when_ended(self, job: str) -> Future[None]:
        """Return a future that is done once the job has ended, whoever ends it.

        One that is cancelled is forgotten.
        """
        future: Future[None] = Future()
        self._await(job, future)
        future.add_done_callback(
            lambda done: self.withdraw(job, done) if done.cancelled() else None
        )
        return future

    def when_returned(self, job: str) -> Returned:
        """Return the like for one thread, which may have the result as well."""
        waiting = Returned()
        self._await(job, waiting)
        return waiting

    def withdraw(self, job: str, waiting: Future[None] | Returned) -> None:
        """Forget who waits no more, whether he was told or not."""
        with self._lock:
            others = self._waiting.get(job, [])
            if is_untold := waiting in others:
                others.remove(waiting)
            if not others:
                self._waiting.pop(job, None)
        if is_untold and isinstance(waiting, Returned):
            waiting.give_up()

    def _await(self, job: str, waiting: Future[None] | Returned) -> None:
        with self._lock:
            self._waiting.setdefault(job, []).append(waiting)
            if job in self._live:
                return  # no need to look: its end is still to be told
        if self._unended([job]):
            self._follow()
        else:
            self.nudge([job])

    def _follow(self) -> None:
        with self._lock:
            if self._follower is None or not self._follower.is_alive():
                self._follower = threading.Thread(
                    target=self._look_for_ends, name="chutes-feed", daemon=True
                )
                self._follower.start()

    def _look_for_ends(self) -> None:
        """Find the ends of jobs that other processes run.

        What this process ends is told by :meth:`nudge`, so a slow look is enough
        here, and it costs the same however many jobs are waited for.
        """
        rev, looks = None, 0
        while True:
            # A store that cannot be read now is mended by somebody, or freed.
            with contextlib.suppress(ChutesError, sqlite3.Error, OSError):
                rev = self._tell_ends(rev)
                if looks % LOOKS_FOR_GONE == 0:
                    self._tell_gone()
                looks += 1
            with self._lock:
                if not self._waiting:
                    self._follower = None
                    return
            time.sleep(FOREIGN_POLL_S)

    def _tell_ends(self, since: int | None) -> int:
        """Tell the ends newer than a revision; gives the newest revision."""
        newest = self._revision()  # first: more may end meanwhile
        if since is not None and newest > since:
            self.nudge(self._ended_since(since))
        return newest

    def _tell_gone(self) -> None:
        """Tell all ends of others' jobs that are waited for, however they were lost."""
        with self._lock:
            others = [job for job in self._waiting if job not in self._live]
        there = self._unended(others)
        self.nudge([job for job in others if job not in there])


def _leave_parent() -> None:
    for one in _known:
        if (feed := one()) is not None:
            feed._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_parent)
