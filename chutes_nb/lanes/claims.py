"""Which job a worker gets next, and how it is sent.

The first of the queue, if it may have that one.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from ..store import Transaction, fleet, holding, jobs, starting
from ..store.db import Row
from ..store.new import NewJob
from .handle import Handle
from .process import ProcessLane


class Claims:
    """The claims of one commit.

    Attributes
    ----------
    worn : list of Handle
        Workers that are to go after the commit.
    waits_for_new : bool
        The first job of the queue wants a worker of its own, which no used one is.
    """

    def __init__(
        self, lane: ProcessLane, executor: str, max_workers: int, now: float
    ) -> None:
        self._lane, self._executor = lane, executor
        self._max_workers, self._now = max_workers, now
        self.worn: list[Handle] = []
        self.waits_for_new = False

    def start(
        self, tx: Transaction, job: NewJob, taken: Container[str]
    ) -> tuple[Handle, Row] | None:
        """Queue a job that an idle worker may have at once, since nobody waits.

        Parameters
        ----------
        taken : container of str
            Workers that have got a job in this commit already.
        """
        if not starting.is_simple(job, self._now):
            return None
        handles = self._lane.handles.values()
        idle = [one for one in handles if one.is_idle and one.id not in taken]
        handle = min(idle, key=lambda one: one.is_new, default=None)
        if handle is None:
            return None
        place = (handle.id, handle.output, self._now)
        row = starting.add_started(tx, job, *place)
        return None if row is None else (handle, row)

    def next_for(self, tx: Transaction, handle: Handle, output: str) -> Row | None:
        """Claim the next job that a worker may have.

        Where that job wants a worker of its own, a used worker makes room for a new
        one, or takes a job behind it where there is room already.
        """
        place = (tx, self._executor, handle.id, output, self._now)
        if handle.is_new:
            return jobs.claim(*place)
        if not self.waits_for_new:
            row = jobs.claim(*place, is_new=False)
            if row is not None:
                return row
            self.waits_for_new = self.ready(tx, 1, fresh_only=True) > 0
        if not self.waits_for_new or self._makes_room(tx, handle):
            return None
        return jobs.claim(*place, is_new=False, passes_over=True)

    def found_none(self, tx: Transaction) -> int:
        """Note who waits all the same; returns how many could start: none."""
        self._lane.held_back = holding.held_back(tx, self._executor)
        return 0

    def ready(self, tx: Transaction, limit: int, *, fresh_only: bool = False) -> int:
        """Count the jobs that could start now, up to a limit."""
        place = {"executor": self._executor, "now": self._now, "limit": limit}
        return len(tx.all(jobs.READY, place | {"fresh_only": fresh_only}))

    def _makes_room(self, tx: Transaction, handle: Handle) -> bool:
        """Let a used worker go if jobs wait for more new ones than there can be."""
        if not self._lane.births.may_start():
            return False
        others = self._lane.handles.values()
        coming = self._max_workers - len(others) + len(self.worn)
        coming += sum(one.is_new or one.is_going for one in others)
        if self.ready(tx, self._max_workers, fresh_only=True) <= coming:
            return False
        self.worn.append(handle)
        return True

    def births(self, tx: Transaction) -> list[Handle]:
        """Add the workers that there is work and room for; they are to be started."""
        lane = self._lane
        room = self._max_workers - len(lane.handles)
        if room < 0:  # some were taken over
            lane.keep_only(self._max_workers)
        if room <= 0 or not lane.births.may_start():
            return []
        on_the_way = sum(
            not handle.is_ready and handle.task is None
            for handle in lane.handles.values()
        )
        waiting = self.ready(tx, room + on_the_way)
        wanted = min(room, waiting - on_the_way)
        newborn = [lane.new_handle() for _ in range(wanted)]
        for handle in newborn:
            fleet.add_worker(
                tx,
                handle.id,
                self._executor,
                lease=str(handle.lease),
                socket=str(handle.address),
                folder=str(handle.folder),
                now=self._now,
            )
        return newborn


DEFINITION_FIELDS = ("key", "code", "setup", "sources")


def define_message(definition: Row) -> tuple[Any, ...]:
    """Return the message that gives a worker a definition."""
    return ("define", *(definition[name] for name in DEFINITION_FIELDS))
