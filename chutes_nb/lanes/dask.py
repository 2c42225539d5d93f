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
import pickle
import re
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
import anyio.to_thread

from ..errors import StoreError
from ..loading import SPILLED
from ..policy import Ending
from ..states import State
from ..store import Store, Transaction, abroad, jobs
from ..store.blobs import blob_path, keep
from ..store.db import Row
from ..worker.keeping import slimmed
from .abroad import DIED
from .berths import BerthLane
from .lane import Settles
from .parcels import Checkpoint, Known, News, Report, Spec, rest_of, without_place
from .remote import Fed, Remote

if TYPE_CHECKING:
    from .cluster import Cluster

log = logging.getLogger(__name__)

TROUBLES = (StoreError, sqlite3.Error, OSError)
MOST_AT_ONCE = 256
AGAIN_S = 5.0
LOST_S = 60.0  # without an answer, an attempt that somebody left counts as lost
CONFIRM_S = 30.0
ALONE_S = 1.0
PAUSE_S = 0.05
FULL_S = 1.0
CONTENT = re.compile(rb"[0-9a-f]{64}")


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
        self._clusters: dict[str, Cluster] = {}
        self._slots = 0
        self._calling: set[str] = set()
        self._is_closed = False

    # -- clusters ------------------------------------------------------------------
    def look_around(self, tx: Transaction, executor: str, now: float) -> None:
        """Call the clusters that jobs wait for."""
        for address in abroad.waiting_for(tx, executor, now):
            if address not in self._living() and address not in self._calling:
                self._calling.add(address)
                self._loop.call_soon(self._tasks.start_soon, self._call, address)

    def _living(self) -> list[str]:
        return [name for name, one in self._clusters.items() if not one.is_lost]

    async def _call(self, address: str) -> None:
        """Connect to a cluster, or say to the jobs that wait why not."""
        try:
            await self._connected(address)
        except Exception as error:  # a network can fail in any way
            self._say_why(address, f"waits for a dask cluster: {_said(error, address)}")
            await anyio.sleep(AGAIN_S)
        finally:
            self._calling.discard(address)
            self._look_again()

    async def _connected(self, address: str) -> Cluster:
        found = self._clusters.get(address)
        if found is None or found.is_lost:
            found = await anyio.to_thread.run_sync(self._connect, address)
            self._clusters[address] = found
        self._slots = await anyio.to_thread.run_sync(self._count)
        return found

    def _connect(self, address: str) -> Cluster:
        from .cluster import Cluster  # distributed is an extra, and slow to import

        return Cluster(
            address,
            lambda name, news: self._soon(self._on_news, name, news),
            lambda name, report: self._soon(self._on_end, name, report),
        )

    def _count(self) -> int:
        return sum(self._clusters[name].slots() for name in self._living())

    def _soon(self, call: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the executor has ended meanwhile
            self._loop.call_soon_threadsafe(call, *args)

    # -- claims ----------------------------------------------------------------------
    def room(self) -> int:
        """Return how many the clusters that answer run at once."""
        if self._is_closed or not self._living():
            return 0
        return min(max(self._slots, 1), MOST_AT_ONCE)

    def new_berth(self, name: str, folder: Path) -> Remote:
        """Make a place for an attempt elsewhere."""
        return Remote(name, folder)

    def next_for(
        self, tx: Transaction, executor: str, berth: Remote, output: str, now: float
    ) -> Row | None:
        """Claim the next job for a cluster that answers."""
        return abroad.claim(tx, executor, berth.id, output, now, self._living())

    def start_attempt(self, berth: Remote, row: Row) -> None:
        """Send an attempt off."""
        self._enter(berth, row, Known())
        self._tasks.start_soon(self._send, berth, row)

    def _enter(self, berth: Remote, row: Row, known: Known) -> None:
        berth.name, berth.told = f"{row['id']}-{row['attempt']}", known.told
        berth.capture = Fed(berth.output, known.offset)

    async def _send(self, berth: Remote, row: Row) -> None:
        name = berth.name
        address = abroad.address_of(self._store.reader, row["definition"])
        spec = self._spec(name, row)
        try:
            with anyio.fail_after(LOST_S):
                cluster = await self._until_connected(address)
                if not berth.has_still(name):
                    return
                berth.cluster, berth.may_run = cluster, True
                await anyio.to_thread.run_sync(self._dispatch, cluster, spec)
        except Exception as error:  # a network can fail in any way
            if berth.has_still(name):
                reason = f"it could not be sent: {_said(error, address)}"
                self._settles.ended(berth, Ending(State.INTERRUPTED, reason), None)
            return
        if not berth.has_still(name):  # it was taken back while it was sent
            await anyio.to_thread.run_sync(cluster.forget, name)
        else:
            cluster.watch(name, berth.known)

    async def _until_connected(self, address: str) -> Cluster:
        while True:
            try:
                return await self._connected(address)
            except OSError:
                await anyio.sleep(AGAIN_S)

    def _spec(self, name: str, row: Row) -> Spec:
        found = self._store.reader.one(jobs.GET_DEFINITION, {"key": row["definition"]})
        assert found is not None  # held by a foreign key
        checkpoint = self._store.load_checkpoint(row["id"])
        definition = jobs.NewDefinition(**dict(found))
        task = without_place(row)
        return Spec(name, sys.version_info[:2], definition, task, checkpoint, {})

    def _dispatch(self, cluster: Cluster, spec: Spec) -> None:
        """Pack an attempt with all contents that it names, and send it."""
        definition, task = spec.definition, spec.task
        named = [definition.code, definition.setup, task["input"]]
        while named:
            part = named.pop()
            for digest in {one.decode() for one in CONTENT.findall(part)}:
                path = blob_path(self._store.blobs, digest)
                if digest not in spec.contents and path.exists():
                    spec.contents[digest] = content = path.read_bytes()
                    if part.startswith(SPILLED):  # a long input, which names others
                        named.append(content.partition(b"\n")[0])
        cluster.send(spec.name, pickle.dumps(spec))

    # -- what comes back ---------------------------------------------------------------
    def _berth(self, name: str) -> Remote | None:
        for berth in self.handles.values():
            if berth.has_still(name) and berth.task is not None:
                return berth
        return None

    def _on_news(self, name: str, news: News) -> None:
        berth = self._berth(name)
        if berth is None:
            return
        self._take(berth, news)
        if news.checkpoint is not None and berth.task is not None:
            self._tasks.start_soon(self._try_to_save, berth, news.checkpoint)
        if news.timeout_s not in (None, berth.timeout_s):
            # Somebody has moved it, perhaps while there was no kernel here.
            self._tasks.start_soon(self._extend, berth, name)
        if berth.cluster is not None:
            berth.cluster.watch(name, berth.known)

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

    def _on_end(self, name: str, report: Report | str) -> None:
        berth = self._berth(name)
        if berth is not None:
            self._tasks.start_soon(self._settle, berth, report)

    async def _settle(self, berth: Remote, report: Report | str) -> None:
        name, cluster, task = berth.name, berth.cluster, berth.task
        assert task is not None  # looked up with it
        if isinstance(report, Report) and _is_lost(report):
            report = DIED
        if isinstance(report, str):
            # The worker that was the task's child finds itself alone, and ends its
            # attempt within the grace: never two at once.
            await anyio.sleep(task["grace_s"] + ALONE_S)
            if not berth.has_still(name):
                return
            ending = berth.stopping or Ending(State.INTERRUPTED, report)
            self._settles.ended(berth, ending, None)
        else:
            while not await self._has_taken(berth, name, report):
                await anyio.sleep(FULL_S)
            if not berth.has_still(name):
                return
            berth.outcome = report.outcome
            self._settles.ended(berth, report.ending, report.outcome)
        if cluster is not None:
            await anyio.to_thread.run_sync(cluster.forget, name)

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

    async def _ask(self, berth: Remote, call: Callable[[Cluster], bool]) -> bool:
        """Ask the cluster of an attempt; False where it does not answer."""
        if berth.cluster is None:
            return False
        try:
            return await anyio.to_thread.run_sync(call, berth.cluster)
        except Exception:  # a network can fail in any way
            return False

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
        has_heard, is_withdrawn = False, not berth.may_run
        with anyio.move_on_after(within_s) as waiting:
            while berth.has_still(name) and not is_withdrawn:
                has_heard = has_heard or await self._ask(
                    berth, lambda there: there.order(name, "stop", ending)
                )
                is_withdrawn = not has_heard and await self._ask(
                    berth, lambda there: there.withdraw(name)
                )
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
        berth.may_run = True
        self._tasks.start_soon(self._send, berth, task)

    def hang_up(self) -> None:
        """Leave the clusters to themselves: what runs there goes on."""
        self._is_closed = True
        for cluster in self._clusters.values():
            cluster.close()


def _is_lost(report: Report) -> bool:
    return report.ending is not None and report.ending.reason == DIED


def _said(error: Exception, address: str) -> str:
    if isinstance(error, ImportError):
        return "distributed is not installed here; pip install 'chutes-nb[dask]'"
    if isinstance(error, OSError | TimeoutError):
        return f"the scheduler at {address} does not answer"
    return f"{type(error).__name__}: {error}"[:200]
