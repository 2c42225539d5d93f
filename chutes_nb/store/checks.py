"""What can be wrong with a store, each as a line that says what it is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreBusy
from . import contents, moving, pruning, witness
from .blobs import blob_path
from .compacting import held_back
from .db import Database
from .journal import Journal

# First and last SQLite with the WAL-reset bug (https://sqlite.org/wal.html).
WAL_RESET_BUG = ((3, 7, 0), (3, 51, 2))
WAL_RESET_FIXES = ((3, 44, 6), (3, 50, 7))
SHOWN = 20

# Each gives a row for a violation: its name, the job, and what was found.
INVARIANTS = f"""
{moving.ASTRAY};
SELECT 'a job that ended ' || count(*) || ' times', j.id, j.state
  FROM jobs j LEFT JOIN moves m ON m.job = j.id
   AND m.target IN ('completed', 'failed', 'timeout', 'cancelled', 'interrupted')
 WHERE j.finished_at IS NOT NULL
 GROUP BY j.id HAVING count(m.seq) <> 1;
SELECT 'a move after the end', later.job, later.target
  FROM moves AS later JOIN moves AS last ON last.job = later.job
   AND last.target IN ('completed', 'failed', 'timeout', 'cancelled', 'interrupted')
   AND later.seq > last.seq;
SELECT 'too many attempts', j.id, count(*) || ' of ' || j.max_attempts
  FROM jobs j JOIN attempts a ON a.job = j.id
 GROUP BY j.id HAVING count(*) > j.max_attempts;
SELECT 'attempts with a hole', job, max(number) || ' in ' || count(*) || ' rows'
  FROM attempts
 GROUP BY job HAVING max(number) <> count(*) OR min(number) <> 1;
SELECT 'a job whose attempts are not counted', j.id, j.attempt
  FROM jobs j
 WHERE j.attempt <> (SELECT count(*) FROM attempts WHERE job = j.id);
SELECT 'a live attempt of a job that does not run', j.id, j.state
  FROM jobs j JOIN attempts a ON a.job = j.id AND a.finished_at IS NULL
 WHERE j.state <> 'running';
SELECT 'a running job without a live attempt', j.id, ''
  FROM jobs j
 WHERE j.state = 'running'
   AND NOT EXISTS (SELECT 1 FROM attempts
                    WHERE job = j.id AND finished_at IS NULL);
-- Where the second began before the first did, the clock was set back in between.
SELECT 'attempts that overlap', a.job, a.number || ' and ' || b.number
  FROM attempts a JOIN attempts b ON b.job = a.job AND b.number = a.number + 1
 WHERE b.started_at < coalesce(a.finished_at, 9e18) - 0.001
   AND b.started_at >= a.started_at;
SELECT 'completed without a result', j.id, ''
  FROM jobs j LEFT JOIN results r ON r.job = j.id
 WHERE j.state = 'completed' AND r.job IS NULL;
SELECT 'a result of a job that did not complete', j.id, j.state
  FROM jobs j JOIN results r ON r.job = j.id
 WHERE j.state <> 'completed';
SELECT 'a result of another attempt', r.job, r.attempt
  FROM results r LEFT JOIN attempts a
    ON a.job = r.job AND a.number = r.attempt AND a.state = 'completed'
 WHERE a.job IS NULL;
SELECT 'a job that waits for one that has ended', j.id, coalesce(p.state, 'gone')
  FROM jobs j LEFT JOIN jobs p ON p.id = j.after
 WHERE j.waits = 1 AND (p.id IS NULL OR p.finished_at IS NOT NULL);
SELECT 'a job of a revision that is still to come', j.id, j.rev
  FROM jobs j
 WHERE j.rev > (SELECT rev FROM clock);
SELECT 'a count that is wrong', c.state, c.n
  FROM counts c
 WHERE c.n <> (SELECT count(*) FROM jobs WHERE state = c.state);
"""
CHECKSUMS = "SELECT job, body, sha256 FROM results WHERE body IS NOT NULL"
INTEGRITY = "PRAGMA integrity_check(5)"
AUTOCHECKPOINT = "PRAGMA wal_autocheckpoint"
SQLITES = "SELECT DISTINCT sqlite FROM executors WHERE ended_at IS NULL"
SHA256 = (
    "SELECT sha256 FROM files UNION SELECT blob FROM results WHERE blob IS NOT NULL"
)


def problems(database: Database, logs: Database, journal: Journal) -> Iterator[str]:
    """Look for everything that can be wrong; reads the whole store.

    Yields
    ------
    str
        One line a problem, with the ids of the jobs that have it.
    """
    records = []
    try:
        with held_back(journal):  # before the store, which may only be ahead
            records = list(journal.records())
    except StoreBusy as error:
        yield str(error)
    home = journal.folder.parent
    if database.refusal is not None:
        yield str(database.refusal)
    try:
        for file in (database, logs):
            yield from ungated(file)
            yield from _of_file(file)
        yield from _of_rows(database)
        missing = witness.missing(database.reader, records)
        for job, what in missing.items():
            yield f"job {job}: the journal has {what}, which the store has lost"
        for name, what in contents.differences(database.reader, records):
            yield f"{name}: {what} is not what the journal has: the file is damaged"
        if journal.is_behind:
            yield "the journal waits for room on the disk"
        yield from _of_files(database, home)
    except contents.UNREADABLE as error:
        yield f"the store cannot be read: {error}"


def _of_file(database: Database) -> Iterator[str]:
    for row in database.reader.all(INTEGRITY):
        if row[0] != "ok":
            yield f"{database.path.name} is damaged: {row[0]}"
    for row in database.reader.all(contents.FOREIGN_KEYS):
        yield f"{database.path.name}: a row of {row[0]} refers to no row of {row[2]}"


def _of_rows(database: Database) -> Iterator[str]:
    for statement in INVARIANTS.strip().split(";\n"):
        found = database.reader.all(statement.rstrip(";"))
        for name, job, what in found[:SHOWN]:
            yield f"{name}: {job} {what}".rstrip()
        if len(found) > SHOWN:
            yield f"{found[0][0]}: {len(found) - SHOWN} more"
    for row in database.reader.each(CHECKSUMS):
        if hashlib.sha256(bytes(row["body"])).hexdigest() != row["sha256"]:
            yield f"a result whose checksum is wrong: {row['job']}"


def _of_files(database: Database, home: Path) -> Iterator[str]:
    for row in database.reader.each(SHA256):
        if not blob_path(home / "blobs", row[0]).exists():
            yield f"a content is gone: {row[0]}"
    if orphans := len(list(pruning.orphaned_blobs(database.reader, home / "blobs"))):
        yield f"{orphans} contents that nothing refers to; chutes_nb.prune() lets go"
    if orphans := len(list(pruning.orphaned_runs(database.reader, home / "runs"))):
        yield f"{orphans} folders of workers that are gone; chutes_nb.prune() lets go"
    for path in sorted(home.glob("*.corrupt-*")):
        if not path.name.endswith(("-wal", "-shm")):
            yield f"a damaged store was put aside, look at it or remove it: {path}"


def sqlite_note(version: str) -> str:
    """Return a version of SQLite, with what is known of it."""
    number = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    first, last = WAL_RESET_BUG
    is_fixed = any(number[:2] == fix[:2] and number >= fix for fix in WAL_RESET_FIXES)
    if first <= number <= last and not is_fixed:
        return (
            f"{version} (has the WAL-reset bug of SQLite 3.7.0 to 3.51.2, which loses "
            "commits when a writer and a checkpoint meet. It is safe here: the store's "
            "write gate, one lock that each write, checkpoint and close takes in turn, "
            "keeps them apart, and no connection checkpoints by itself)"
        )
    return version


def ungated(database: Database) -> Iterator[str]:
    """Say what of the write gate does not hold, on which the safety above stands."""
    row = database.reader.one(AUTOCHECKPOINT)
    if database.refusal is None and (row is None or row[0] != 0):
        yield f"{database.path.name}: a connection checkpoints by itself"


def sqlite_notes(database: Database) -> list[str]:
    """Notes of the SQLite versions of every executor that is registered."""
    return [sqlite_note(row[0]) for row in database.reader.all(SQLITES)]
