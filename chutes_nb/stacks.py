"""The stacks of all threads, read so that Python 3.11 does not stand still for good.

``sys._current_frames`` makes frame objects while it holds a lock of the interpreter. Up
to 3.11 that may collect garbage at once. A ``threading.local`` among it wants the same
lock, and so does a thread that begins or ends while a finalizer waits: then no thread
of the process ever goes on (python/cpython#106883). Each store that was let go of
leaves such locals, as garbage that only a collection finds.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from types import FrameType

COLLECTS_AT_ONCE = sys.version_info < (3, 12)  # later: between two steps of Python code

_read = sys._current_frames
_lock = threading.RLock()


def current_frames() -> dict[int, FrameType]:
    """Return what each thread is at, by its number; collects no garbage meanwhile."""
    with _lock:  # else one turns collecting on below another
        was_enabled = gc.isenabled()
        try:
            gc.disable()
            return _read()
        finally:
            if was_enabled:
                gc.enable()


def guard() -> None:
    """Have all who ask in this process ask in that way, where Python needs it."""
    if COLLECTS_AT_ONCE:
        sys._current_frames = current_frames


if hasattr(os, "register_at_fork"):  # a child has not the thread that would go on
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=_lock.release,
    )
