"""Keeps a flood of output small on the disk, in the process that it comes from.

Whoever follows an output is too late for a program that writes a gigabyte a second:
between two looks it fills what the log may take many times over. The worker's second
thread looks each 10 ms, and more often the faster the file grows. Between the head and
the tail that the log keeps it gives the disk back what is there, but for a stretch
before the tail: whoever follows looks at it first, unless it comes too fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from time import monotonic

from ..store.logs import cap_bytes

LOOK_S = 0.01
LEAST_PAUSE_S = 0.0005
STEP_BYTES = 256 << 10  # what a look gives back at least, and lets come meanwhile

_FALLOC_FL_KEEP_SIZE = 0x01
_FALLOC_FL_PUNCH_HOLE = 0x02


def punch(fd: int, start: int, length: int) -> None:
    """Give the disk back a part of a file, without moving what follows.

    Punches a hole (fallocate(2), Linux); elsewhere the file keeps its size until
    the attempt ends.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(AttributeError, OSError):
        flags = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fallocate(fd, flags, ctypes.c_int64(start), ctypes.c_int64(length))


def slack_bytes(half: int) -> int:
    """Bytes before the tail that are left to whoever follows the output."""
    return half // 2


def may_be_gone(offset: int, size: int, half: int) -> bool:
    """Whether what was read at an offset may have been a hole.

    Parameters
    ----------
    size : int
        Of the file, asked for after the reading.
    half : int
        Bytes of the head, and of the tail, that are never given back here.
    """
    return half <= offset < size - half - slack_bytes(half)


class Trimmer:
    """Looks at one output after another.

    Attributes
    ----------
    pause_s : float
        Seconds until the next look is due.
    """

    def __init__(self) -> None:
        self.pause_s = LOOK_S
        self._half = cap_bytes() // 2
        self._path = ""
        self._fd = -1
        self._file: tuple[int, int] | None = None
        self._size = self._freed = 0
        self._looked_at = 0.0

    def look(self, path: str) -> None:
        """Trim an output where it has grown; never fails, and never waits."""
        try:
            if path != self._path:
                self._turn_to(path)
            found = os.fstat(self._fd)
        except OSError:  # it is not there yet, or the body has closed what there is
            self.pause_s = LOOK_S
            return
        if (found.st_dev, found.st_ino) != self._file:
            self._path = ""  # a body closed the descriptor, and its number is another's
            self._fd = -1
            return
        self._pace(found.st_size)
        stop = found.st_size - self._half - slack_bytes(self._half)
        if stop - self._freed >= STEP_BYTES:
            punch(self._fd, self._freed, stop - self._freed)
            self._freed = stop

    def _turn_to(self, path: str) -> None:
        self.close()
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        found = os.fstat(self._fd)
        self._path, self._file = path, (found.st_dev, found.st_ino)
        self._size, self._looked_at = 0, monotonic() - LOOK_S
        self._freed = self._half  # the head stays until it is in the log

    def _pace(self, size: int) -> None:
        """Come back when about a step has been written, as fast as it was till now."""
        now = monotonic()
        took, grown = now - self._looked_at, size - self._size
        self._looked_at, self._size = now, size
        pause = took * STEP_BYTES / grown if grown > 0 else LOOK_S
        self.pause_s = min(max(pause, LEAST_PAUSE_S), LOOK_S)

    def close(self) -> None:
        """Let go of the output."""
        fd, self._fd, self._path = self._fd, -1, ""
        if fd >= 0:
            with contextlib.suppress(OSError):
                found = os.fstat(fd)
                if (found.st_dev, found.st_ino) == self._file:
                    os.close(fd)
