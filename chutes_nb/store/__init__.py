"""The store: the only truth about jobs, shared by every process of one user."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from .. import failpoints
from ..errors import StoreDamaged, StoreError
from ..paths import default_home, private_dir, runtime_dir
from ..states import ENDED
from . import (
    checks,
    detail,
    disk,
    finding,
    holding,
    jobs,
    large,
    limits,
    listing,
    logs,
    mending,
    pruning,
    readonly,
    wire,
)
from .db import LOG_WAL_LIMIT_BYTES, WAL_LIMIT_BYTES, Database, Transaction
from .feed import Feed
from .gate import Gate
from .journal import Journal
from .pruning import Pruned

__all__ = ["Pruned", "Store", "Transaction"]

log = logging.getLogger(__name__)

STORE_MIGRATIONS = [f"store_{number}.sql" for number in range(1, 14)]
LOG_MIGRATIONS = ["logs_1.sql", "logs_2.sql"]


def _scripts(names: list[str]) -> list[str]:
    folder = files(__package__) / "migrations"
    return [(folder / name).read_text("utf-8") for name in names]


def _opened(database: Database) -> Database:
    try:
        return database.open()
    except StoreDamaged:
        mended = mending.rebuild(database, database.journal)
        if mended is None:
            raise
        log.warning("chutes_nb: %s", mended)
        return database.open()


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
    _lock = Lock()
    # The default home's store, with what said where it is: asked for at every step.
    _last: ClassVar[tuple[str | None, Store] | None] = None

    def __init__(
        self,
        home: Path,
        durability: str = "process",
        file_system: Callable[[Path], int] = disk.file_system,
    ) -> None:
        if durability not in ("process", "full"):
            raise StoreError(f"durability is 'process' or 'full', not {durability!r}")
        synchronous = "FULL" if durability == "full" else "NORMAL"
        self.home = home.absolute()
        refusal = readonly.refusal(self.home)
        if refusal is None:
            readonly.make(self.home)
            disk.refuse_network(self.home, file_system(self.home))
        self.runtime = runtime_dir(self.home)
        self.leases = self.home / "leases"
        self.blobs, self.runs = self.home / "blobs", self.home / "runs"
        self.large = large.Large(self.home / "kept")
        self.journal = Journal(self.home / "outcomes", durability == "full")
        self.ballast = disk.Ballast(self.home / "ballast")
        place = self.home
        if refusal is None:
            for folder in (self.leases, self.blobs, self.runs, self.journal.folder):
                private_dir(folder)
            self.ballast.keep()
        else:
            # An executor that can write nothing has a lease too.
            self.leases = readonly.leases(self.runtime)
            place = readonly.readable(self.home, self.runtime)
        scripts = _scripts(STORE_MIGRATIONS)
        ways = (synchronous, 1024, self.journal, refusal)
        self._db = _opened(Database(place / "store.db", scripts, *ways))
        scripts = _scripts(LOG_MIGRATIONS)
        self._logs = _opened(
            Database(place / "logs.db", scripts, refusal=refusal, gives_back=True)
        )
        self.mended = mending.mend(self._db, self.journal)
        self.feed = Feed(self.rev, self.unended, self.ended_since)

    @classmethod
    def open(cls, home: Path | None = None) -> Store:
        """Return this process's store of a home, opened at the first call."""
        asked = os.environ.get("CHUTES_NB_HOME")
        where, last = cls._last or ("", None)
        if home is None and last is not None and where == asked and last._db.is_ours:
            return last
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
        with contextlib.ExitStack() as closing:
            closing.callback(self.journal.close)
            closing.callback(self._logs.close)
            closing.callback(self._db.close)

    # -- the two ways in ---------------------------------------------------------
    def writing(self, *, entered: bool = False) -> AbstractContextManager[Transaction]:
        """Open the only way to write; see :meth:`Database.writing`."""
        return self._db.writing(entered=entered)

    def writing_logs(
        self, *, entered: bool = False
    ) -> AbstractContextManager[Transaction]:
        """Open the only way to write logs."""
        return self._logs.writing(entered=entered)

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

    def log_gate(self) -> Gate:
        """Write gate of the logs, for who must not block on it."""
        return self._logs.gate()

    def checkpoint(self, limit_bytes: int | None = None) -> bool:
        """Fold write-ahead logs that have grown into their files."""
        limit = WAL_LIMIT_BYTES if limit_bytes is None else limit_bytes
        # A flood of output is never idle, and fills nothing but its log.
        of_logs = min(limit, LOG_WAL_LIMIT_BYTES)
        return bool(self._db.checkpoint(limit) | self._logs.checkpoint(of_logs))

    def keep_ready(self) -> None:
        """Take the ballast again, write what the journal lacks, find a new file."""
        if self._db.refusal is not None:
            return
        self.ballast.keep()
        self._db.is_in_place()
        self._logs.is_in_place()
        if self.journal.is_behind and self.gate().try_enter():
            try:
                with contextlib.suppress(OSError):
                    self.journal.flush()
            finally:
                self.gate().leave()

    def mend(self) -> mending.Mended | None:
        """Put a damaged store aside and rebuild it; add what it lost.

        Returns
        -------
        Mended or None
            None where nothing was wrong.

        Raises
        ------
        StoreError
        """
        mended = mending.mend_whole(self._db, self._logs, self.journal)
        self.feed.nudge()
        return mended

    def prune(
        self, older_than_s: float | None = None, keep_bytes: int | None = None
    ) -> Pruned:
        """Let go of ended jobs by age and by size, with all that only they needed.

        Parameters
        ----------
        older_than_s : float, optional
            Seconds since a job ended.
        keep_bytes : int, optional
            What the jobs that stay may take; the oldest go first.
        """
        # What the store has lost must not lose its only witness as well.
        mending.refill(self._db, self.journal)
        both = (self._db, self._logs)
        place = (self.home, self.large, self.ballast)
        pruned = pruning.prune(both, self.journal, place, older_than_s, keep_bytes)
        self.feed.nudge()
        return pruned

    def problems(self) -> list[str]:
        """Everything that is wrong, a line each; reads the whole store."""
        return list(checks.problems(self._db, self._logs, self.journal))

    def copy_to(self, path: Path) -> None:
        """Write a copy of the jobs to a new file; raises FileExistsError."""
        self._db.copy_to(path)

    @property
    def refusal(self) -> StoreError | None:
        """Why nothing can be written, None where it can."""
        return self._db.refusal

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

    def detail(self, job: str, most_points: int | None = None) -> dict[str, Any]:
        """Everything a card shows of a job except its log; raises JobNotFound."""
        return detail.detail(self.reader, job, most_points)

    def changes(self, since: int, limit: int = 1000) -> dict[str, Any]:
        """Return jobs and moves newer than a revision."""
        return wire.changes(self.reader, since, limit)

    def jobs(self, **filters: Any) -> tuple[list[dict[str, Any]], int | None]:
        """Page of jobs, newest first, and the next cursor; see ``listing``."""
        return listing.listed(self.reader, **filters)

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return wire.counts(self.reader)

    def log(
        self,
        job: str,
        attempt: int | None = None,
        offset: int = 0,
        limit: int = logs.CHUNK_BYTES,
        numbered: bool = False,
    ) -> dict[str, Any]:
        """Stretch of an attempt's log from a byte offset; the newest by default."""
        place = (job, attempt, offset, limit, numbered)
        return wire.log(self.reader, self.log_reader, *place)

    def log_tail(
        self, job: str, lines: int, attempt: int | None = None
    ) -> dict[str, Any]:
        """Stretch of an attempt's log that has its last lines."""
        return wire.log_tail(self.reader, self.log_reader, job, attempt, lines)

    def tail(self, job: str, lines: int, attempt: int | None = None) -> list[str]:
        """Return the last lines of an attempt's log; the newest by default."""
        number = wire.numbered_attempt(jobs.get(self.reader, job), attempt)
        return logs.last(self.log_reader, job, number, lines)

    def find(self, hint: str) -> str:
        """Return the id that an id, its beginning or its ending stands for."""
        return finding.find(self.reader, hint)

    def newest(self) -> str | None:
        """Id of the job submitted last, whoever submitted it."""
        row = self.reader.one(jobs.NEWEST)
        return None if row is None else str(row[0])

    def has_ended(self, job: str) -> bool:
        """Whether a job has ended, or is not there any more."""
        state = jobs.state(self.reader, job)
        return state is None or state in ENDED

    def unended(self, jobs: list[str]) -> set[str]:
        """Return those of some jobs that are there and have not ended."""
        return wire.unended(self.reader, jobs)

    def ended_since(self, since: int) -> list[str]:
        """Jobs whose end is newer than a revision."""
        return wire.ended_since(self.reader, since)

    # -- what a running job keeps by itself ----------------------------------------
    def save_checkpoint(
        self, job: str, attempt: int, step: float | None, kind: str, body: bytes
    ) -> None:
        """Keep the newest checkpoint of a job; durable when it returns."""
        large.save_checkpoint(self._db, self.large, job, attempt, step, kind, body)

    def load_checkpoint(self, job: str) -> tuple[str, bytes] | None:
        """Return the newest checkpoint of a job, encoded."""
        return large.load_checkpoint(self.reader, self.large, job)

    # -- intents -----------------------------------------------------------------
    def request_cancel(self, job: str, by: str) -> bool:
        """Cancel a waiting job, or ask for a running one to be; False if ended."""
        with self.writing() as tx:
            asked = jobs.request_cancel(tx, job, by, time.time())
            failpoints.hit("ask.before_commit")
        failpoints.hit("ask.after_commit")
        self.feed.nudge([job, *tx.ended_too] if self.has_ended(job) else [])
        return asked

    def request_extend(self, job: str, seconds: float) -> bool:
        """Move the timeout of a running attempt; see :func:`limits.extend`."""
        with self.writing() as tx:
            has_moved = limits.extend(tx, job, seconds)
        self.feed.nudge()
        return has_moved

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
        """Forget a job, its log, result and files.

        Raises
        ------
        JobNotFound
        StoreError
            If it has not ended.
        """
        pruning.delete(self._db, self._logs, self.ballast, job)
        self.large.forget(self.reader, job)
        self.feed.nudge()

    def data_version(self) -> int:
        """Return a number that changes when another connection commits."""
        ((number,),) = self.reader.all("PRAGMA data_version")
        return int(number)

    def sqlite_notes(self) -> list[str]:
        """Return the SQLite of this process and of each executor, with what to know."""
        own = checks.sqlite_note(sqlite3.sqlite_version)
        return [own, *(one for one in checks.sqlite_notes(self._db) if one != own)]


if hasattr(os, "register_at_fork"):  # who has it may be a thread that is not here
    os.register_at_fork(after_in_child=lambda: setattr(Store, "_lock", Lock()))
