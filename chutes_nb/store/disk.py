"""What the disk under a store can promise: its kind, and room for the last word."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import StoreFull, StoreUnsafe
from ..paths import PRIVATE_FILE
from ..processes import IS_LINUX

T = TypeVar("T")

BALLAST_BYTES = 1 << 20
BALLAST_INTERVAL_S = 2.0

# statfs(2), f_type. On these, locks and shared memory are not what SQLite's
# write-ahead log needs (https://sqlite.org/wal.html, "does not work over a network").
REFUSED = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "CIFS",
    0x01021997: "9p",
    0x65735546: "FUSE",
    0x00C36400: "Ceph",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x5346414F: "AFS",
    0x73757245: "Coda",
}


def file_system(path: Path) -> int:
    """Return the magic number of the file system that holds a path (Linux; else 0)."""
    if not IS_LINUX:
        return 0
    found = (ctypes.c_long * 32)()  # struct statfs has at most 120 bytes
    if ctypes.CDLL(None).statfs(os.fsencode(path), ctypes.byref(found)):
        return 0
    return int(found[0]) & 0xFFFFFFFF


def refuse_network(path: Path, magic: int) -> None:
    """Refuse a home where jobs could be lost.

    Parameters
    ----------
    magic : int
        As :func:`file_system` gives it.

    Raises
    ------
    StoreUnsafe
    """
    name = REFUSED.get(magic)
    if name is not None:
        raise StoreUnsafe(
            f"{path} lies on {name}, where the locks that keep jobs from being lost "
            "cannot be trusted; set CHUTES_NB_HOME to a folder on a local disk, "
            "such as /var/tmp/$USER/chutes_nb, and restart the kernel"
        )


def sync(fd: int) -> None:
    """Let what was written to a file reach the disk.

    macOS has no fdatasync(2), and its fsync(2) leaves what it takes to the drive, which
    may keep it in a cache. F_FULLFSYNC asks the drive too; some file systems refuse it.
    """
    full = getattr(fcntl, "F_FULLFSYNC", None)  # of macOS alone
    if full is not None:
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, full)
            return
    getattr(os, "fdatasync", os.fsync)(fd)


class Ballast:
    """A file without content that is given up so that the end of a job can be told.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._next_look = 0.0

    def free(self) -> bool:
        """Give the room back; False where there was none to give."""
        self._next_look = time.monotonic() + BALLAST_INTERVAL_S
        try:
            self.path.unlink()
        except OSError:
            return False
        return True

    def lend(self, write: Callable[[], T]) -> T:
        """Write something, in this room where there is no other; raises StoreFull."""
        try:
            return write()
        except StoreFull:
            if not self.free():
                raise
            return write()

    def keep(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the room again where it is gone and there is plenty; asks seldom."""
        now = clock()
        if now < self._next_look:
            return
        self._next_look = now + BALLAST_INTERVAL_S
        with contextlib.suppress(OSError):
            if self.path.exists():
                return
            found = os.statvfs(self.path.parent)
            # Twice its size must stay, or it would be the one who fills the disk.
            if found.f_bavail * found.f_frsize < 3 * BALLAST_BYTES:
                return
            fd = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, PRIVATE_FILE)
            try:
                os.write(fd, bytes(BALLAST_BYTES))
            finally:
                os.close(fd)
