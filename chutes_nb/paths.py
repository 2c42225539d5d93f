"""Where things live: the home of the store and the short-lived runtime folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

from .errors import StoreUnsafe

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600


def default_home() -> Path:
    """Folder of the store: ``CHUTES_NB_HOME``, else Jupyter's data folder.

    Returns
    -------
    pathlib.Path
        Absolute; not created yet.
    """
    named = os.environ.get("CHUTES_NB_HOME")
    if named:
        return Path(named).expanduser().absolute()
    from jupyter_core.paths import jupyter_data_dir  # slow to import, often not needed

    return Path(jupyter_data_dir()) / "chutes_nb"


@cache
def interpreter() -> str:
    """Path of this Python: one for all the names that it is started by."""
    return interpreter_of(sys.executable)


@cache
def interpreter_of(path: str) -> str:
    """Path of a Python: one for all the names that it is started by.

    Who starts kernels names it as they like: ``python`` or ``python3.11``, by a link,
    by ``..``. Jobs of one belong to all of them. The file itself is not it: those of
    two environments may be the same. Earlier versions kept the name as it was, so what
    the store has is compared by this, too.
    """
    folder, name = os.path.split(path)
    if not folder:
        return path
    folder = os.path.realpath(folder)
    for usual in ("python", "python3"):
        found = os.path.join(folder, usual)
        if os.path.realpath(found) == os.path.realpath(path):
            return found
    return os.path.join(folder, name)


def private_dir(path: Path) -> Path:
    """Make a folder that only its owner can enter, and check that it is so.

    Raises
    ------
    StoreUnsafe
        If the folder belongs to somebody else or is a link.
    """
    path.mkdir(mode=PRIVATE_DIR, parents=True, exist_ok=True)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise StoreUnsafe(
            f"{path} is not a folder of user {os.getuid()}; jobs and their results "
            "are kept only in a folder of one's own: set CHUTES_NB_HOME to another"
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        os.chmod(path, PRIVATE_DIR)
    return path


def private(path: str, flags: int) -> int:
    """Open a file that only its owner can read: ``open(..., opener=private)``."""
    return os.open(path, flags, PRIVATE_FILE)


def runtime_dir(home: Path) -> Path:
    """Folder of a home's sockets; short, since AF_UNIX paths end at 104 bytes.

    It is there as long as a socket is: who makes one makes it (:func:`private_dir`),
    and who removes the last one removes it (:func:`let_go`).
    """
    mark = hashlib.sha256(os.fsencode(home.absolute())).hexdigest()[:10]
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and len(base) <= 50 and os.access(base, os.W_OK):
        return Path(base) / f"chutes_nb-{mark}"
    base = tempfile.gettempdir()
    if len(base) > 50:
        base = "/tmp"
    return Path(base) / f"chutes_nb-{os.getuid()}-{mark}"


def beside(socket: Path) -> Path:
    """Short way to the folder of the worker that a socket leads to."""
    return socket.with_suffix(".d")


def let_go(socket: Path) -> None:
    """Remove a socket, and its folder with the last one; no error where they went."""
    with contextlib.suppress(OSError):
        socket.unlink(missing_ok=True)
        beside(socket).unlink(missing_ok=True)
        socket.parent.rmdir()
