"""Wakes a thread so that it goes on at once.

Who lets go of a lock holds what Python runs under (the GIL), so the woken thread finds
it taken, sleeps again, and is woken a second time when the other one waits for
something. Who writes to a descriptor lets go of Python meanwhile: where both share a
core, as they do beside a busy worker, that saves two switches between them.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from collections import deque

from .processes import above_streams

LOOK_S = 1.0
CLOSED_LOOK_S = 0.01
SPARE = 4  # bells kept for threads to come
_RING = (1).to_bytes(8, "little")  # what an eventfd takes, and gives back
_spare: deque[Bell] = deque()


class Bell:
    """What one thread hears, and another one rings once.

    Raises
    ------
    OSError
        If there is no descriptor left.
    """

    _out = _in = -1

    def __init__(self) -> None:
        self._is_rung = False
        if sys.platform == "linux":
            flags = os.EFD_CLOEXEC | os.EFD_NONBLOCK
            self._out = self._in = above_streams(os.eventfd(0, flags))
        else:
            self._out, self._in = map(above_streams, os.pipe())
            os.set_blocking(self._out, False)
        self._heard = select.poll()
        self._heard.register(self._out, select.POLLIN)

    def ring(self) -> None:
        """Wake who waits, or will; only once."""
        self._is_rung = True
        with contextlib.suppress(OSError):  # closed by somebody: it is looked for
            os.write(self._in, _RING)

    def wait(self, limit_s: float | None) -> bool:
        """Wait for so many seconds at most (None: for ever); whether it has rung."""
        end = None if limit_s is None else time.monotonic() + limit_s
        left_s = LOOK_S
        while not self._is_rung:
            if end is not None and (left_s := end - time.monotonic()) <= 0:
                return False
            found = self._heard.poll(min(left_s, LOOK_S) * 1000)
            if found and not self._is_rung and found[0][1] != select.POLLIN:
                time.sleep(min(left_s, CLOSED_LOOK_S))
        return True

    def give_back(self) -> None:
        """Let it serve again: it was heard, or nobody rings it any more."""
        if len(_spare) < SPARE:
            with contextlib.suppress(OSError):  # heard of before it was rung
                if self._is_rung:
                    os.read(self._out, len(_RING))
                    self._is_rung = False
                _spare.append(self)

    def __del__(self) -> None:
        for fd in {self._out, self._in} - {-1}:
            with contextlib.suppress(OSError):
                os.close(fd)


class LockBell:
    """The like where no descriptor is left."""

    def __init__(self) -> None:
        self._unrung = threading.Lock()
        self._unrung.acquire()

    def ring(self) -> None:
        """Wake who waits, or will; only once."""
        self._unrung.release()

    def wait(self, limit_s: float | None) -> bool:
        """Wait for so many seconds at most (None: for ever); whether it has rung."""
        timeout_s = -1 if limit_s is None else max(0.0, limit_s)
        return self._unrung.acquire(timeout=timeout_s)

    def give_back(self) -> None:
        """Change nothing: each serves once."""


def new_bell() -> Bell | LockBell:
    """Return a bell that nobody has rung."""
    with contextlib.suppress(IndexError):
        return _spare.pop()
    try:
        return Bell()
    except OSError:
        return LockBell()


if hasattr(os, "register_at_fork"):  # a child would share them with its parent
    os.register_at_fork(after_in_child=_spare.clear)
