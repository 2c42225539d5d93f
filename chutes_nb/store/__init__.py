"""The store: the only truth about jobs, shared by every process of one user."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import AbstractContextManager
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

from .. import failpoints
from ..errors import JobNotFound, StoreError
from ..paths import default_home, private_dir, runtime_dir
from ..states import ENDED
from . import holding, jobs, logs, runs, wire
from .db import Database, Gate, Transaction
from .feed import Feed

__all__ = ["Store", "Transaction"]

STORE_MIGRATIONS = ["store_1.sql", "store_2.sql"]
LOG_MIGRATIONS = ["logs_1.sql"]


def _scripts(names: list[str]) -> list[str]:
    folder = files(__package__) / "migrations"
    return [(folder / name).read_text("utf-8") for name in names]


class Store:
    """Jobs, their logs and their files under one private folder.

    Parameters
    ----------
    home : pathlib.Path
        Folder of the store; made, for its owner alone, where it is missing.
    durability : {"process", "full"}
        ``"process"``: what was committed survives every kill of a process.
        ``"full"``: also a loss of power, at about five times the price.

    Raises
    ------
    StoreError
        If the store cannot be used; the message says what to do.
    """

    _opened: ClassVar[dict[Path, Store]] = {}
    _lock = threading.Lock()
    # The default home's store, with what said where it is: asked for at every step.
    _last: ClassVar[tuple[tuple[str | None, int], Store] | None] = None

    def __init__(self, home: Path, durability: str = "process") -> None:
        if durability not in ("process", "full"):
            raise StoreError(f"durability is 'process' or 'full', not {durability!r}")
        synchronous = "FULL" if durability == "full" else "NORMAL"
        self.home = private_dir(home.absolute())
        self.runtime = runtime_dir(self.home)
        self.leases = private_dir(self.home / "leases")
        self.blobs = private_dir(self.home / "blobs")
        self.runs = private_dir(self.home / "runs")
        scripts = _scripts(STORE_MIGRATIONS)
        self._db = Database(self.home / "store.db", scripts, synchronous, 1024)
        self._logs = Database(self.home / "logs.db", _scripts(LOG_MIGRATIONS))
        self.feed = Feed(self.rev, self.has_ended, self.ended_since)

    @classmethod
    def open(cls, home: Path | None = None) -> Store:
        """Return this process's store of a home, opened at the first call."""
        asked = (os.environ.get("CHUTES_NB_HOME"), os.getpid())
        last = cls._last
        if home is None and last is not None and last[0] == asked:
            return last[1]
        place = (home or default_home()).absolute()
        with cls._lock:
            store = cls._opened.get(place)
            if store is None or not store._db.is_ours:
                store = cls._opened[place] = cls(place)
            if home is None:
                cls._last = (asked, store)
            return store

    def close(self) -> None:
        """Close every connection; the next :meth:`open` makes new ones."""
        with self._lock:
            if self._opened.get(self.home) is self:
                del self._opened[self.home]
            if self._last is not None and self._last[1] is self:
                type(self)._last = None
        self._db.close()
        self._logs.close()

    # -- the two ways in ---------------------------------------------------------
    def writing(self, *, entered: bool = False) -> AbstractContextManager[Transaction]:
        """Open the only way to write; see :meth:`Database.writing`."""
        return self._db.writing(entered=entered)

    def writing_logs(self) -> AbstractContextManager[Transaction]:
        """Open the only way to write logs."""
        return self._logs.writing()

    @property
    def reader(self) -> Transaction:
        """The jobs as this thread sees them."""
        return self._db.reader

    @property
    def log_reader(self) -> Transaction:
        """The logs as this thread sees them."""
        return self._logs.reader

    def gate(self) -> Gate:
        """Write gate of this thread, for who must not block on it."""
        return self._db.gate()

    def checkpoint(self, limit_bytes: int | None = None) -> bool:
        """Fold write-ahead logs that have grown into their files."""
        limits = () if limit_bytes is None else (limit_bytes,)
        return bool(self._db.checkpoint(*limits) | self._logs.checkpoint(*limits))

    # -- reading -----------------------------------------------------------------
    def rev(self) -> int:
        """Return the newest revision."""
        return wire.revision(self.reader)

    def wait(self, since: int, timeout_s: float) -> int:
        """Block until something newer than a revision is there; see :class:`Feed`."""
        return self.feed.wait(since, timeout_s)

    def status(self, job: str) -> dict[str, Any]:
        """StatusInfo of a job as JSON; raises JobNotFound."""
        return wire.status(self.reader, job)

    def detail(self, job: str) -> dict[str, Any]:
        """Everything a card shows of a job except its log; raises JobNotFound."""
        return wire.detail(self.reader, job)

    def changes(self, since: int, limit: int = 1000) -> dict[str, Any]:
        """Return jobs and moves newer than a revision."""
        return wire.changes(self.reader, since, limit)

    def jobs(self, **filters: Any) -> tuple[list[dict[str, Any]], int | None]:
        """Page of jobs, newest first, and the next cursor; see ``wire.listed``."""
        return wire.listed(self.reader, **filters)

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return wire.counts(self.reader)

    def log(
        self,
        job: str,
        attempt: int | None = None,
        offset: int = 0,
        limit: int = logs.CHUNK_BYTES,
    ) -> dict[str, Any]:
        """Stretch of an attempt's log from a byte offset; the newest by default."""
        return wire.log(self.reader, self.log_reader, job, attempt, offset, limit)

    def log_tail(
        self, job: str, lines: int, attempt: int | None = None
    ) -> dict[str, Any]:
        """Stretch of an attempt's log that has its last lines."""
        return wire.log_tail(self.reader, self.log_reader, job, attempt, lines)

    def tail(self, job: str, lines: int, attempt: int | None = None) -> list[str]:
        """Return the last lines of an attempt's log; the newest by default."""
        number = attempt or jobs.get(self.reader, job)["attempt"] or 1
        return logs.last(self.log_reader, job, number, lines)

    def find(self, hint: str) -> str:
        """Return the id that an id, its beginning or its ending stands for."""
        return jobs.find(self.reader, hint)

    def newest(self) -> str | None:
        """Id of the job submitted last, whoever submitted it."""
        row = self.reader.one(jobs.NEWEST)
        return None if row is None else str(row[0])

    def has_ended(self, job: str) -> bool:
        """Whether a job has ended, or is not there any more."""
        state = jobs.state(self.reader, job)
        return state is None or state in ENDED

    def ended_since(self, since: int) -> list[str]:
        """Jobs whose end is newer than a revision."""
        return wire.ended_since(self.reader, since)

    # -- what a running job keeps by itself ----------------------------------------
    def save_checkpoint(
        self, job: str, attempt: int, step: float | None, kind: str, body: bytes
    ) -> None:
        """Keep the newest checkpoint of a job; durable when it returns."""
        with self.writing() as tx:
            runs.set_checkpoint(tx, job, attempt, step, kind, body, time.time())
            failpoints.hit("checkpoint.before_commit")
        failpoints.hit("checkpoint.after_commit")

    def load_checkpoint(self, job: str) -> tuple[str, bytes] | None:
        """Return the newest checkpoint of a job, encoded."""
        return runs.checkpoint(self.reader, job)

    # -- intents -----------------------------------------------------------------
    def request_cancel(self, job: str, by: str) -> bool:
        """Cancel a waiting job, or ask for a running one to be; False if ended."""
        with self.writing() as tx:
            asked = jobs.request_cancel(tx, job, by, time.time())
            failpoints.hit("ask.before_commit")
        failpoints.hit("ask.after_commit")
        self.feed.nudge([job] if self.has_ended(job) else [])
        return asked

    def request_extend(self, job: str, seconds: float) -> bool:
        """Ask for more time for a running attempt; False if there is no limit."""
        with self.writing() as tx:
            params = {"job": job, "seconds": seconds, "rev": tx.rev}
            row = tx.one(jobs.EXTEND, params)
        self.feed.nudge()
        return row is not None

    def pause(self, chute: str, by: str) -> bool:
        """Hold a chute's waiting jobs back; False if they are already."""
        return self._set_pause(chute, True, by)

    def resume(self, chute: str, by: str) -> bool:
        """Let a chute's waiting jobs start again; False if they may already."""
        return self._set_pause(chute, False, by)

    def _set_pause(self, chute: str, is_paused: bool, by: str) -> bool:
        with self.writing() as tx:
            has_changed = holding.set_pause(tx, chute, is_paused, by, time.time())
        self.feed.nudge()
        return has_changed

    def is_paused(self, chute: str) -> bool:
        """Whether a chute's waiting jobs are held back."""
        return holding.is_paused(self.reader, chute)

    def delete(self, job: str) -> None:
        """Forget an ended job, its log, result and files.

        Raises
        ------
        JobNotFound
        StoreError
            If the job has not ended.
        """
        with self.writing() as tx:
            if tx.one(jobs.DELETE, {"job": job}) is None:
                state = jobs.state(tx, job)
                if state is None:
                    raise JobNotFound(f"no job has the id {job!r}")
                raise StoreError(f"job {job} is {state}: cancel it, then delete it")
        failpoints.hit("delete.between")
        with self.writing_logs() as tx:
            logs.delete(tx, job)
        self.feed.nudge()

    def data_version(self) -> int:
        """Return a number that changes when another connection commits."""
        row = self.reader.one("PRAGMA data_version")
        return int(row[0]) if row else 0

    @property
    def sqlite_version(self) -> str:
        """Version of the SQLite library in this process."""
        return sqlite3.sqlite_version
