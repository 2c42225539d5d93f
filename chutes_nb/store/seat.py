"""What one thread has of a SQLite file: a connection and a place at its gate."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections import deque
from pathlib import Path
from weakref import WeakSet

from ..errors import StoreError
from ..interrupts import Uninterrupted
from .gate import Gate

# For readers, whom only the recovery after a crash keeps waiting.
BUSY_TIMEOUT_MS = 10_000
# For writers. SQLite's waiting cannot be interrupted, so we wait round it.
BEGIN_TIMEOUT_MS = 50
SPARE = 4  # seats kept for threads to come
FORK_WAIT_S = 0.5
FORK_PAUSE_S = 0.001

_known: WeakSet[Seats] = WeakSet()
# Of the parent of a forked child: what is collected is closed, at any time.
_inherited: list[Seats] = []
_forking = threading.local()


class Seat:
    """What one thread has of a file.

    Attributes
    ----------
    connection : sqlite3.Connection
    in_use : threading.RLock
        Held for as long as a statement or a transaction goes on. Who closes the store
        may be another thread, and a connection that is closed below a statement ends
        the process: :mod:`sqlite3` goes on with what is not there any more.
    gate : Gate
    inode : int
        Which file it is: one that is damaged is put aside, and another is made.
    busy_ms : int
        How long SQLite waits for somebody else's lock.
    waits : bool
        Whether it is in use by who waits at the gate only, in the midst of nothing.
    """

    __slots__ = ("busy_ms", "connection", "gate", "in_use", "inode", "waits")

    def __init__(self, connection: sqlite3.Connection, gate: Gate, inode: int) -> None:
        self.connection, self.gate, self.inode = connection, gate, inode
        self.busy_ms = BUSY_TIMEOUT_MS
        self.in_use = threading.RLock()
        self.waits = False

    def enter(self) -> None:
        """Wait for the gate; raises StoreBusy. A fork need not wait for that."""
        self.waits = True
        try:
            self.gate.enter()
        finally:
            self.waits = False

    def leave(self) -> None:
        """Leave the gate, with no transaction open whatever has come in between."""
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        finally:
            self.gate.leave()

    def turn_to(self, connection: sqlite3.Connection, inode: int) -> None:
        """Take the connection to another file at the path, and close the old one.

        SQLite sees that the old file is not at its path any more, so closing it
        touches neither the new write-ahead log nor its shared memory (pager.c,
        ``databaseIsUnmoved``).
        """
        with self.in_use:
            old, self.connection, self.inode = self.connection, connection, inode
            self.busy_ms = BUSY_TIMEOUT_MS
            old.close()

    def be_busy_for(self, ms: int) -> None:
        """Set how long SQLite waits; it cannot be interrupted then."""
        if ms != self.busy_ms:
            self.connection.execute(f"PRAGMA busy_timeout = {ms}")
            self.busy_ms = ms

    def close(self) -> None:
        """Close the connection, under the gate as everything that writes.

        A statement or a transaction of its thread comes to its end before. Once is
        enough: another thread may have been first.

        Raises
        ------
        StoreBusy
            If the gate stays taken; nothing is closed then.
        """
        with self.in_use, Uninterrupted():
            if self.gate.is_closed:
                return
            self.enter()
            try:
                self.connection.close()
            finally:
                self.gate.leave()
                self.gate.close()


class _Sitting:
    """Goes with its thread, and frees the seat that this one had."""

    __slots__ = ("_free", "seat")

    def __init__(self, seat: Seat, free: deque[Seat]) -> None:
        self.seat: Seat | None = seat
        self._free = free

    def __del__(self) -> None:
        if self.seat is not None:
            self._free.append(self.seat)  # takes no lock, wherever this comes


class Seats:
    """One seat for each thread; those of threads that have ended serve others.

    A process may start a thread for each job that it waits for or shows. Left open,
    each would keep three descriptors until there are none.

    Attributes
    ----------
    is_inherited : bool
        Whether they are those of the process that this one was forked from.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._here = threading.local()
        self._all: list[Seat] = []
        self._free: deque[Seat] = deque()
        self._lock = threading.Lock()
        self.is_inherited = False
        _known.add(self)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def own(self) -> Seat | None:
        """Seat of this thread, None where it has none."""
        return getattr(self._here, "seat", None)

    def freed(self) -> Seat | None:
        """Give this thread a seat that another one has left, if there is any."""
        with contextlib.suppress(IndexError):
            seat = self._free.pop()
            self._sit(seat)
            self._close_spare()
            return seat
        return None

    def add(self, seat: Seat) -> None:
        """Take a new seat as that of this thread."""
        with self._lock:
            self._all.append(seat)
        self._sit(seat)

    def leave(self) -> None:
        """Close the seat of this thread.

        Raises
        ------
        StoreBusy
            If the gate stays taken; nothing is closed then.
        """
        seat = self.own
        if seat is not None:
            seat.close()
            self._here.seat = self._here.sitting.seat = None
            with self._lock:
                self._all.remove(seat)

    def close(self) -> None:
        """Close all.

        Raises
        ------
        StoreBusy
            If the gate stays taken; those that were not closed are still known.
        """
        for seat in list(self._all):
            seat.close()
            with self._lock, contextlib.suppress(ValueError):  # its thread was first
                self._all.remove(seat)

    def keep(self, others: Seats) -> None:
        """Take over what others could not close, for the next time."""
        with self._lock:
            self._all += others._all

    def leave_parent(self) -> None:
        """Close in a forked child what its parent has open; the caller has the gate.

        One in the midst of a transaction would undo it where the parent writes it, and
        one in the midst of a statement has locks in it whose thread is not here.

        Raises
        ------
        StoreError
            If one was in the midst of something for as long as a fork can wait.
        """
        for seat in list(self._all):
            if seat.connection.in_transaction:
                continue
            if not (seat.waits or seat.in_use.acquire(blocking=False)):
                raise StoreError(
                    f"this process was forked while another thread read {self.path}; "
                    "use subprocess or spawn, or fork once more"
                )
            seat.connection.close()
            self._all.remove(seat)

    def _sit(self, seat: Seat) -> None:
        self._here.sitting = _Sitting(seat, self._free)
        self._here.seat = seat

    def _close_spare(self) -> None:
        """Close what many threads at once have left, as long as the gate is free."""
        while len(self._free) > SPARE:
            seat = self._free.popleft()
            if not seat.gate.try_enter():
                self._free.append(seat)
                return
            with self._lock:
                self._all.remove(seat)
            seat.close()


def _wait_for_statements() -> None:
    """Have no thread in a statement when this one forks, as far as that can be had.

    None is held while one is waited for: others take them in another order.
    """
    end = time.monotonic() + FORK_WAIT_S
    while True:
        wanted = [
            seat
            for seats in list(_known)
            for seat in list(seats._all)
            if not (seat.waits or _is_owned(seat))
        ]
        # First, so that an interrupt, which ends this and not the fork, leaves none.
        _forking.held = wanted
        taken = [seat for seat in wanted if seat.in_use.acquire(blocking=False)]
        if len(taken) == len(wanted) or time.monotonic() >= end:
            return
        _go_on()
        time.sleep(FORK_PAUSE_S)


def _is_owned(seat: Seat) -> bool:
    """Whether this thread has taken it, as :class:`threading.Condition` asks a lock."""
    return bool(seat.in_use._is_owned())  # type: ignore[attr-defined]


def _go_on() -> None:
    held: list[Seat] = getattr(_forking, "held", [])
    while held:
        if _is_owned(held[-1]):
            held[-1].in_use.release()
        held.pop()


def _inherit() -> None:
    _go_on()
    _inherited[:] = [*_inherited, *_known]
    for seats in _known:
        seats.is_inherited = True
    _known.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_wait_for_statements, after_in_parent=_go_on, after_in_child=_inherit
    )


def leave_parent(path: Path, gate: Gate) -> None:
    """Close the parent's connections to a file before a forked child opens its own.

    SQLite knows the locks of a process by their file, and a child does not have those
    of its parent. Beside such a connection a new one takes them for its own; then the
    log that it commits to is removed by whoever thinks to be the last, and what it
    writes is lost.

    Raises
    ------
    StoreBusy
        If the gate stays taken.
    """
    found = [seats for seats in _inherited if seats.path == path]
    if found:
        with gate.taken():
            for seats in found:
                seats.leave_parent()
