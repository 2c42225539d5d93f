"""What is too large for a row and changes often: checkpoints and states, as files.

A content that is kept for good is named by its hash and lies in ``blobs``. A checkpoint
of 500 MB that each epoch replaces would fill the disk there; here the new file takes
the place of the old one once the row names it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from .. import failpoints
from ..paths import PRIVATE_FILE, private_dir
from . import runs
from .db import Database, Transaction
from .ids import new_id

LARGE_BYTES = 1_000_000
UNFINISHED_S = 3600.0  # nobody writes to a file for so long without a byte

KNOWN = """
SELECT id FROM jobs
UNION SELECT substr(file, 1, instr(file, '/') - 1) FROM checkpoints
       WHERE file IS NOT NULL
"""
NEEDED = """
SELECT 1
  FROM checkpoints
 WHERE file IS NOT NULL AND substr(file, 1, length(:job) + 1) = :job || '/'
"""


class Large:
    """Files of jobs, each in a folder of its job.

    Parameters
    ----------
    folder : pathlib.Path
        Made with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, job: str, kind: str, body: bytes) -> str:
        """Write a file, whole or not at all; returns how a row names it.

        Parameters
        ----------
        kind : str
            What it is, for :meth:`drop_older`: ``"checkpoint"``, ``"state-1"``.
        """
        place = private_dir(private_dir(self._folder) / job)
        name = f"{kind}.{new_id()}"
        aside = place / f"new-{name}"
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        try:
            with os.fdopen(fd, "wb") as target:
                target.write(body)
                target.flush()
                os.fsync(fd)
            os.replace(aside, place / name)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        return f"{job}/{name}"

    def read(self, file: str) -> bytes:
        """Read a file by the name that a row has; raises FileNotFoundError."""
        return (self._folder / file).read_bytes()

    def drop_older(self, file: str, keep: int = 1) -> None:
        """Remove the files of its kind that a file has replaced.

        Parameters
        ----------
        file : str
            As the row names it now.
        keep : int
            How many stay, itself and older ones; newer ones stay in any case.
        """
        place = self._folder / file
        kind = place.name.rpartition(".")[0]
        # Ids can be sorted: the order of the names is that of the files.
        names = sorted(path.name for path in place.parent.glob(f"{kind}.*"))
        for name in [one for one in names if one <= place.name][:-keep]:
            (place.parent / name).unlink(missing_ok=True)

    def forget(self, tx: Transaction, job: str) -> None:
        """Remove the files of a job that is no more.

        They stay where another job begins at its checkpoint.
        """
        if tx.one(NEEDED, {"job": job}) is None:
            shutil.rmtree(self._folder / job, ignore_errors=True)

    def orphans(self, tx: Transaction) -> list[Path]:
        """Folders of jobs that are not in the store, and files that were cut off.

        Whoever is killed while it writes a checkpoint leaves one that no row names.
        """
        with contextlib.suppress(OSError):
            places = list(self._folder.iterdir())
            known = {row[0] for row in tx.each(KNOWN)}
            gone = [place for place in places if place.name not in known]
            return gone + list(self._cut_off(time.time() - UNFINISHED_S))
        return []

    def _cut_off(self, before: float) -> Iterator[Path]:
        for path in self._folder.glob("*/new-*"):
            with contextlib.suppress(OSError):  # it has just become whole
                if path.lstat().st_mtime < before:
                    yield path

    def weight(self, job: str) -> int:
        """Bytes of a job's files."""
        with contextlib.suppress(OSError):
            return sum(one.stat().st_size for one in os.scandir(self._folder / job))
        return 0


def save_checkpoint(
    database: Database,
    large: Large,
    job: str,
    attempt: int,
    step: float | None,
    kind: str,
    body: bytes,
) -> None:
    """Keep the newest checkpoint of a job; durable when it returns."""
    file = None
    if len(body) > LARGE_BYTES:
        file, body = large.put(job, "checkpoint", body), b""
    with database.writing() as tx:
        runs.set_checkpoint(tx, job, attempt, step, kind, body, time.time(), file)
        failpoints.hit("checkpoint.before_commit")
    failpoints.hit("checkpoint.after_commit")
    if file is not None:
        row = runs.checkpoint(database.reader, job)  # of another process, perhaps
        large.drop_older((row and row["file"]) or file)


def load_checkpoint(
    tx: Transaction, large: Large, job: str
) -> tuple[str, bytes] | None:
    """Return the newest checkpoint of a job, encoded."""
    tried = None
    while (row := runs.checkpoint(tx, job)) is not None:
        file = row["file"]
        try:
            return row["kind"], row["body"] if file is None else large.read(file)
        except FileNotFoundError:
            if file == tried:
                raise
            # Else another process of the job may have saved a newer one just now.
            tried = file
    return None
