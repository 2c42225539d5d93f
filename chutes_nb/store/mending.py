"""Puts a damaged store aside and fills a new one from the journal."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from .. import failpoints
from ..errors import StoreDamaged
from . import contents, moving, witness
from .compacting import held_back
from .db import Database
from .faults import decoded, explain, is_passing
from .gate import Gate
from .journal import Journal, sync_folder

log = logging.getLogger(__name__)

# The gate's file is not among them: whoever waits at it must find the same one.
SUFFIXES = ("", "-wal", "-shm")
CHECK = "PRAGMA integrity_check(1)"
SHOWN = 5


class Mended(NamedTuple):
    """What was done to a store.

    Attributes
    ----------
    aside : pathlib.Path or None
        Where the damaged file lies now; None where the file was whole.
    jobs : list of str
        Ids of the jobs that were written again from the journal.
    is_recounted : bool
        Only the numbers of jobs in each state were wrong.
    """

    aside: Path | None
    jobs: list[str]
    is_recounted: bool = False

    def __str__(self) -> str:
        if self.is_recounted:
            return "the store's jobs were counted anew; no job was lost"
        named = ", ".join(self.jobs[:SHOWN]) + (", ..." * (len(self.jobs) > SHOWN))
        told = f"{len(self.jobs)} jobs were written again from the journal ({named})"
        if not self.jobs:
            told = "no job was lost"
        if self.aside is None:
            return f"the store had lost its newest commits; {told}"
        return (
            f"the store was damaged; it lies now at {self.aside}, and {told}. Metrics, "
            "state and checkpoints of those jobs are not in the journal"
        )


def damage(path: Path) -> str | None:
    """Return what is wrong with a store's file, None where it is sound.

    Takes as long as reading the whole file.

    Raises
    ------
    StoreError
        If it could not be read for another reason.
    """
    connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=10)
    try:
        with decoded():
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            row = connection.execute(CHECK).fetchone()
            if row[0] == "ok":
                connection.execute("SELECT rev FROM clock").fetchone()
                astray = connection.execute(contents.FOREIGN_KEYS).fetchone()
                if astray is not None:  # each connection of ours would have refused
                    return f"a row of {astray[0]} refers to no row of {astray[2]}"
    except sqlite3.DatabaseError as error:
        if is_passing(error):
            raise explain(path, error) from error
        return str(error)
    finally:
        connection.close()
    return None if row[0] == "ok" else str(row[0])


def is_wrong(database: Database, journal: Journal) -> bool:
    """Whether the values in a file's rows are not those that the journal has.

    Of the moves it has no more than the ends; but each hangs on another.

    Raises
    ------
    StoreError
        If they could not be read for another reason than damage.
    """
    with held_back(journal):  # before the store, which may only be ahead
        records = list(journal.records())
    try:
        if database.reader.one(moving.ASTRAY) is not None:
            return True
        return any(True for _ in contents.differences(database.reader, records))
    except contents.UNREADABLE as error:
        if is_passing(error):
            raise explain(database.path, error) from error
        return True


def rebuild(
    database: Database, journal: Journal | None, *, is_known: bool = False
) -> Mended | None:
    """Put a damaged file aside and make a new one; None where it was sound.

    Other processes that have it open turn to the new file at their next write.

    Parameters
    ----------
    journal : Journal or None
        None for a file without a second witness: it begins anew, empty.
    is_known : bool
        The file is known to be damaged where SQLite finds nothing to say.
    """
    if journal is None:
        return _rebuild(database, None, is_known)
    with held_back(journal):
        return _rebuild(database, journal, is_known)


def _rebuild(
    database: Database, journal: Journal | None, is_known: bool
) -> Mended | None:
    path = database.path
    gate = Gate(path.with_name(path.name + ".gate"))
    with contextlib.closing(gate), gate.taken():
        if not path.exists() or (damage(path) is None and not is_known):
            _unmark(database)
            return None
        fresh = path.with_name(path.name + ".new")
        for suffix in (*SUFFIXES, ".gate"):
            fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
        changed = _fill(database.sibling(fresh), journal)
        failpoints.hit("mend.before_aside")
        aside = _put_aside(path)
        failpoints.hit("mend.between")
        os.replace(fresh, path)
        failpoints.hit("mend.after_replace")
        fresh.with_name(fresh.name + ".gate").unlink(missing_ok=True)
        sync_folder(path.parent)
        _unmark(database)
    database.is_in_place()
    return Mended(aside, sorted(changed))


def _unmark(database: Database) -> None:
    with contextlib.suppress(OSError):
        database.damage_mark.unlink(missing_ok=True)


def _fill(fresh: Database, journal: Journal | None) -> set[str]:
    changed: set[str] = set()
    try:
        if journal is not None:
            with fresh.writing() as tx:
                rev = journal.last_rev()
                changed = witness.play(tx, journal.records(), rev)
    finally:
        fresh.close()
    return changed


def _put_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    while aside.exists():
        aside = aside.with_name(aside.name + "x")
    # The log first: a file without its log is old, a log without its file is lost.
    for suffix in reversed(SUFFIXES):
        with contextlib.suppress(FileNotFoundError):
            os.rename(path.with_name(path.name + suffix), f"{aside}{suffix}")
    return aside


def refill(database: Database, journal: Journal) -> Mended | None:
    """Write what the journal has and the store has not; None if that is nothing."""
    with held_back(journal):
        if not witness.missing(database.reader, journal.records()):
            return None
        with database.writing() as tx:
            # Once more, now that nobody writes: one may be deleted since it was read.
            found = witness.missing(tx, journal.records())
            if found:
                witness.play(tx, journal.records(), journal.last_rev())
    return Mended(None, sorted(found)) if found else None


def recount(database: Database) -> Mended | None:
    """Count the jobs anew; None where the counts were right."""
    with database.writing() as tx:
        return Mended(None, [], True) if witness.recount(tx) else None


def mend_whole(database: Database, logs: Database, journal: Journal) -> Mended | None:
    """Look for whatever can be mended, and mend it; None where nothing was wrong.

    Reads the whole store. What is found first decides: a file that was rebuilt has
    all its jobs and counts, and so on.
    """
    with held_back(journal):  # else by what a damaged file says that there is
        is_known = is_wrong(database, journal)
        mended = (
            rebuild(database, journal, is_known=is_known)
            or refill(database, journal)
            or recount(database)
        )
    logs_mended = rebuild(logs, None)
    return mended or logs_mended


def mend(database: Database, journal: Journal) -> Mended | None:
    """Do what has to be done when a store is opened; cheap where that is nothing.

    A store whose newest revision is older than the journal's has lost commits.
    """
    if database.refusal is not None:
        return None
    mended = None
    if database.damage_mark.exists():
        mended = rebuild(database, journal)
    if mended is None:
        mended = _caught_up(database, journal, journal.last_rev())
    if mended is not None:
        log.warning("chutes_nb: %s", mended)
    return mended


def _caught_up(database: Database, journal: Journal, last: int) -> Mended | None:
    """Add the commits that a store has lost; a file that cannot say is made anew.

    Parameters
    ----------
    last : int
        The journal's newest revision, read first: the store may only be ahead of it.
    """
    try:
        with decoded():
            (rev,) = database.reader.all("SELECT rev FROM clock")[0]
            if rev >= last:
                return None
            mended = refill(database, journal)
            with database.writing() as tx:  # nobody may meet a revision twice
                tx.run(witness.RAISE_REV, {"rev": last + witness.REV_MARGIN})
            return mended
    except (StoreDamaged, *contents.UNREADABLE) as error:
        if is_passing(error):
            raise
        return rebuild(database, journal, is_known=True)
