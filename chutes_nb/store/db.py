"""One SQLite file: connections, the write gate, migrations and checkpoints.

SQLite 3.7.0 to 3.51.2 can lose commits without a word when a writer and a
checkpointer race (https://sqlite.org/wal.html, "the WAL-reset bug"). The
journal mode belongs to the file, and kernels with different SQLites share it.
So no connection checkpoints by itself, and every write transaction, every
checkpoint and every close runs under one flock, the gate.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .. import failpoints
from ..errors import StoreError, StoreFull, StoreTooNew
from ..paths import PRIVATE_FILE

Row = sqlite3.Row
Params = Mapping[str, Any]

WAL_LIMIT_BYTES = 4 << 20
GATE_TIMEOUT_S = 30.0
BUSY_TIMEOUT_MS = 10_000

PRAGMAS = """
PRAGMA page_size = {page_bytes};
PRAGMA journal_mode = WAL;
PRAGMA wal_autocheckpoint = 0;
PRAGMA synchronous = {synchronous};
PRAGMA busy_timeout = {busy_ms};
PRAGMA cache_size = -16000;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
"""
TICK = "UPDATE clock SET rev = rev + 1 RETURNING rev"


class Gate:
    """The lock that every writer of one store takes in turn, across processes."""

    def __init__(self, path: Path) -> None:
        # A descriptor of its own for each user: flock belongs to the open file,
        # so two threads with two descriptors exclude each other as well.
        self._fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE_FILE)

    def try_enter(self) -> bool:
        """Take the gate if it is free."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def enter(self, timeout_s: float = GATE_TIMEOUT_S) -> None:
        """Wait for the gate.

        Raises
        ------
        StoreError
            If somebody else keeps it for ``timeout_s`` seconds.
        """
        end = time.monotonic() + timeout_s
        pause = 0.0001
        while not self.try_enter():
            if time.monotonic() > end:
                raise StoreError(
                    f"another process has kept the store locked for {timeout_s:g} s; "
                    "it may be stopped or stuck: %chute_doctor names who uses it"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.002)

    def leave(self) -> None:
        """Give the gate to the next."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the lock file."""
        os.close(self._fd)


class Transaction:
    """One write transaction; :attr:`rev` is the revision it makes."""

    __slots__ = ("_rev", "connection")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._rev: int | None = None

    @property
    def rev(self) -> int:
        """The store's next revision, counted on once a transaction."""
        if self._rev is None:
            self._rev = int(self.connection.execute(TICK).fetchone()[0])
        return self._rev

    def run(self, statement: str, params: Params | None = None) -> int:
        """Run a statement; returns how many rows it touched."""
        return self.connection.execute(statement, params or {}).rowcount

    def one(self, query: str, params: Params | None = None) -> Row | None:
        """First row of a query or of a RETURNING clause, or None."""
        row: Row | None = self.connection.execute(query, params or {}).fetchone()
        return row

    def all(self, query: str, params: Params | None = None) -> list[Row]:
        """Every row of a query."""
        return self.connection.execute(query, params or {}).fetchall()

    def each(self, query: str, params: Params | None = None) -> Iterator[Row]:
        """Rows of a query one by one, as many as are taken."""
        yield from self.connection.execute(query, params or {})


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
        what a commit writes, and a job's life touches about thirty.
    """

    def __init__(
        self,
        path: Path,
        migrations: list[str],
        synchronous: str = "NORMAL",
        page_bytes: int = 4096,
    ) -> None:
        self.path = path
        self._page_bytes = page_bytes
        self._migrations = migrations
        self._synchronous = synchronous
        self._local = threading.local()
        self._pid = os.getpid()
        self._open: list[tuple[sqlite3.Connection, Gate]] = []
        self._lock = threading.Lock()
        self._migrate()

    # -- connections -------------------------------------------------------------
    def _connect(self) -> tuple[sqlite3.Connection, Gate]:
        if os.getpid() != self._pid:
            raise StoreError(
                "this process was forked from one that has the store open; a "
                "connection may not cross a fork: use subprocess or spawn"
            )
        pair = getattr(self._local, "pair", None)
        if pair is None:
            pair = self._local.pair = self._new_pair()
            with self._lock:
                self._open.append(pair)
        found: tuple[sqlite3.Connection, Gate] = pair
        return found

    def _new_pair(self) -> tuple[sqlite3.Connection, Gate]:
        gate = Gate(self.path.with_name(self.path.name + ".gate"))
        if not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, PRIVATE_FILE))
        gate.enter()
        try:
            connection = sqlite3.connect(
                self.path,
                timeout=BUSY_TIMEOUT_MS / 1000,
                isolation_level=None,
                check_same_thread=False,  # close() may come from another thread
                cached_statements=256,
            )
            connection.row_factory = sqlite3.Row
            script = PRAGMAS.format(
                page_bytes=self._page_bytes,
                synchronous=self._synchronous,
                busy_ms=BUSY_TIMEOUT_MS,
            )
            for pragma in script.strip().splitlines():
                connection.execute(pragma)
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error
        finally:
            gate.leave()
        return connection, gate

    @property
    def reader(self) -> Transaction:
        """A connection of this thread for reading; it sees the newest commit."""
        return Transaction(self._connect()[0])

    @property
    def is_ours(self) -> bool:
        """Whether this process opened the file (a forked child did not)."""
        return os.getpid() == self._pid

    # -- writing -----------------------------------------------------------------
    @contextlib.contextmanager
    def writing(self, *, entered: bool = False) -> Iterator[Transaction]:
        """Open the only way to write: gate, BEGIN IMMEDIATE, COMMIT.

        Parameters
        ----------
        entered : bool
            The caller took :meth:`gate` already; it is left here all the same.

        Raises
        ------
        StoreFull
            If the disk is full; nothing of the transaction is kept.
        StoreError
            If the store is locked for too long, damaged or read-only.
        """
        connection, gate = self._connect()
        if not entered:
            gate.enter()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled back already
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error
        finally:
            gate.leave()

    def gate(self) -> Gate:
        """Gate of this thread, for callers that must not block while it is taken."""
        return self._connect()[1]

    def _explain(self, error: sqlite3.DatabaseError) -> StoreError:
        code = getattr(error, "sqlite_errorname", "") or ""
        if code.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHM")):
            return StoreFull(
                f"no room to write {self.path} ({error}); nothing was changed: "
                "free space on its disk and try again"
            )
        if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return StoreError(
                f"{self.path} is damaged ({error}); move the folder "
                f"{self.path.parent} aside and start again"
            )
        if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
            return StoreError(
                f"{self.path} cannot be written ({error}); make its folder writable "
                "or set CHUTES_NB_HOME to one that is"
            )
        return StoreError(f"{self.path}: {code} {error}")

    # -- upkeep ------------------------------------------------------------------
    def wal_bytes(self) -> int:
        """Size of the write-ahead log (asked of the folder, never opened)."""
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def checkpoint(self, limit_bytes: int = WAL_LIMIT_BYTES) -> bool:
        """Move the write-ahead log into the file where it passes a size."""
        if self.wal_bytes() <= limit_bytes:
            return False
        connection, gate = self._connect()
        if not gate.try_enter():
            return False
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            failpoints.hit("ckpt.before")
            row = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            failpoints.hit("ckpt.after")
            return not row[0]
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            gate.leave()

    def _migrate(self) -> None:
        wanted = len(self._migrations)
        found = self._version()
        if found > wanted:
            raise StoreTooNew(
                f"{self.path} has schema {found}, this chutes_nb knows {wanted}; "
                "upgrade chutes_nb, or set CHUTES_NB_HOME to another folder"
            )
        if found == wanted:
            return
        connection, gate = self._connect()
        gate.enter()
        try:
            for number in range(self._version(), wanted):
                failpoints.hit("migrate.before_step")
                connection.executescript(
                    f"BEGIN IMMEDIATE;\n{self._migrations[number]}\n"
                    f"PRAGMA user_version = {number + 1};\nCOMMIT;"
                )
                failpoints.hit("migrate.after_step")
        except sqlite3.DatabaseError as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise self._explain(error) from error
        finally:
            gate.leave()

    def _version(self) -> int:
        try:
            return int(self._connect()[0].execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.DatabaseError as error:
            raise self._explain(error) from error

    def close(self) -> None:
        """Close every connection, each under the gate."""
        if os.getpid() != self._pid:
            return
        with self._lock:
            pairs, self._open = self._open, []
        self._local = threading.local()
        for connection, gate in pairs:
            gate.enter()
            try:
                connection.close()
            finally:
                gate.leave()
                gate.close()
