"""SQLite's errors in words that say what to do."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from ..errors import (
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreTooNew,
)

_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHM", "SQLITE_IOERR_FSYNC")
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ")
_UNDECODED = "Could not decode"  # sqlite3's own error, which has no name of SQLite's
# What every file has from its first step on, by a name that only damage can change.
_NAMELESS = re.compile("no such table|no such column|has no column named")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else holds the lock that was asked for."""
    return _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is not what it should be."""
    return _name(error).startswith(_DAMAGED) or _NAMELESS.search(str(error)) is not None


def is_passing(error: Exception) -> TypeGuard[sqlite3.DatabaseError]:
    """Whether a read of ours failed for another reason than damage, such as a lock.

    Our statements are right: what SQLite can make nothing of there is a spoiled schema,
    and what Python cannot decode is spoiled text.
    """
    if not isinstance(error, sqlite3.DatabaseError) or is_damage(error):
        return False
    return _name(error) != "SQLITE_ERROR" and not str(error).startswith(_UNDECODED)


@contextlib.contextmanager
def decoded() -> Iterator[None]:
    """Take text that is no text for damage: the message or the schema is spoiled.

    Raises
    ------
    sqlite3.DatabaseError
    """
    try:
        yield
    except UnicodeDecodeError as error:
        found = sqlite3.DatabaseError(f"text that cannot be decoded: {error.reason}")
        found.sqlite_errorname = "SQLITE_CORRUPT"
        raise found from error


def explain(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    """Return the error to raise for one of SQLite's."""
    name = _name(error)
    if name.startswith(_FULL):
        return StoreFull(
            f"no room to write {path} ({error}); nothing was changed: "
            "free space on its disk and try again"
        )
    if is_damage(error):
        return StoreDamaged(
            f"{path} is damaged ({error}); %chute_doctor --mend moves it aside and "
            "rebuilds the jobs from the journal beside it"
        )
    if name.startswith("SQLITE_CANTOPEN") and not has_room(path.parent):
        return StoreFull(
            f"the disk of {path} has no room for one more file ({error}): remove some "
            "and try again"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return StoreReadOnly(
            f"{path} cannot be written ({error}); make its folder writable "
            "or set CHUTES_NB_HOME to one that is"
        )
    if is_busy(error):
        return StoreBusy(f"{path} is locked by another process ({error})")
    return StoreError(f"{path}: {name} {error}")


def has_room(folder: Path) -> bool:
    """Whether a disk can take one more file, as far as it says."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return True
    # A file system that counts no files (Btrfs) says 0 of 0.
    return found.f_bavail > 0 and (found.f_favail > 0 or not found.f_files)


def too_new(path: Path, found: int, known: int) -> StoreTooNew:
    """Return the error to raise at a write to a store of a later version."""
    return StoreTooNew(
        f"{path} has schema {found}, this chutes_nb knows {known}, so it reads the "
        "store and changes nothing; upgrade chutes_nb, or set CHUTES_NB_HOME to "
        "another folder"
    )


def _name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "") or ""
