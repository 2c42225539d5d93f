"""What every lane does: its attempts have a clock, and are asked to stop by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

from ..policy import Ending
from ..states import State
from ..store.db import Row
from ..worker.capture import Capture
from ..worker.errors import Sources
from ..worker.frames import Outcome, Telling
from .holder import Holder, task_output

H = TypeVar("H", bound=Holder)


class Settles(Protocol):
    """What a lane tells its executor; each is called on the executor's loop."""

    def told(
        self,
        handle: Holder,
        tellings: list[Telling],
        at: float | None = None,
        batch: int = 0,
    ) -> None:
        """Pass on what a running attempt says; ``at`` where that was elsewhere.

        A batch with a number is acknowledged once it is in the store.
        """

    def ended(
        self, handle: Holder, ending: Ending | None, outcome: Outcome | None
    ) -> None:
        """Tell that an attempt is over, with all that it had started."""

    def gone(self, handle: Holder) -> None:
        """Tell that whoever had attempts is no more."""

    def sources(self, handle: Holder) -> Sources:
        """Return the cells of the attempt's definition."""


class Lane(Generic[H]):
    """Where attempts of one kind run.

    A lane starts an attempt that was claimed, asks it to stop, takes over or settles
    what a dead executor left, and tells its executor of all that (:class:`Settles`).
    Time is counted here, on the executor's loop, the same for every lane.

    Attributes
    ----------
    handles : dict of str to Holder
        Who has an attempt or may have one, by id.
    held_back : set of (str, str)
        Chutes and names of the jobs that waited for their kin when there was nothing
        else left to start: the end of any such run may let one of them go.
    """

    def __init__(self) -> None:
        self.held_back: set[tuple[str, str]] = set()
        self.handles: dict[str, H] = {}

    def stop(self, handle: H, ending: Ending) -> None:
        """Ask an attempt to end, and see to it that it does."""
        raise NotImplementedError

    def tell_extended(self, handle: H, timeout_s: float) -> None:
        """Tell whoever runs the attempt that it has more time."""
        raise NotImplementedError

    def usual_s(self, task: Row) -> float | None:
        """Return how long earlier runs of the job took, where that is known."""
        return None

    def give(self, handle: H, task: Row, now: float | None = None) -> None:
        """Put an attempt into somebody's hands.

        Parameters
        ----------
        now : float, optional
            By the clock that the row goes by: it may have been set since.
        """
        handle.task = task
        handle.timeout_s = task["timeout_s"]
        given_at = handle.given_at = time.monotonic()
        output = task_output(task, handle)
        handle.capture_by(lambda: Capture(output, 0, self.usual_s(task), given_at))
        if task["deadline_at"] is not None:
            ending = Ending(State.TIMEOUT, "deadline", may_retry=False)
            left = max(0.0, task["deadline_at"] - (now or time.time()))
            handle.deadline_timer = self._stop_in(left, handle, ending)

    def begun(self, handle: H, gone_s: float = 0.0) -> None:
        """Start the clock of an attempt, which began so many seconds ago."""
        handle.began_at = time.monotonic() - gone_s
        if handle.timeout_s is not None:
            self._limit(handle, handle.timeout_s)

    def extend(self, handle: H, timeout_s: float) -> None:
        """Move the timeout of a running attempt."""
        if handle.task is None:
            return
        handle.timeout_s = timeout_s
        self.tell_extended(handle, timeout_s)
        if handle.began_at is not None:
            self._limit(handle, timeout_s)

    def _limit(self, handle: H, timeout_s: float) -> None:
        if handle.timeout_timer is not None:
            handle.timeout_timer.cancel()
        assert handle.began_at is not None  # a limit counts from the beginning
        left = timeout_s - (time.monotonic() - handle.began_at)
        ending = Ending(State.TIMEOUT, f"timed out after {timeout_s:g} s")
        handle.timeout_timer = self._stop_in(max(0.0, left), handle, ending)

    def _stop_in(
        self, seconds: float, handle: H, ending: Ending
    ) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        return loop.call_later(seconds, self.stop, handle, ending)


def frees(task: Row, lanes: Iterable[Lane[Any]]) -> bool:
    """Whether the end of a run may let jobs go that could not start before it.

    One with no limit of its own counts too: the function may have been given one
    since, and the jobs that have it count all runs of their name.
    """
    kin = (task["chute"], task["name"])
    return bool(task["is_limited"]) or any(kin in lane.held_back for lane in lanes)
