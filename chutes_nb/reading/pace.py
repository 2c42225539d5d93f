"""How fast a job goes and how long it still takes (pure: the caller has the clock)."""

from __future__ import annotations

from collections import deque

from .values import ProgressRead

WINDOW_S = 30.0
# Slow jobs: an epoch takes minutes, so the window keeps this many changes anyway.
LEAST_CHANGES = 5
MOST_CHANGES = 512
# Below this share done, the earlier runs still have a say in the time left.
TRUST_OWN_FROM = 0.2


class Pace:
    """Smoothed rate and time left of one attempt.

    Parameters
    ----------
    prior_s : float, optional
        Median duration of earlier runs of the same job, in seconds; with it
        the time left is known from the first second.
    """

    def __init__(self, prior_s: float | None = None) -> None:
        self._prior_s = prior_s if prior_s and prior_s > 0 else None
        self._started: float | None = None
        self._seen: deque[tuple[float, float]] = deque(maxlen=MOST_CHANGES)
        self._scale: tuple[float | None, bool] | None = None

    def update(
        self, now: float, progress: ProgressRead | None = None
    ) -> tuple[float | None, float | None]:
        """Take the newest progress and tell rate and time left.

        Parameters
        ----------
        now : float
            Monotonic seconds; the first call marks the start of the attempt.
        progress : ProgressRead, optional
            The newest progress, also when it did not change; None before any.

        Returns
        -------
        rate : float or None
            Units a second over the last moments; None where nothing is counted.
        eta_s : float or None
            Seconds left, never negative; None where nothing tells.
        """
        if self._started is None:
            self._started = now
        fraction = None if progress is None else progress.fraction
        speed = None if progress is None else self._speed(now, progress)
        own = self._own_eta(now, progress, speed)
        counted = progress is not None and progress.done is not None
        return (speed if counted else None), self._blend(now, fraction, own)

    def _speed(self, now: float, progress: ProgressRead) -> float | None:
        counted = progress.done is not None
        value = progress.done if counted else progress.fraction
        if value is None:
            return None
        scale = (progress.total if counted else 1.0, counted)
        seen = self._seen
        if self._scale != scale or (seen and value < seen[-1][1]):
            # Another loop, or the same one from its start: old speeds say nothing.
            seen.clear()
            self._scale = scale
        if not seen or value > seen[-1][1]:
            seen.append((now, value))
        while len(seen) > LEAST_CHANGES and seen[1][0] < now - WINDOW_S:
            seen.popleft()
        if len(seen) < 2:
            return None
        (first_at, first), (last_at, last) = seen[0], seen[-1]
        usual = (last_at - first_at) / (len(seen) - 1)
        # A wait up to twice the usual one is no slowing down.
        end = now if now - last_at > 2 * usual else last_at
        return (last - first) / (end - first_at) if end > first_at else None

    def _own_eta(
        self, now: float, progress: ProgressRead | None, speed: float | None
    ) -> float | None:
        if progress is None:
            return None
        if progress.fraction is not None and progress.fraction >= 1:
            return 0.0
        if not speed:
            return None
        if progress.done is not None and progress.total is not None:
            left = progress.total - progress.done
        elif progress.done is None and progress.fraction is not None:
            left = 1 - progress.fraction
        else:
            return None
        return max(left / speed - (now - self._seen[-1][0]), 0.0)

    def _blend(
        self, now: float, fraction: float | None, own: float | None
    ) -> float | None:
        if self._prior_s is None or self._started is None:
            return own
        prior = self._prior_s - (now - self._started)
        if prior <= 0:
            return own  # this run is slower than the others were
        if own is None:
            return prior
        trust = min((fraction or 0.0) / TRUST_OWN_FROM, 1.0)
        return trust * own + (1 - trust) * prior
