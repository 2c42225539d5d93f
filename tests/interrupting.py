"""Interrupts (Ctrl-C) of the main thread, each at another moment."""

from __future__ import annotations

import contextlib
import random
import signal
import sys
from collections.abc import Callable, Iterator

LEAST_S, MOST_S = 1e-6, 2e-4


def interrupted(what: Callable[[], object], times: int) -> Iterator[None]:
    """Do something over and over until an interrupt comes; yields behind each.

    They come by a timer of the process, so that no other thread is needed for them.
    """
    chance = random.Random(1)
    is_armed = False

    def once(*_: object) -> None:
        nonlocal is_armed
        if is_armed:
            is_armed = False
            signal.raise_signal(signal.SIGINT)

    def unraisable(met: sys.UnraisableHookArgs, /) -> None:
        # One that comes while something is finalized, of whatever library, is lost.
        if met.exc_type is not KeyboardInterrupt:
            hook(met)

    before, hook = signal.signal(signal.SIGALRM, once), sys.unraisablehook
    sys.unraisablehook = unraisable
    try:
        for _ in range(times):
            with contextlib.suppress(KeyboardInterrupt):
                is_armed = True
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(LEAST_S, MOST_S))
                while is_armed:
                    what()
            yield
    finally:
        is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.unraisablehook = hook
