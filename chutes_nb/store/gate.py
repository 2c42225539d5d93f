"""The lock that every writer of one store takes in turn, across processes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreBusy, StoreError
from ..interrupts import Uninterrupted, let_through
from ..paths import PRIVATE_FILE
from ..processes import above_streams, forget_own, keep_from_children

GATE_TIMEOUT_S = 30.0
MISSING, CLOSED = -1, -2  # in the place of a descriptor
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT)


class Gate:
    """One user's place at the gate of a store.

    Parameters
    ----------
    path : pathlib.Path
        The lock file. Where it cannot be made (a store on a disk that is read-only)
        the gate is always free: nobody can write there.

    Attributes
    ----------
    is_entered : bool
        Whether it was taken, and not left since.

    Raises
    ------
    StoreError
        If the lock file is there and cannot be opened: no descriptor may be left.
    """

    def __init__(self, path: Path) -> None:
        # A descriptor of its own for each user: flock belongs to the open file,
        # so two threads with two descriptors exclude each other as well.
        self._fd = _opened(path)
        self.is_entered = False
        if self._fd >= 0:
            keep_from_children(self._fd)

    def try_enter(self) -> bool:
        """Take the gate if it is free; raises StoreError once it was closed."""
        if self._fd == CLOSED:
            raise StoreError("the store was closed meanwhile, by another thread")
        if self._fd != MISSING:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        self.is_entered = True
        return True

    def enter(self, timeout_s: float = GATE_TIMEOUT_S) -> None:
        """Wait for the gate.

        Raises
        ------
        StoreBusy
            If somebody else keeps it for ``timeout_s`` seconds.
        """
        end = time.monotonic() + timeout_s
        pause = 0.0001
        while not self.try_enter():
            if time.monotonic() > end:
                raise busy(timeout_s)
            let_through()
            time.sleep(pause)
            pause = min(pause * 1.5, 0.002)

    def leave(self) -> None:
        """Give the gate to the next."""
        self.is_entered = False
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Have the gate for a ``with`` block; an interrupt waits for its end.

        Raises
        ------
        StoreBusy
        """
        with Uninterrupted():
            try:
                self.enter()
                yield
            finally:
                if self.is_entered:
                    self.leave()

    @property
    def is_closed(self) -> bool:
        """Whether nobody can take it any more."""
        return self._fd == CLOSED

    def close(self) -> None:
        """Let go of the lock file."""
        if self._fd >= 0:
            forget_own(self._fd)
            os.close(self._fd)
        self._fd = CLOSED


def busy(waited_s: float) -> StoreBusy:
    """Make the error of who has waited for others."""
    return StoreBusy(
        f"another process has kept the store locked for {waited_s:g} s; "
        "it may be stopped or stuck: %chute_doctor names who uses it"
    )


def _opened(path: Path) -> int:
    # A lock needs no right to write, so a reader still waits for who can.
    for flags in (os.O_CREAT | os.O_RDWR, os.O_RDONLY):
        try:
            return above_streams(os.open(path, flags | os.O_CLOEXEC, PRIVATE_FILE))
        except OSError as error:
            # With no gate for want of a descriptor, commits could be lost.
            if error.errno not in REFUSED:
                raise StoreError(f"cannot open {path}: {error.strerror}") from error
    return MISSING
