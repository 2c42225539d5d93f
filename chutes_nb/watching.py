"""Notices what others do to the store, and keeps the store small and sound."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable

import anyio

from .entries import Entry, Inbox, Kick, Told
from .errors import ChutesError, StoreError
from .settler import Settler
from .store import Store

log = logging.getLogger(__name__)

FOREIGN_POLL_S = 0.05
IDLE_CHECKPOINT_S = 0.2
IDLE_WAL_BYTES = 1 << 20
BUSY_WAL_BYTES = 64 << 20
SPARE_IDLE_S = 300.0
AFTER_ERROR_S = 0.5
LEAST_JUMP_S = 1.0
STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
RETRY_COMMIT_S = 0.5
RETRY_COMMIT_MAX_S = 10.0


class Watch:
    """An executor's eye on its store.

    Parameters
    ----------
    put : callable
        Takes an entry for the next commit.

    Attributes
    ----------
    last_commit_at : float
        Monotonic; set by the executor.
    """

    def __init__(
        self, store: Store, settler: Settler, put: Callable[[Entry], None]
    ) -> None:
        self._store, self._settler, self._put = store, settler, put
        self.last_commit_at = 0.0
        self._sleep = Sleep()

    async def run(self) -> None:
        """Notice commits of other threads and processes, and do the upkeep."""
        seen, rev = 0, 0
        while True:
            try:
                version = self._store.data_version()
                if not seen:
                    seen, rev = version, self._store.rev()
                if version != seen:
                    seen = version
                    self._put(Kick(asks=True))
                    # A waiting job can be ended by others: a cancel from the server.
                    newest = self._store.rev()  # first: more may end meanwhile
                    self._store.feed.nudge(self._store.ended_since(rev))
                    rev = newest
                self._keep_small()
            except (StoreError, sqlite3.Error, OSError) as error:
                log.error("the store cannot be read: %s", error)
                mended(self._store)
                await anyio.sleep(AFTER_ERROR_S)
            if self._sleep.is_over():
                self._put(Kick(clock=True, asks=True))
            self._settler.send_acks()
            self._settler.let_spares_go(SPARE_IDLE_S)
            await anyio.sleep(FOREIGN_POLL_S)

    def _keep_small(self) -> None:
        is_idle = time.monotonic() - self.last_commit_at > IDLE_CHECKPOINT_S
        self._store.checkpoint(IDLE_WAL_BYTES if is_idle else BUSY_WAL_BYTES)
        self._store.keep_ready()


class Sleep:
    """Notices that the machine has slept: no timer of a loop counts that time."""

    def __init__(self) -> None:
        self._slept_s = self._look()

    @staticmethod
    def _look() -> float:
        return time.clock_gettime(STEADY) - time.monotonic()

    def is_over(self) -> bool:
        """Whether the machine has slept since this was asked last."""
        before, self._slept_s = self._slept_s, self._look()
        return self._slept_s - before > LEAST_JUMP_S


class Clock:
    """Notices that the machine's clock was set, beside one that nobody sets.

    Retries and deadlines are times of the clock on the wall, since they outlive this
    process and this boot; how long they are must not change with it.
    """

    def __init__(self) -> None:
        self._ahead_s = self._look()

    @staticmethod
    def _look() -> float:
        """How far the wall is ahead of the time since boot, which sleep is part of."""
        return time.time() - time.clock_gettime(STEADY)

    def moved_s(self) -> float:
        """By how many seconds the clock was set since :meth:`take`; 0 for a drift."""
        moved = self._look() - self._ahead_s
        if abs(moved) > LEAST_JUMP_S:
            return moved
        self._ahead_s += moved
        return 0.0

    def take(self, moved_s: float) -> None:
        """Go by the new time from now on."""
        self._ahead_s += moved_s


class Alarm:
    """Has an executor look again when a retry is due next, or a deadline.

    Parameters
    ----------
    put : callable
        Takes an entry for the next commit.
    """

    def __init__(self, put: Callable[[Entry], None]) -> None:
        self._put = put
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float | None) -> None:
        """Wake at a time, in seconds since 1970, and no more at the one before.

        None changes nothing. Called on the executor's loop.
        """
        if at is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        left_s, kick = max(0.0, at - time.time()), Kick(clock=True)
        self._timer = asyncio.get_running_loop().call_later(left_s, self._put, kick)


class Gates:
    """The gates of the jobs and of the logs, for who must not wait at them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._has_logs = False
        self._fault = ""

    def enter(self, inbox: Inbox) -> bool:
        """Take the gate of the jobs, and that of the logs where output is written.

        Returns
        -------
        bool
            False, with none taken, where somebody else has one of them. So it is where
            one cannot be asked for (the disk fails, or no descriptor is left): who
            waits asks again.
        """
        try:
            has_entered, fault = self._enter(inbox), ""
        except (StoreError, OSError) as error:
            has_entered, fault = False, str(error)
        if fault and fault != self._fault:
            log.error("will ask for the store's lock again: %s", fault)
        self._fault = fault
        return has_entered

    def _enter(self, inbox: Inbox) -> bool:
        # A copy: other threads submit meanwhile. What has looks comes from this one.
        has_looks = False
        for one in inbox.copy():
            has_looks |= isinstance(one, Told) and one.has_body
        if not self._store.gate().try_enter():
            return False
        if not has_looks:
            return True
        try:
            self._has_logs = self._store.log_gate().try_enter()
        finally:
            if not self._has_logs:
                self._store.gate().leave()
        return self._has_logs

    def leave_logs(self) -> None:
        """Leave the gate of the logs; that of the jobs is left by the commit."""
        if self._has_logs:
            self._has_logs = False
            self._store.log_gate().leave()


def pause_s(entry: Entry) -> float:
    """Seconds until an entry that could not be written is tried again; longer each."""
    entry.tries += 1
    return float(min(RETRY_COMMIT_S * 1.5 ** (entry.tries - 1), RETRY_COMMIT_MAX_S))


def mended(store: Store) -> bool:
    """Rebuild a store that was found damaged; False where that changed nothing."""
    try:
        found = store.mend()
    except (ChutesError, sqlite3.Error, OSError):
        log.exception("the store is damaged and could not be rebuilt")
        return False
    if found is not None:
        log.warning("%s", found)
    return found is not None
