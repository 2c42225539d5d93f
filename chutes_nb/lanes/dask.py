"""The dask lane: attempts on a cluster, settled in the same store as all others.

What is to be sent goes as one task (``abroad.py``), what comes back is asked for. An
attempt outlives the kernel that sent it: the scheduler keeps its result, and whoever
inherits its place here goes on where the store says that it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import math
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import anyio.to_thread

from ..errors import StoreError
from ..policy import Ending
from ..states import State
from ..store import Store, Transaction, abroad
from ..store.blobs import keep
from ..store.db import Row
from ..worker.keeping import slimmed
from .berths import BerthLane
from .lane import Settles
from .lines import Lines, said
from .packing import packed
from .parcels import DIED, Checkpoint, Known, News, Report, rest_of
from .remote import Fed, Remote

if TYPE_CHECKING:
    from .cluster import Cluster

log = logging.getLogger(__name__)

TROUBLES = (StoreError, sqlite3.Error, OSError)
MOST_AT_ONCE = 256
AGAIN_S = 5.0
LOST_S = 60.0  # without an answer, an attempt counts as lost
CONFIRM_S = 30.0
ALONE_S = 1.0
PAUSE_S = 0.05
FULL_S = 1.0
FORGOTTEN = "the cluster does not know of it any more; its scheduler may be a new one"


class DaskLane(BerthLane[Remote]):
    """Runs attempts on ``dask.distributed`` clusters.

    Parameters
    ----------
    say_why : callable
        Takes an address and why jobs for it wait, for the next commit.
    look_again : callable
        Asks for a look at the queue.
    """

    kind = mark = "dask"

    def __init__(
        self,
        store: Store,
        settles: Settles,
        tasks: anyio.abc.TaskGroup,
        lease: Path,
        say_why: Callable[[str, str], None],
        look_again: Callable[[], None],
    ) -> None:
        super().__init__(store, lease)
        self._settles, self._tasks = settles, tasks
        self._say_why, self._look_again = say_why, look_again
        self._loop = asyncio.get_running_loop()
        self._lines = Lines(self._connect)
        self._calling: set[str] = set()
        self._is_closed = False

    # -- clusters ------------------------------------------------------------------
    def look_around(self, tx: Transaction, executor: str, now: float) -> None:
        """Call the clusters that jobs wait for."""
        for address in abroad.waiting_for(tx, executor, now):
            if address not in self._lines.living() and address not in self._calling:
                self._calling.add(address)
                self._loop.call_soon(self._tasks.start_soon, self._call, address)

    async def _call(self, address: str) -> None:
        """Connect to a cluster, or say to the jobs that wait why not."""
        try:
            await self._lines.line(address)
        except Exception as error:  # a network can fail in any way
            self._say_why(address, f"waits for a dask cluster: {said(error, address)}")
            await anyio.sleep(AGAIN_S)
        finally:
            self._calling.discard(address)
            self._look_again()

    def _connect(self, address: str) -> Cluster:
        from .cluster import Cluster  # distributed is an extra, and slow to import

        return Cluster(
            address,
            lambda *news: self._soon(self._on_news, *news),
            lambda *end: self._soon(self._on_end, *end),
            lambda: self._soon(self._look_again),
        )

    def _soon(self, call: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the executor has ended meanwhile
            self._loop.call_soon_threadsafe(call, *args)

    # -- claims ----------------------------------------------------------------------
    def room(self) -> int:
        """Return how many the clusters that answer run at once."""
        if self._is_closed or not self._lines.living():
            return 0
        return min(max(self._lines.slots(), 1), MOST_AT_ONCE)

    def new_berth(self, name: str, folder: Path) -> Remote:
        """Make a place for an attempt elsewhere."""
        return Remote(name, folder)

    def next_for(
        self, tx: Transaction, executor: str, berth: Remote, output: str, now: float
    ) -> Row | None:
        """Claim the next job for a cluster that answers."""
        return abroad.claim(tx, executor, berth.id, output, now, self._lines.living())

    def start_attempt(self, berth: Remote, row: Row) -> None:
        """Send an attempt off."""
        self._enter(berth, row, Known())
        self._tasks.start_soon(self._send, berth, row)

    def _enter(self, berth: Remote, row: Row, known: Known) -> None:
        berth.name, berth.told = f"{row['id']}-{row['attempt']}", known.told
        berth.capture = Fed(berth.output, known.offset)

    async def _send(self, berth: Remote, task: Row) -> None:
        """Send an attempt off, or find it where it was sent before."""
        name, address = berth.name, ""
        try:
            address = abroad.address_of(self._store.reader, task["definition"])
            cluster, is_known = await self._reached(berth, task, address)
        except Exception as error:  # a network can fail in any way
            self._settle_unsent(berth, name, said(error, address))
            return
        if cluster is None:
            return
        if not berth.has_still(name):  # it was taken back while it was sent
            await self._lines.ask(cluster.forget, name)
        elif is_known:
            berth.is_known = True
            cluster.watch(name, berth.known)
        else:
            self.stop(berth, Ending(State.INTERRUPTED, FORGOTTEN))

    async def _reached(
        self, berth: Remote, task: Row, address: str
    ) -> tuple[Cluster | None, bool]:
        """Have a cluster know an attempt; gives it, and False where it has forgotten.

        Only a line that is not there is given up: what is large may take its time.
        """
        name = berth.name
        with anyio.fail_after(LOST_S) as limit:
            while berth.has_still(name):
                cluster: Cluster | None = None
                try:
                    cluster = await self._lines.line(address)
                    if not berth.has_still(name):
                        break
                    berth.cluster, berth.may_run = cluster, True
                    limit.deadline = math.inf
                    hand_over = (self._hand_over, cluster, berth, task)
                    return cluster, await self._lines.ask(*hand_over)
                except Exception as error:
                    is_lost = cluster is not None and cluster.is_lost
                    if not (is_lost or isinstance(error, OSError)):
                        raise
                    if cluster is not None:
                        limit.deadline = anyio.current_time() + LOST_S
                    await anyio.sleep(AGAIN_S if cluster is None else PAUSE_S)
        return None, False

    def _hand_over(self, cluster: Cluster, berth: Remote, task: Row) -> bool:
        """Find an attempt, or send it where it cannot have begun."""
        name, scheduler = f"{task['id']}-{task['attempt']}", cluster.scheduler
        sent_to = berth.sent_to(name)
        if sent_to is not None and cluster.find(name):
            return True
        if sent_to is not None and (sent_to != scheduler or cluster.has_begun(name)):
            return False
        body = packed(self._store, name, task)
        ending = Ending(State.INTERRUPTED, "another attempt follows")
        place = (self._store.reader, task["id"], task["attempt"])
        for number in abroad.unsure(*place):
            cluster.end(f"{task['id']}-{number}", ending, task["grace_s"] + CONFIRM_S)
        berth.note_sent(name, scheduler)
        cluster.send(name, body)
        return True

    def _settle_unsent(self, berth: Remote, name: str, cause: str) -> None:
        """Settle an attempt that no cluster takes, or that nobody can ask after."""
        if not berth.has_still(name):
            return
        was_sent = berth.sent_to(name) is not None
        reason = f"it could not be {'found again' if was_sent else 'sent'}: {cause}"
        ending = Ending(State.INTERRUPTED, reason)
        if berth.cluster is not None:
            self.stop(berth, ending)  # it may have begun, or be on its way
        else:
            self._settles.ended(berth, berth.stopping or ending, None)

    # -- what comes back ---------------------------------------------------------------
    def _berth(self, name: str) -> Remote | None:
        for berth in self.handles.values():
            if berth.has_still(name) and berth.task is not None:
                return berth
        return None

    def _on_news(self, cluster: Cluster, name: str, news: News) -> None:
        berth = self._berth(name)
        if berth is None or berth.cluster is not cluster:
            return
        self._take(berth, news)
        if news.checkpoint is not None and berth.task is not None:
            self._tasks.start_soon(self._try_to_save, berth, news.checkpoint)
        if news.timeout_s not in (None, berth.timeout_s):
            # Somebody has moved it, perhaps while there was no kernel here.
            self._tasks.start_soon(self._extend, berth, name)
        cluster.watch(name, berth.known)

    def _take(self, berth: Remote, news: News) -> None:
        """Pass on what is new: output, and tellings with their times and numbers."""
        assert isinstance(berth.capture, Fed)  # put there with the name
        for start, body in news.output:
            berth.capture.feed(start, body)
        for number, at, one in news.told:
            if number > berth.told:
                telling = slimmed(one, self._store.blobs)
                self._settles.told(berth, [telling], at, number)
                berth.told = number

    async def _try_to_save(self, berth: Remote, kept: Checkpoint) -> None:
        try:
            await self._save(berth, kept)
        except TROUBLES as error:  # it comes with the next news again
            log.warning("a checkpoint could not be kept: %s", error)

    async def _save(self, berth: Remote, kept: Checkpoint) -> None:
        """Keep a checkpoint, unless it is the one that is there."""
        task, (at, step, kind, body) = berth.task, kept
        if task is not None and at > berth.checkpoint_at:
            place = (task["id"], task["attempt"], step, kind, body)
            await anyio.to_thread.run_sync(self._store.save_checkpoint, *place)
            if berth.task is task:
                berth.checkpoint_at = max(berth.checkpoint_at, at)

    def _on_end(self, cluster: Cluster, name: str) -> None:
        berth = self._berth(name)
        if berth is None:  # it was given up; nobody wants to know any more
            self._tasks.start_soon(self._lines.ask, cluster.forget, name)
        elif berth.cluster is cluster:
            self._tasks.start_soon(self._settle, berth, cluster)

    async def _settle(self, berth: Remote, cluster: Cluster) -> None:
        name, task = berth.name, berth.task
        assert task is not None  # looked up with it
        report = await self._lines.ask(cluster.report, name)
        if not berth.has_still(name) or berth.cluster is not cluster:
            return
        if report is None:
            berth.cluster, berth.is_known = None, False
            await self._send(berth, task)
            return
        if isinstance(report, Report) and not report.is_lost:
            await self._settle_reported(berth, name, report)
            is_over = True
        else:
            reason = report if isinstance(report, str) else DIED
            await self._settle_lost(berth, task, reason)
            is_over = False
        await self._lines.ask(partial(cluster.forget, name, is_over=is_over))

    async def _settle_lost(self, berth: Remote, task: Row, reason: str) -> None:
        """Settle an attempt whose task is gone: never two at once.

        The worker that was the task's child finds itself alone, and ends its attempt
        within the grace. Where another task has it, dask knew of two.
        """
        name, ending = berth.name, Ending(State.INTERRUPTED, reason)
        await self._ask(berth, lambda there: there.order(name, "stop", ending))
        await anyio.sleep(task["grace_s"] + ALONE_S)
        if berth.has_still(name):
            self._settles.ended(berth, berth.stopping or ending, None)

    async def _settle_reported(self, berth: Remote, name: str, report: Report) -> None:
        while not await self._has_taken(berth, name, report):
            await anyio.sleep(FULL_S)
        if berth.has_still(name):
            berth.outcome = report.outcome
            self._settles.ended(berth, report.ending, report.outcome)

    async def _has_taken(self, berth: Remote, name: str, report: Report) -> bool:
        """Keep all that a report brings; False where there is no room now.

        A full disk is emptied one day; until then the cluster keeps the report.
        """
        try:
            await anyio.to_thread.run_sync(self._keep, report)
            if berth.has_still(name):
                news = rest_of(report.news, berth.known)
                self._take(berth, news)
                if news.checkpoint is not None:
                    await self._save(berth, news.checkpoint)
        except TROUBLES as error:
            log.error("will try again to keep what a cluster has sent: %s", error)
            return False
        return True

    def _keep(self, report: Report) -> None:
        for content in report.contents.values():
            keep(io.BytesIO(content), self._store.blobs)

    # -- ends ------------------------------------------------------------------------
    def extend(self, handle: Remote, timeout_s: float) -> None:
        """Give an attempt more time; its clock is over there, and told by its news."""
        handle.timeout_s = timeout_s

    async def _extend(self, berth: Remote, name: str) -> None:
        timeout_s = berth.timeout_s
        await self._ask(berth, lambda there: there.order(name, "extend", timeout_s))

    async def _ask(self, berth: Remote, call: Callable[[Cluster], bool]) -> bool | None:
        """Ask the cluster of an attempt; None where it does not answer."""
        if berth.cluster is None:
            return None
        try:
            return await self._lines.ask(call, berth.cluster)
        except Exception:  # a network can fail in any way
            return None

    def stop(self, handle: Remote, ending: Ending) -> None:
        """Ask an attempt to end; the worker over there sees to it that it does."""
        if self._is_closed or handle.task is None or handle.stopping is not None:
            return
        if handle.is_ending or handle.outcome is not None:
            return  # it has ended by itself
        handle.stopping = ending
        within_s = handle.task["grace_s"] + CONFIRM_S
        self._tasks.start_soon(self._stop, handle, handle.name, ending, within_s)

    async def _stop(
        self, berth: Remote, name: str, ending: Ending, within_s: float
    ) -> None:
        """See to it that an attempt ends, or has not begun and never will."""
        has_heard, is_over = False, not berth.may_run
        with anyio.move_on_after(within_s) as waiting:
            while berth.has_still(name) and not is_over:
                is_there = await self._ask(
                    berth, lambda there: there.order(name, "stop", ending)
                )
                has_heard = has_heard or is_there is True
                if not has_heard:
                    asked = await self._ask(berth, lambda there: there.withdraw(name))
                    is_over = asked is True
                elif is_there is False:  # who is known will say how it has ended
                    is_over = not berth.is_known
                await anyio.sleep(PAUSE_S)
        if waiting.cancelled_caught:
            reason = f"{ending.reason}; the cluster did not confirm that it has ended"
            ending = replace(ending, reason=reason, may_retry=False)
        if berth.has_still(name):
            self._settles.ended(berth, ending, None)

    def settle_left(self, row: Row, task: Row | None, offset: int) -> None:
        """Go on with an attempt that another executor has sent."""
        berth = self.new_berth(row["id"], Path(row["folder"]))
        if task is None:
            self._settles.gone(berth)
            return
        told = abroad.last_told(self._store.reader, task["id"], task["attempt"])
        self.handles[berth.id] = berth
        self.give(berth, task)
        self._enter(berth, task, Known(offset, told))
        berth.may_run = berth.sent_to(berth.name) is not None
        self._tasks.start_soon(self._send, berth, task)

    def hang_up(self) -> None:
        """Leave the clusters to themselves: what runs there goes on."""
        self._is_closed = True
        self._lines.close()
