"""Takes over what executors left that died: their jobs and their workers."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import anyio

from . import failpoints, live
from .entries import Entry, Kick
from .errors import StoreError
from .lanes.kernel import NEVER_RAN
from .paths import interpreter
from .processes import is_held
from .settler import Settler
from .store import Store, fleet, kernel, late
from .store.db import Row
from .worker.capture import Capture

log = logging.getLogger(__name__)

LOOK_S = 0.25
GATE_POLL_S = 0.005


class Heir:
    """An executor as the heir of those of its interpreter that are dead.

    Parameters
    ----------
    executor : str
        Its id.
    is_registered : callable
        Whether its own row is in the store, which what it inherits refers to.
    """

    def __init__(
        self,
        store: Store,
        settler: Settler,
        put: Callable[[Entry], None],
        executor: str,
        is_registered: Callable[[], bool],
    ) -> None:
        self._store, self._settler, self._put = store, settler, put
        self._executor, self._is_registered = executor, is_registered
        self._others: set[str] = set()
        self._has_looked = False
        self._unadopted: list[tuple[Row, Row | None]] = []

    async def run(self) -> None:
        """Look for the dead, for ever."""
        while True:
            try:
                self._adopt()  # what an error kept from it
                await self._inherit()
            except (StoreError, sqlite3.Error, OSError) as error:
                log.info("will look for dead executors again: %s", error)
            await anyio.sleep(LOOK_S)

    def _bring_logs_in(self) -> None:
        """Take care of the output of ended attempts that their executors owed."""
        self._has_looked = False
        place = (self._store.reader, self._store.log_reader, self._store.runs)
        try:
            found = list(late.outputs(*place))
        except (StoreError, sqlite3.Error, OSError) as error:
            log.info("will look for output that no log has again: %s", error)
            return
        for one in found:
            is_ours = one.executor == self._executor
            if is_ours or not one.lease or not is_held(Path(one.lease)):
                capture = Capture(str(one.output), one.end)
                self._settler.bring_in(one.job, one.attempt, capture)
        self._has_looked = True

    async def _inherit(self) -> None:
        rows = fleet.unended_executors(self._store.reader, interpreter())
        others = [row for row in rows if row["id"] != self._executor]
        dead = [row for row in others if not is_held(Path(row["lease"]))]
        left = self._others - {row["id"] for row in others}
        self._others = {row["id"] for row in others}
        self._has_looked &= not left
        if not self._has_looked and self._is_registered():
            self._bring_logs_in()
        ended: list[str] = []
        for row in dead:
            while not (self._is_registered() and self._store.gate().try_enter()):
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
            with contextlib.suppress(OSError):  # nobody else looks at these workers
                Path(row["lease"]).unlink()
            self._bring_logs_in()  # before a worker that is no more is cleaned away
            self._unadopted += [(worker, tasks[worker["id"]]) for worker in workers]
            self._adopt()
        if dead:
            self._put(Kick(clock=True, asks=True))
            self._store.feed.nudge(ended)

    def _adopt(self) -> None:
        """Take over the workers that are ours by now; by the store nobody else will."""
        while self._unadopted:
            self._settler.adopt(*self._unadopted[0])
            del self._unadopted[0]
