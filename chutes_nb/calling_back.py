"""Calls what was asked for at a job's end, on a thread that does nothing else.

The thread that learns of an end also starts jobs and keeps their timeouts: a callback
that submits the next job and waits for it would wait there for itself, and one that
takes long would hold up every job of the kernel.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


def checked(call: Callable[[T], object]) -> Callable[[T], object]:
    """Check what is to be called when a job ends: later nobody would hear of it.

    Raises
    ------
    TypeError
    """
    if not callable(call):
        raise TypeError(
            f"add_done_callback({call!r}): a function is wanted that takes the job"
        )
    return call


def at_end(ended: Future[None], call: Callable[[T], object], job: T) -> None:
    """Call ``call(job)`` once ``ended`` is done; here and now where it is already.

    It is called in the context of this moment, so that what it prints in a notebook is
    shown under the cell that asked for it.
    """

    def called() -> None:
        try:
            call(job)
        except Exception:
            log.exception("the callback %r of %r raised", call, job)

    if ended.done():
        called()
        return
    context = contextvars.copy_context()
    ended.add_done_callback(lambda _: _CALLER.take(lambda: context.run(called)))


class _Caller:
    """Makes calls one after the other; its thread ends when none is left.

    The thread is no daemon: a callback that has begun is not cut by the end of Python.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_running = False

    def take(self, call: Callable[[], object]) -> None:
        with self._lock:
            self._waiting.append(call)
            if not self._is_running:
                threading.Thread(
                    target=self._run, name="chutes-callbacks", daemon=False
                ).start()
                self._is_running = True

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                call = self._waiting.popleft()
            try:
                call()
            except BaseException:  # a SystemExit would take the later calls along
                log.exception("a callback of a job's end raised")


_CALLER = _Caller()
