"""A store in a folder that cannot be written: it can still be read."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from ..errors import StoreFull, StoreReadOnly
from ..paths import private_dir
from .gate import Gate

COPY = "read-"
FILES = ("store.db", "store.db-wal", "logs.db", "logs.db-wal")


def refusal(home: Path) -> StoreReadOnly | None:
    """Return why a home cannot be written, None where it can or is still to be made."""
    if not home.is_dir() or home.is_symlink() or os.access(home, os.W_OK | os.X_OK):
        return None
    error = StoreReadOnly(
        f"the folder {home} cannot be written, so its jobs can be read and nothing "
        "can be submitted; make it writable, or set CHUTES_NB_HOME to one that is"
    )
    if not (home / "store.db").exists():
        raise error
    return error


def make(home: Path) -> None:
    """Make a store's folder where it is missing.

    Raises
    ------
    StoreError
        If that cannot be, or the folder is not one's own.
    """
    try:
        private_dir(home)
    except OSError as error:
        kind = StoreFull if error.errno == errno.ENOSPC else StoreReadOnly
        raise kind(
            f"the store's folder {home} cannot be made ({error.strerror}); set "
            "CHUTES_NB_HOME to a folder that can be"
        ) from error


def readable(home: Path, runtime: Path) -> Path:
    """Return the folder to read a home's files from: itself, or a copy of them.

    SQLite reads a write-ahead log only with its shared memory beside it, which it
    cannot make here. ``immutable=1`` would pass over the log. So where it cannot be
    read as it lies, a copy is read, as it was when it was opened.
    """
    try:
        for name in ("store.db", "logs.db"):
            target = f"{(home / name).as_uri()}?mode=ro"
            connection = sqlite3.connect(target, uri=True)
            try:
                connection.execute("SELECT rev FROM clock").fetchone()
            finally:
                connection.close()
    except sqlite3.OperationalError:
        return _copied(home, runtime)
    return home


def leases(runtime: Path) -> Path:
    """Make the folder for leases of who can write nothing; it goes when it is empty."""
    atexit.register(_remove, runtime, os.getpid())
    return private_dir(runtime)


def _copied(home: Path, runtime: Path) -> Path:
    place = leases(runtime)
    target = private_dir(Path(tempfile.mkdtemp(prefix=COPY, dir=place)))
    atexit.register(_remove, target, os.getpid())  # before the folder goes
    gate = Gate(home / "store.db.gate")
    # Nobody writes meanwhile, where the gate's file can be opened.
    with contextlib.closing(gate), gate.taken():
        for name in FILES:
            if (home / name).exists():
                shutil.copyfile(home / name, target / name)
    return target


def _remove(folder: Path, pid: int) -> None:
    """Remove a copy, or an empty folder, when who made it ends (no forked child)."""
    if os.getpid() != pid:
        return
    if folder.name.startswith(COPY):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):  # others have something in it
            folder.rmdir()
