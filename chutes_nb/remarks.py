"""What is worth saying at a submit: a timeout that earlier runs nearly met."""

from __future__ import annotations

import time
import warnings

from . import runtime
from .store.earlier import Span, spans

CLOSE = 0.8  # share of the timeout from which on a run came close to it
LEAST_RUNS = 2
LOOK_AGAIN_S = 10.0


class TightTimeoutWarning(UserWarning):
    """Most earlier runs of a job took nearly as long as its timeout allows."""


class Remarks:
    """What earlier runs say of a job's timeout; looks at them now and then only."""

    def __init__(self, chute: str, name: str, timeout_s: float | None) -> None:
        self._chute, self._name, self._timeout_s = chute, name, timeout_s
        self._look_at = 0.0

    def make(self, stacklevel: int) -> None:
        """Warn where most of the last runs came close to the timeout."""
        now = time.monotonic()
        if self._timeout_s is None or now < self._look_at:
            return
        self._look_at = now + LOOK_AGAIN_S
        found = spans(runtime.store().reader, self._chute, self._name)
        text = on_timeout(self._name, self._timeout_s, found)
        if text is not None:
            warnings.warn(text, TightTimeoutWarning, stacklevel=stacklevel + 1)


def on_timeout(name: str, timeout_s: float, runs: list[Span]) -> str | None:
    """Say that a timeout is tight; None where it is not, or nobody can tell.

    Parameters
    ----------
    runs : list of Span
        The last runs of the job, newest first.
    """
    close = [one for one in runs if one.span_s >= CLOSE * timeout_s]
    if len(runs) < LEAST_RUNS or 2 * len(close) <= len(runs):
        return None
    ended = sum(one.is_timeout for one in close)
    longest = max(one.span_s for one in close)
    met = f" ({ended} timed out)" if ended else ""
    return (
        f"{len(close)} of the last {len(runs)} runs of {name!r} took more than "
        f"{CLOSE:.0%} of its timeout of {timeout_s:g} s{met}, the longest "
        f"{longest:.3g} s; a longer timeout leaves room, and job.extend(seconds) gives "
        "more to one that runs"
    )
