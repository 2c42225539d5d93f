"""Keeps curves small enough to be kept and drawn, however long a job runs (pure)."""

from __future__ import annotations

MOST_POINTS = 10_000
MOST_NAMES = 1_000

Point = tuple[str, float | int | None, float]


class Thinner:
    """Lets through every point at first, and the fewer the more there were.

    Of each curve the first ``most`` points pass, then every second of twice as many,
    every fourth of four times as many, and so on: a million points leave about
    43,000. The last point of each is held, so that a curve ends where it ended.
    """

    def __init__(self, most: int = MOST_POINTS) -> None:
        self._most = most
        self._seen: dict[str, int] = {}
        self._held: dict[str, Point] = {}

    def take(self, point: Point) -> Point | None:
        """Give the point back where it is kept now; None where it is not."""
        name = point[0]
        seen = self._seen.get(name)
        if seen is None:
            if len(self._seen) >= MOST_NAMES:
                return None  # a name for each step is no curve
            seen = 0
        self._seen[name] = seen + 1
        if seen < self._most or seen % (1 << (seen // self._most).bit_length()) == 0:
            self._held.pop(name, None)
            return point
        self._held[name] = point
        return None

    def finish(self) -> list[Point]:
        """Give the last point of each curve that was not let through."""
        held, self._held = list(self._held.values()), {}
        return held
