"""Takes over what executors left that died: their jobs and their workers."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from . import failpoints, live
from .errors import StoreError
from .lanes.kernel import NEVER_RAN
from .processes import is_held
from .rounds import Entry, Kick, Round
from .settler import Settler
from .store import Store, Transaction, abroad, fleet, kernel

log = logging.getLogger(__name__)

ADOPTION_POLL_S = 0.25
GATE_POLL_S = 0.005


@dataclass
class EndOrphans(Entry):
    """The end of this kernel: what waits for it can run nowhere else."""

    reason: str
    done: Future[None] = field(default_factory=Future)
    must_be_written = False

    def apply(self, tx: Transaction, round_: Round) -> None:
        """End the waiting jobs that need this kernel."""
        place = (round_.executor, (), self.reason, round_.now)
        round_.ended += kernel.end_orphans(tx, *place)

    def succeed(self) -> None:
        """Say that it is durable."""
        self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        """Say why it was not written; the next executor does it."""
        self.done.set_exception(error)


@dataclass
class SayWhy(Entry):
    """Why the jobs for a cluster wait."""

    address: str
    reason: str
    must_be_written = False

    def apply(self, tx: Transaction, round_: Round) -> None:
        """Write it."""
        abroad.say_why(tx, round_.executor, self.address, self.reason)


class Heir:
    """Looks for dead executors of this interpreter, for a living one.

    Parameters
    ----------
    executor : str
        The living one's id.
    put : callable
        Takes an entry for the next commit.
    """

    def __init__(
        self,
        store: Store,
        executor: str,
        settler: Settler,
        put: Callable[[Entry], None],
    ) -> None:
        self._store, self._executor = store, executor
        self._settler, self._put = settler, put

    async def run(self, is_registered: Callable[[], bool]) -> None:
        """Look again and again.

        Parameters
        ----------
        is_registered : callable
            Whether the executor has its own row by now.
        """
        while True:
            try:
                await self._adopt_the_dead(is_registered)
            except (StoreError, sqlite3.DatabaseError) as error:
                log.info("will look for dead executors again: %s", error)
            await anyio.sleep(ADOPTION_POLL_S)

    async def _adopt_the_dead(self, is_registered: Callable[[], bool]) -> None:
        rows = fleet.unended_executors(self._store.reader, sys.executable)
        others = [row for row in rows if row["id"] != self._executor]
        dead = [row for row in others if not is_held(Path(row["lease"]))]
        ended: list[str] = []
        for row in dead:
            while not (is_registered() and self._store.gate().try_enter()):
                await anyio.sleep(GATE_POLL_S)
            with self._store.writing(entered=True) as tx:
                now = time.time()
                _, workers = fleet.inherit(tx, row["id"], self._executor, now)
                tasks = {one["id"]: fleet.running_on(tx, one["id"]) for one in workers}
                ended += kernel.end_orphans(
                    tx, self._executor, live.keys(), NEVER_RAN, now
                )
                failpoints.hit("adopt.before_commit")
            failpoints.hit("adopt.after_commit")
            with contextlib.suppress(FileNotFoundError):
                Path(row["lease"]).unlink()
            for worker in workers:
                self._settler.adopt(worker, tasks[worker["id"]])
        if dead:
            self._put(Kick(clock=True, asks=True))
            self._store.feed.nudge(ended)
