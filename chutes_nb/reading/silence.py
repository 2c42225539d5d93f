"""Tells the silence that is usual for a run from one that is not (pure)."""

from __future__ import annotations

# Nobody wonders about a job that said nothing for a minute.
LEAST_S = 60.0
# A pause this many times the longest one so far is another kind of pause.
UNUSUAL_FACTOR = 4.0
# So many signs of life show a rhythm; before, a long pause may well be usual.
LEAST_SIGNS = 3


class Silence:
    """The pauses between the signs of life of one attempt."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._longest = 0.0
        self._signs = 0
        self._is_noticed = False

    def broken(self, now: float) -> None:
        """Take a sign of life, at monotonic seconds.

        A pause that was noticed as unusual counts as usual from then on.
        """
        if self._last is not None:
            self._longest = max(self._longest, now - self._last)
        self._last = now
        self._signs += 1
        self._is_noticed = False

    def noticed(self, now: float) -> float | None:
        """Return the length of a silence that has just become unusual, in seconds.

        None while it is usual, and where it was told already.
        """
        if self._is_noticed or self._last is None or self._signs < LEAST_SIGNS:
            return None
        pause = now - self._last
        if pause < max(LEAST_S, UNUSUAL_FACTOR * self._longest):
            return None
        self._is_noticed = True
        return pause
