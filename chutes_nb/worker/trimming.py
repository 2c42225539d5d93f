"""Keeps a flood of output small on the disk, in the process that it comes from.

Whoever follows an output is too late for a program that writes a gigabyte a second:
between two looks it fills what the log may take many times over. The worker's second
thread looks each 10 ms, and more often the faster the file grows. Between the head and
the tail that the log keeps it gives the disk back what is there, but for some slack
before the tail: whoever follows counts the lines there first, unless it comes too fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from time import monotonic

from ..processes import IS_LINUX
from ..store.logs import cap_bytes, tail_bytes

LOOK_S = 0.01
FULL_LOOK_S = 0.005  # where the head is full, and what comes is to be given back
LEAST_PAUSE_S = 0.0005
STEP_BYTES = 256 << 10  # what a look gives back at least, and lets come meanwhile
SLACK_BYTES = 4 << 20
LEAST_SLACK_BYTES = 256 << 10  # what a reader needs, lest a hole comes under it
FAST_BYTES_A_SECOND = 100_000_000  # what comes so fast nobody can count in time
RATE_OVER_S = 0.02
BLOCK_BYTES = 64 << 10  # no file system gives back less; at least, none has larger ones

_FALLOC_FL_KEEP_SIZE = 0x01
_FALLOC_FL_PUNCH_HOLE = 0x02
# Calls by the first give the interpreter's lock away, those by the second keep it.
_YIELDING, _KEEPING = ctypes.CDLL(None), ctypes.PyDLL(None)
_KEEPING.lseek.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int)
_KEEPING.lseek.restype = ctypes.c_int64


def punch(fd: int, start: int, length: int, *, yields: bool = True) -> None:
    """Give the disk back a part of a file, without moving what follows.

    Punches a hole (fallocate(2), Linux); elsewhere the file keeps its size until
    the attempt ends. Only whole blocks go, so both ends are to be where blocks begin
    (:func:`block_of`): what stays of a block on either side is there for good.

    Parameters
    ----------
    yields : bool
        Let other threads of this process run meanwhile.
    """
    if not IS_LINUX:
        return
    with contextlib.suppress(AttributeError, OSError):
        flags = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
        libc = _YIELDING if yields else _KEEPING
        libc.fallocate(fd, flags, ctypes.c_int64(start), ctypes.c_int64(length))


def has_hole(fd: int, start: int, stop: int) -> bool:
    """Whether somebody has given the disk back some of a part of a file.

    Only where :func:`punch` can: elsewhere not every file system knows its holes, and
    the question is an error.
    """
    return IS_LINUX and os.lseek(fd, start, os.SEEK_HOLE) < stop


def block_of(offset: int) -> int:
    """Return where the block begins that an offset is in."""
    return offset - offset % BLOCK_BYTES


def slack_bytes(cap: int, is_fast: bool = True) -> int:
    """Bytes before the tail that are left to whoever follows the output."""
    return min(cap // 4, LEAST_SLACK_BYTES if is_fast else SLACK_BYTES)


def may_be_gone(offset: int, size: int, cap: int) -> bool:
    """Whether what was read at an offset may have been a hole.

    Parameters
    ----------
    size : int
        Of the file, asked for after the reading.
    cap : int
        Most bytes that are kept of the output; half of them of its head.
    """
    return cap // 2 <= offset < size - tail_bytes(size, cap) - slack_bytes(cap)


class Trimmer:
    """Looks at one output after another.

    Parameters
    ----------
    yields : bool
        Let other threads run while the disk takes something back. A body in this
        process that prints by megabytes is held up by the interpreter's lock
        otherwise, and cannot get ahead.

    Attributes
    ----------
    pause_s : float
        Seconds until the next look is due.
    """

    def __init__(self, *, yields: bool = False) -> None:
        self._yields = yields
        self.pause_s = LOOK_S
        self._cap = cap_bytes()
        self._path = ""
        self._fd = -1
        self._file: tuple[int, int] | None = None
        self._size = self._freed = 0
        self._looked_at = self._rate = 0.0

    def look(self, path: str) -> None:
        """Trim an output where it has grown; never fails."""
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
        # Asked for anew: the lock was given away, and may have been so for long.
        size = _KEEPING.lseek(self._fd, 0, os.SEEK_END)
        self._pace(size)
        slack = slack_bytes(self._cap, self._rate > FAST_BYTES_A_SECOND)
        stop = block_of(size - tail_bytes(size, self._cap) - slack)
        if stop - self._freed >= STEP_BYTES:
            punch(self._fd, self._freed, stop - self._freed, yields=self._yields)
            self._freed = stop

    def _turn_to(self, path: str) -> None:
        self.close()
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        found = os.fstat(self._fd)
        self._path, self._file = path, (found.st_dev, found.st_ino)
        self._size, self._looked_at, self._rate = 0, monotonic() - LOOK_S, 0.0
        self._freed = self._cap // 2  # the head stays until it is in the log

    def _pace(self, size: int) -> None:
        """Come back when about a step has been written, as fast as it was till now."""
        now = monotonic()
        took, grown = max(now - self._looked_at, 1e-6), size - self._size
        self._looked_at, self._size = now, size
        share = min(1.0, took / RATE_OVER_S)  # a single write is not a flood
        self._rate += share * (grown / took - self._rate)
        pause = STEP_BYTES / max(self._rate, 1.0)
        longest = LOOK_S if size < self._cap // 2 else FULL_LOOK_S
        self.pause_s = min(max(pause, LEAST_PAUSE_S), longest)

    def close(self) -> None:
        """Let go of the output."""
        fd, self._fd, self._path = self._fd, -1, ""
        if fd >= 0:
            with contextlib.suppress(OSError):
                found = os.fstat(fd)
                if (found.st_dev, found.st_ino) == self._file:
                    os.close(fd)
