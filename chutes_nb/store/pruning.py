"""Lets go of old jobs: rows, logs, contents that nobody needs, journal, folders."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .. import failpoints
from ..errors import StoreError, StoreFull
from . import jobs, late, logs
from .blobs import blob_path
from .compacting import compact
from .db import Database, Transaction
from .disk import Ballast
from .journal import Journal
from .large import Large

BATCH = 200
UPLOADS = "uploads"  # their folder in the store's home
# A content is there a moment before the row that refers to it.
YOUNG_S = 3600.0
SHRINK_BYTES = 4 << 20

OLD = """
SELECT id
  FROM jobs
 WHERE finished_at IS NOT NULL AND finished_at < :before
 ORDER BY finished_at
"""
WEIGHTS = """
SELECT j.id, j.finished_at IS NOT NULL AS is_ended,
       length(j.input) + length(j.inputs) + coalesce(length(j.error), 0)
       + coalesce((SELECT coalesce(length(body), 0) + coalesce(length(view), 0)
                     FROM results WHERE job = j.id), 0)
       + coalesce((SELECT length(body) FROM checkpoints WHERE job = j.id), 0)
       + (SELECT coalesce(sum(length(body)), 0) FROM partials WHERE job = j.id)
       + (SELECT coalesce(sum(size), 0) FROM files WHERE job = j.id) AS bytes,
       (SELECT blob FROM results WHERE job = j.id) AS blob, j.input, j.definition
  FROM jobs j
 ORDER BY coalesce(j.finished_at, 9e99)
"""
NEXT_LOGGED = "SELECT min(job) FROM chunks WHERE job > :after"
CODES = "SELECT key, code FROM definitions WHERE key IN (SELECT definition FROM jobs)"
LOG_WEIGHTS = "SELECT job, sum(length(body)) FROM chunks GROUP BY job"
# While a kernel lives that may have made it, the newest of a name can be submitted
# by that name; one that was superseded only costs its arrays on the disk.
UNUSED_DEFINITIONS = """
DELETE FROM definitions
 WHERE key NOT IN (SELECT definition FROM jobs)
   AND created_at < :now - :young
   AND (created_at < (SELECT coalesce(min(started_at), :now)
                        FROM executors WHERE ended_at IS NULL)
        OR EXISTS (SELECT 1 FROM definitions later
                    WHERE later.chute = definitions.chute
                      AND later.name = definitions.name
                      AND later.created_at > definitions.created_at))
"""
LIVE_WORKERS = """
SELECT id FROM workers WHERE ended_at IS NULL
"""
MENTIONS = """
SELECT code AS body FROM definitions
UNION ALL SELECT setup FROM definitions
UNION ALL SELECT input FROM jobs
UNION ALL SELECT blob FROM results WHERE blob IS NOT NULL
UNION ALL SELECT body FROM results WHERE body IS NOT NULL
UNION ALL SELECT view FROM results WHERE view IS NOT NULL
UNION ALL SELECT sha256 FROM files
UNION ALL SELECT body FROM partials
UNION ALL SELECT body FROM checkpoints
UNION ALL SELECT exact FROM states WHERE exact IS NOT NULL
"""
NAME = re.compile(rb"[0-9a-f]{64}")


class Pruned(NamedTuple):
    """What was let go.

    Attributes
    ----------
    jobs : int
    files : int
        Contents, and folders of workers that are no more.
    bytes : int
        How much smaller the store's folder is.
    """

    jobs: int
    files: int
    bytes: int


def old_jobs(tx: Transaction, before: float) -> list[str]:
    """Jobs that ended before a time (seconds since 1970), oldest first."""
    return [str(row[0]) for row in tx.all(OLD, {"before": before})]


def heavy_jobs(
    readers: tuple[Transaction, Transaction],
    blobs: Path,
    large: Large,
    keep_bytes: int,
) -> list[str]:
    """Ended jobs, oldest first, without which the others take at most so many bytes.

    Arrays and frames that several jobs were given weigh once, and go with the last.

    Parameters
    ----------
    readers : tuple
        Of the jobs and of the logs.
    """
    tx, log_tx = readers
    written = {row[0]: row[1] for row in log_tx.each(LOG_WEIGHTS)}
    carried = {row["key"]: _named(row["code"]) for row in tx.each(CODES)}
    users: Counter[str] = Counter()
    ended: list[tuple[str, int, set[str]]] = []
    total = 0
    for row in tx.each(WEIGHTS):
        weight = row["bytes"] + written.get(row["id"], 0) + _size(blobs, row["blob"])
        weight += large.weight(row["id"])
        total += weight
        # One that has come since they were read: its arrays are left out this time.
        given = _named(row["input"]) | carried.get(row["definition"], set())
        users.update(given)
        if row["is_ended"]:
            ended.append((row["id"], weight, given))
    total += sum(_size(blobs, name) for name in users)
    found = []
    for job, weight, given in ended:
        if total <= keep_bytes:
            break
        users.subtract(given)
        total -= weight + sum(_size(blobs, name) for name in given if not users[name])
        found.append(job)
    return found


def _named(body: bytes) -> set[str]:
    """Hashes that occur in something: the contents it needs are among them."""
    return {name.decode() for name in NAME.findall(body)}


def _size(blobs: Path, sha256: str | None) -> int:
    if sha256 is None:
        return 0
    try:
        return blob_path(blobs, sha256).stat().st_size
    except OSError:
        return 0


def forget(
    database: Database, log_database: Database, ballast: Ballast, ids: list[str]
) -> int:
    """Delete ended jobs and their logs, few at a time; returns how many.

    To let go of rows takes room for a moment as well. A disk may be full of them, so
    the ballast makes it, and of what is written the log is emptied at once then.
    """
    gone, at, size = 0, 0, BATCH
    while batch := ids[at : at + size]:
        try:
            with database.writing() as tx:
                deleted = [job for job in batch if jobs.delete(tx, job)]
        except StoreFull:
            if not ballast.free() and size == 1:
                raise
            size = max(1, size // 10)
            database.checkpoint(0)
            continue
        failpoints.hit("prune.between")
        _forget_logs(log_database, ballast, deleted)
        gone, at = gone + len(deleted), at + len(batch)
        if size < BATCH:
            database.checkpoint(0)
            log_database.checkpoint(0)
    return gone


def _forget_logs(log_database: Database, ballast: Ballast, ids: list[str]) -> None:
    def write() -> None:
        with log_database.writing() as tx:
            for job in ids:
                logs.delete(tx, job)

    ballast.lend(write)


def delete(
    database: Database, log_database: Database, ballast: Ballast, job: str
) -> None:
    """Delete an ended job and its logs; raises JobNotFound, StoreError."""

    def write() -> None:
        with database.writing() as tx:
            if not jobs.delete(tx, job):
                state = jobs.get(tx, job)["state"]
                raise StoreError(f"job {job} is {state}: cancel it, then delete it")

    ballast.lend(write)
    failpoints.hit("delete.between")
    _forget_logs(log_database, ballast, [job])


def forget_lost_logs(
    database: Database, log_database: Database, ballast: Ballast
) -> None:
    """Delete logs whose job is not there: who deleted it was killed in between."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        (after,) = log_database.reader.all(NEXT_LOGGED, {"after": after})[0]
        found += [] if after is None else [after]
    # After the logs: a job is there before its log is.
    lost = [job for job in found if jobs.state(database.reader, job) is None]
    for at in range(0, len(lost), BATCH):
        _forget_logs(log_database, ballast, lost[at : at + BATCH])


def forget_definitions(database: Database) -> int:
    """Delete definitions that no job has and no living executor counts on."""
    with database.writing() as tx:
        return tx.run(UNUSED_DEFINITIONS, {"now": time.time(), "young": YOUNG_S})


def mentioned(tx: Transaction) -> set[str]:
    """Hashes that occur anywhere in what is kept.

    Pickles name the contents they need by these letters. To look for the letters
    misses none of them, and nothing has to be unpickled.
    """
    found: set[str] = set()
    for row in tx.each(MENTIONS):
        body = row[0].encode() if isinstance(row[0], str) else row[0]
        found |= _named(body)
    return found


def orphaned_blobs(tx: Transaction, blobs: Path) -> Iterator[Path]:
    """Contents that nothing refers to, and that are not about to be referred to."""
    young = time.time() - YOUNG_S
    old = [path for path in blobs.glob("*/*") if _is_older(path, young)]
    old += [path for path in blobs.glob("new-*") if _is_older(path, young)]
    if not old:
        return
    needed = mentioned(tx) | _uploaded(blobs.parent / UPLOADS)
    for path in old:
        # Once more: who is to refer to it since then has made it young again.
        if path.name not in needed and _is_older(path, young):
            yield path


def _uploaded(folder: Path) -> set[str]:
    """Hashes of the uploads that are whole: a job may be given each of them yet."""
    found: set[str] = set()
    for path in folder.glob("*.json"):
        with contextlib.suppress(OSError):  # forgotten just now
            found |= _named(path.read_bytes())
    return found


def _is_older(path: Path, than: float) -> bool:
    try:
        return path.lstat().st_mtime < than
    except OSError:
        return False


def orphaned_runs(tx: Transaction, runs: Path) -> Iterator[Path]:
    """Folders and outputs of workers that are no more."""
    alive = {row[0] for row in tx.all(LIVE_WORKERS)}
    young = time.time() - YOUNG_S
    for path in runs.iterdir():
        if path.name.split(".")[0] not in alive and _is_older(path, young):
            yield path


def remove(paths: Iterable[Path]) -> int:
    """Remove files and folders; returns how many there were."""
    count = 0
    for path in paths:
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
            count += 1
    return count


@contextlib.contextmanager
def _where_there_is_room() -> Iterator[None]:
    """Leave to a later prune what is written anew where the disk has no room for that.

    What was let go serves the next jobs all the same.
    """
    try:
        yield
    except StoreFull:
        pass
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def folder_bytes(home: Path) -> int:
    """Bytes that a folder takes on the disk; asked of the folder, nothing is opened."""
    total = 0
    for place, _, names in os.walk(home):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
    return total


def prune(
    databases: tuple[Database, Database],
    journal: Journal,
    place: tuple[Path, Large, Ballast],
    older_than_s: float | None,
    keep_bytes: int | None,
) -> Pruned:
    """Let go of ended jobs by age, then by size, and of what only they needed.

    Parameters
    ----------
    databases : tuple
        That of the jobs and that of the logs.
    place : tuple
        The store's folder, its large files, and its ballast.
    """
    home, large, ballast = place
    main, log_database = databases
    before = folder_bytes(home)
    blobs, runs = home / "blobs", home / "runs"
    ids: list[str] = []
    if older_than_s is not None:
        ids = old_jobs(main.reader, time.time() - older_than_s)
    gone = forget(main, log_database, ballast, ids)
    if keep_bytes is not None:
        readers = (main.reader, log_database.reader)
        heavy = heavy_jobs(readers, blobs, large, keep_bytes)
        gone += forget(main, log_database, ballast, heavy)
    forget_lost_logs(main, log_database, ballast)
    ballast.lend(lambda: forget_definitions(main))
    files = remove(orphaned_blobs(main.reader, blobs))
    files += remove(large.orphans(main.reader))
    owed = {one.output for one in late.outputs(main.reader, log_database.reader, runs)}
    files += remove(one for one in orphaned_runs(main.reader, runs) if one not in owed)
    young = time.time() - YOUNG_S
    remove(one for one in journal.folder.glob("*.new") if _is_older(one, young))
    failpoints.hit("prune.before_compact")
    if gone:
        with _where_there_is_room():
            compact(journal, main)
    for database in databases:
        if database.unused_bytes() > SHRINK_BYTES:
            with _where_there_is_room():
                database.shrink()
    return Pruned(gone, files, max(0, before - folder_bytes(home)))
