"""Ctrl-C, kept from where it would leave a lock behind.

Python runs the handler of a signal between any two steps of the main thread, also
between taking a lock and the ``try`` that gives it back. What one process holds of a
store others wait for: so an interrupt waits there, and comes behind it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any


class _Kept:
    """What the main thread, which alone is interrupted, has put off."""

    depth = 0
    thread = 0
    main = threading.main_thread().ident  # asked for at each write
    handler: Callable[..., Any] | None = None
    has_come = False


def _note(signum: int, frame: object) -> None:
    _Kept.has_come = True


class Uninterrupted:
    """Puts off an interrupt until the end of a ``with`` block; may be nested.

    What handler there is then is called at the end. In threads, and where interrupts
    are ignored or handled outside of Python, nothing is to be put off.
    """

    __slots__ = ("_is_kept",)

    def __enter__(self) -> None:
        is_main = threading.get_ident() == _Kept.main
        self._is_kept = is_main and _keep()

    def __exit__(self, *error: object) -> None:
        if self._is_kept:
            _go_on()


def let_through() -> None:
    """Call the handler of an interrupt that was put off: nothing is held just now.

    For who waits within such a block. The block goes on being one, whatever is raised.
    """
    is_main = threading.get_ident() == _Kept.main
    if not (is_main and _Kept.depth and _Kept.has_come):
        return
    _Kept.has_come = False
    if _Kept.handler is not None:  # another interrupt, during it, comes behind
        _Kept.handler(signal.SIGINT, sys._getframe())


def _keep() -> bool:
    if _Kept.depth:
        _Kept.depth += 1
        return True
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        return False
    _Kept.handler, _Kept.has_come = handler, False
    # It looks for signals before, so that nothing is half done where one came.
    signal.signal(signal.SIGINT, _note)
    _Kept.depth, _Kept.thread = 1, threading.get_ident()
    return True


def _go_on() -> None:
    _Kept.depth -= 1
    if _Kept.depth:
        return
    signal.signal(signal.SIGINT, _Kept.handler)
    if _Kept.has_come:
        signal.raise_signal(signal.SIGINT)


def _forget() -> None:
    """In a child that another thread has forked nobody is to go on."""
    _Kept.main = threading.main_thread().ident  # who has forked
    if _Kept.depth and _Kept.thread != threading.get_ident():
        _Kept.depth = 0
        signal.signal(signal.SIGINT, _Kept.handler)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
