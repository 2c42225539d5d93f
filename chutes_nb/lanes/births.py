"""When the next worker may be started: at once, or after a pause when births fail."""

from __future__ import annotations

import time

PAUSE_S, PAUSE_MAX_S = 0.5, 30.0


class Births:
    """Counts workers that ended before they said hello.

    A broken environment would otherwise start one process after another, as fast
    as the machine can.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._next_at = 0.0

    def may_start(self) -> bool:
        """Whether a worker may be started now."""
        return time.monotonic() >= self._next_at

    def succeeded(self) -> None:
        """Take note of a worker that said hello."""
        self._failures, self._next_at = 0, 0.0

    def failed(self) -> float:
        """Take note of one that did not; seconds until the next may start."""
        pause: float = min(PAUSE_S * 2**self._failures, PAUSE_MAX_S)
        self._failures += 1
        self._next_at = time.monotonic() + pause
        return pause
