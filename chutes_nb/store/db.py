"""One SQLite file: connections, the write gate, migrations and checkpoints.

SQLite 3.7.0 to 3.51.2 can lose commits without a word when a writer and a
checkpointer race (https://sqlite.org/wal.html, "the WAL-reset bug"). The
journal mode belongs to the file, and kernels with different SQLites share it.
So no connection checkpoints by itself, and every write transaction, every
checkpoint and every close runs under one flock, the gate.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreBusy, StoreDamaged, StoreError, StoreReadOnly
from ..interrupts import Uninterrupted
from ..paths import PRIVATE_FILE
from . import room, schema
from .faults import decoded, explain, is_busy, too_new
from .gate import GATE_TIMEOUT_S, Gate
from .journal import Journal, packed
from .opening import Opener
from .seat import BEGIN_TIMEOUT_MS, BUSY_TIMEOUT_MS, Seat, Seats, leave_parent
from .transaction import Params, Row, Transaction

__all__ = ["Database", "Params", "Row", "Transaction"]

DAMAGE_MARK = ".damaged"
WAL_LIMIT_BYTES = 4 << 20
LOG_WAL_LIMIT_BYTES = 1 << 20  # counts for what a flood may take of the disk

VERSION = "PRAGMA user_version"
VALUE_ERRORS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


class Database:
    """A SQLite file with one connection a thread.

    Parameters
    ----------
    path : pathlib.Path
        The file; its lock file is ``<path>.gate``.
    migrations : list of str
        SQL scripts; number n brings ``user_version`` from n to n + 1.
    synchronous : {"NORMAL", "FULL"}
        FULL survives power loss, NORMAL every kill of a process.
    page_bytes : int
        Page size of a new file. Rows that move often want small pages: a page is
        what a commit writes, and a job's life touches about sixteen.
    journal : Journal, optional
        The second witness of what is committed.
    refusal : StoreReadOnly, optional
        Why nothing may be written, where that is known beforehand.
    gives_back : bool
        Whether the room of deleted rows goes back to the disk at each checkpoint.
    """

    def __init__(
        self,
        path: Path,
        migrations: list[str],
        synchronous: str = "NORMAL",
        page_bytes: int = 4096,
        journal: Journal | None = None,
        refusal: StoreReadOnly | None = None,
        gives_back: bool = False,
    ) -> None:
        self.path = path
        self.refusal = refusal
        self.journal = journal
        self._migrations = migrations
        self._opener = Opener(path, synchronous, page_bytes, gives_back)
        self._seats = Seats(path)
        self._inode = 0
        self._name = str(path)

    def open(self) -> Database:
        """Bring the schema up to date.

        Raises
        ------
        StoreDamaged, StoreReadOnly, StoreFull, StoreBusy
        """
        with contextlib.ExitStack() as failing:
            failing.callback(self.close)  # else without the gate, when it is collected
            self._migrate()
            failing.pop_all()
        return self

    def sibling(self, path: Path) -> Database:
        """Return a database of the same kind at another path, with no journal."""
        _, synchronous, page_bytes, gives_back = self._opener
        kind = (self._migrations, synchronous, page_bytes, None, None)
        return Database(path, *kind, gives_back).open()

    # -- connections -------------------------------------------------------------
    def _connect(self) -> Seat:
        if self._seats.is_inherited:
            raise StoreError(
                "this process was forked from one that has the store open; a "
                "connection may not cross a fork: use subprocess or spawn"
            )
        seat = self._seats.own or self._seats.freed()
        if seat is not None and seat.inode == self._inode:
            return seat
        if seat is not None:
            return self._changed_seat(seat)
        seat = self._new_seat()
        self._seats.add(seat)
        self._inode = seat.inode
        return seat

    def _turn_to_place(self, seat: Seat) -> None:
        """Have a seat be at the file in place; the caller has the gate.

        Who waited for it may have a file that was put aside meanwhile, and others of
        this process know that already.
        """
        self.is_in_place()
        if seat.inode != self._inode:
            self._changed_seat(seat)

    def _changed_seat(self, seat: Seat) -> Seat:
        """Turn to the file that has taken the place of one that was put aside.

        The gate stays as it is, entered or not.
        """
        try:
            found = self._opener.connect(seat.gate, self.refusal is not None)
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error
        seat.turn_to(*found)
        self._inode = seat.inode
        return seat

    def _new_seat(self) -> Seat:
        gate = Gate(self.path.with_name(self.path.name + ".gate"))
        try:
            leave_parent(self.path, gate)
            connection, inode = self._opener.connect(gate, self.refusal is not None)
            return Seat(connection, gate, inode)
        except BaseException as error:
            gate.close()
            if isinstance(error, sqlite3.DatabaseError):
                raise self._explain(error) from error
            raise

    @property
    def reader(self) -> Transaction:
        """A connection of this thread for reading; it sees the newest commit."""
        return Transaction(self._connect())

    @property
    def is_ours(self) -> bool:
        """Whether this process opened the file (a forked child did not)."""
        return not self._seats.is_inherited

    def is_in_place(self) -> bool:
        """Whether the file is still the one that is read; if not, the next one is.

        A damaged file is put aside while others have it open.
        """
        try:
            inode = os.stat(self._name).st_ino
        except FileNotFoundError:
            return True  # just between two files
        if inode == self._inode:
            return True
        self._inode = inode
        return False

    # -- writing -----------------------------------------------------------------
    @contextlib.contextmanager
    def writing(self, *, entered: bool = False) -> Iterator[Transaction]:
        """Open the only way to write: gate, BEGIN IMMEDIATE, COMMIT, the journal.

        Parameters
        ----------
        entered : bool
            The caller took :meth:`gate` already; it is left here all the same. Such
            a caller cannot wait, so a lock of somebody else is an error at once.

        Raises
        ------
        StoreFull
            If the disk is full; nothing of the transaction is kept.
        StoreBusy, StoreDamaged, StoreReadOnly
        """
        seat = self._connect()
        # What comes between is undone at the end, and an interrupt comes behind that.
        with seat.in_use, Uninterrupted():
            if seat.connection.in_transaction:
                raise StoreError(f"this thread is in a transaction on {self.path}")
            try:
                if not entered:
                    seat.enter()
                elif not seat.gate.is_entered:
                    raise StoreError(f"{self.path} was closed below who has its gate")
                self._turn_to_place(seat)
                self._begin(seat, 0.0 if entered else GATE_TIMEOUT_S)
                yield from self._transaction(seat)
            except VALUE_ERRORS:  # about what was to be written, not about the store
                raise
            except sqlite3.DatabaseError as error:
                raise self._explain(error) from error
            finally:
                seat.leave()

    def _transaction(self, seat: Seat) -> Iterator[Transaction]:
        connection, record = seat.connection, b""
        is_asked = False
        try:
            if (refusal := self._refusal(connection)) is not None:
                raise refusal
            tx = Transaction(seat)
            yield tx
            tx.count_on()
            record, is_asked = self._record(tx), True
            connection.execute("COMMIT")
        except sqlite3.Error:
            raise
        except BaseException:
            if is_asked and not connection.in_transaction:
                self._tell_journal(record)  # a signal's handler raised it, afterwards
            raise
        self._tell_journal(record)

    def _tell_journal(self, record: bytes) -> None:
        if record and self.journal is not None:
            self.journal.append(record)

    def _record(self, tx: Transaction) -> bytes:
        """Pack what the journal is told; before the commit, since this may fail."""
        return packed(tx.known_rev, tx.facts) if self.journal and tx.facts else b""

    def _begin(self, seat: Seat, timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        seat.be_busy_for(BEGIN_TIMEOUT_MS if timeout_s else 0)
        try:
            while True:
                try:
                    return bool(seat.connection.execute("BEGIN IMMEDIATE"))
                except sqlite3.OperationalError as error:
                    if not is_busy(error):
                        raise
                    if time.monotonic() >= end:
                        raise self._held() from error
        finally:
            if timeout_s:
                seat.be_busy_for(BUSY_TIMEOUT_MS)

    def _held(self) -> StoreBusy:
        return StoreBusy(
            f"another process holds a transaction on {self.path}; it may be stopped "
            "or stuck: %chute_doctor names who uses it"
        )

    def _refusal(self, connection: sqlite3.Connection) -> StoreReadOnly | None:
        """Why nothing may be written; the schema may change while we run."""
        found: int = connection.execute(VERSION).fetchone()[0]
        if self.refusal is None and found > len(self._migrations):
            self.refusal = too_new(self.path, found, len(self._migrations))
        return self.refusal

    def _explain(self, error: sqlite3.DatabaseError) -> StoreError:
        found = explain(self.path, error)
        if isinstance(found, StoreDamaged):
            # Not every open reads the whole file: the next one knows that it should.
            with contextlib.suppress(OSError):
                self.damage_mark.touch(PRIVATE_FILE)
        return found

    @property
    def damage_mark(self) -> Path:
        """A file that is there once damage was met."""
        return self.path.with_name(self.path.name + DAMAGE_MARK)

    def gate(self) -> Gate:
        """Gate of this thread, for callers that must not block while it is taken."""
        return self._connect().gate

    # -- upkeep ------------------------------------------------------------------
    def wal_bytes(self) -> int:
        """Size of the write-ahead log (asked of the folder, never opened)."""
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def checkpoint(self, limit_bytes: int = WAL_LIMIT_BYTES) -> bool:
        """Move the write-ahead log into the file where it passes a size."""
        if self.refusal is not None or self.wal_bytes() <= limit_bytes:
            return False
        seat = self._connect()
        with seat.in_use, Uninterrupted():
            return seat.gate.try_enter() and self._fold(seat)

    def _fold(self, seat: Seat) -> bool:
        busy_ms = seat.busy_ms
        try:
            seat.be_busy_for(0)
            return room.fold(seat.connection, self._opener.gives_back)
        except sqlite3.OperationalError:
            return False  # no room, or somebody's lock: the log stays, and is whole
        finally:
            try:
                seat.be_busy_for(busy_ms)
            finally:
                seat.gate.leave()

    def copy_to(self, path: Path) -> None:
        """Write a copy to a new file; raises FileExistsError or StoreFull."""
        with self._using() as seat:
            schema.copy(seat.connection, path)

    def unused_bytes(self) -> int:
        """Room of deleted rows in the file."""
        with self._using() as seat:
            return room.unused_bytes(seat.connection)

    def shrink(self) -> None:
        """Give the room of deleted rows back to the disk."""
        with self._using() as seat, seat.gate.taken():
            self._turn_to_place(seat)
            room.shrink(seat.connection, self._opener.gives_back)

    @contextlib.contextmanager
    def _using(self) -> Iterator[Seat]:
        """Have the seat of this thread, which nobody closes meanwhile."""
        seat = self._connect()
        try:
            with seat.in_use:
                yield seat
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error

    def _migrate(self) -> None:
        wanted = len(self._migrations)
        with self._using() as seat:
            if self._refusal(seat.connection) is not None or self._version() == wanted:
                return
            with seat.gate.taken():
                schema.advance(seat.connection, self.path, self._migrations)

    @decoded()
    def _version(self) -> int:
        return int(self._connect().connection.execute(VERSION).fetchone()[0])

    def leave_thread(self) -> None:
        """Close the connection of this thread; raises StoreBusy."""
        if self.is_ours:
            self._seats.leave()

    def close(self) -> None:
        """Close every connection, each under the gate; raises StoreBusy."""
        if not self.is_ours:
            return
        # First, so that no thread adds to those that are closed.
        seats, self._seats = self._seats, Seats(self.path)
        try:
            seats.close()
        finally:
            self._seats.keep(seats)
