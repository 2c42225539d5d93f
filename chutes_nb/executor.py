"""Claims jobs, has them run, settles their ends: one thread with a loop of its own.

Everything that changes the store goes through one inbox and is committed in
groups: whatever queued up during the last commit is the next group. Sends and
acknowledgements follow the commit, never before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import anyio
import anyio.abc

from . import failpoints
from .beside import call_on, end_kernel_jobs, lanes_beside
from .entries import Entry, Inbox, Kick, QueuedIds, Submit
from .errors import ChutesError, StoreBusy, StoreDamaged, StoreError, StoreFull
from .inheriting import Heir
from .lanes.handle import Handle
from .lanes.process import ProcessLane
from .paths import interpreter
from .processes import WORKER_MARK, forget_own, identify, keep_from_children, take_lease
from .rounds import Round
from .settler import Settler
from .spinning import LoneJob
from .store import Store, Transaction, fleet, holding, jobs
from .store.ids import new_id
from .waking import wake_host
from .watching import Alarm, Clock, Gates, Watch, mended, pause_s

log = logging.getLogger(__name__)

BUSY_PAUSE_S = 0.05


class Executor:
    """Runs the jobs of one kernel (or of the detached host).

    Parameters
    ----------
    store : Store
    max_workers : int
        Most worker processes at once.
    kind : {"kernel", "host"}

    Notes
    -----
    Knows nothing of ipykernel: it would be the same class in any process.
    """

    def __init__(self, store: Store, max_workers: int, kind: str = "kernel") -> None:
        self.store = store
        self.id, self.kind, self.max_workers = new_id(), kind, max_workers
        self._inbox = Inbox()
        self._is_kicked = self._is_waiting = self._is_leaving = False
        self._process = 0  # in which it runs; a child that is forked is another
        self._loop: asyncio.AbstractEventLoop
        self._started: Future[None] = Future()
        self._thread: threading.Thread | None = None
        self._lease, self._lease_path = -1, store.leases / f"{self.id}.executor"
        self._is_registered = self._is_hearing = False  # what a worker says just now
        self._gates, self._clock, self._lone = Gates(store), Clock(), LoneJob()
        self._alarm = Alarm(self.put)
        self.is_nested = WORKER_MARK in os.environ  # a job's own: nobody's heir

    # -- called from any thread ------------------------------------------------
    def start(self) -> None:
        """Start the thread; returns once it takes jobs.

        Raises
        ------
        StoreError
            If the store cannot be used.
        """
        self._lease = take_lease(self._lease_path)
        keep_from_children(self._lease)
        self._thread = threading.Thread(
            target=self._run, name="chutes-executor", daemon=True
        )
        self._thread.start()
        self._started.result()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Let go of everything; running jobs go on, for the next executor to adopt."""
        if self._thread is None or not self.is_running:
            return
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            end_kernel_jobs(self.kernel, self._loop, self.put)
            self._loop.call_soon_threadsafe(self._scope.cancel)
        self._thread.join(timeout_s)

    @property
    def is_running(self) -> bool:
        """Whether the thread takes jobs.

        An interrupt within ``Thread.is_alive`` makes it say no from then on.
        """
        return self._process == os.getpid()

    def submit(
        self,
        definition: jobs.NewDefinition,
        new: list[jobs.NewJob],
        resume_from: str | None = None,
    ) -> QueuedIds:
        """Queue jobs of one definition; the future has their ids once durable.

        The future raises :class:`StoreError` where they could not be written.

        Parameters
        ----------
        resume_from : str, optional
            An ended job whose checkpoint the new ones find.
        """
        if self.lane.has_unwanted():  # os.environ was changed
            self.call(self.lane.let_unwanted_go)
        entry = Submit(definition, new, resume_from)
        self.put(entry)
        return entry.done

    def look(self) -> None:
        """Say that a row was changed by this process: a cancel, an extension."""
        self.put(Kick(asks=True))

    def set_max_workers(self, most: int) -> None:
        """Change how many workers there may be at once, for who inherits as well."""
        self.max_workers = most
        with self.store.writing() as tx:
            fleet.set_max_workers(tx, self.id, most)
        self.lane.keep_only(most)
        self.call(self.lane.let_unwanted_go)
        self.look()

    def put(self, entry: Entry) -> None:
        """Queue an entry for the next commit."""
        if not self.is_running:
            raise StoreError(
                "the executor of this kernel has stopped; %reload_ext chutes_nb "
                "starts it again, and finds all its jobs"
            )
        self._inbox.append(entry)
        if not self._process:  # looked at behind the append
            self._refuse_all()
        if self._is_kicked:
            return
        self._is_kicked = True
        try:
            self._kick()
        except BaseException:  # interrupted on the way: the next one has to kick
            self._is_kicked = False
            raise

    def _kick(self) -> None:
        if threading.current_thread() is not self._thread:
            with contextlib.suppress(RuntimeError):  # it has just closed; see _run
                self._loop.call_soon_threadsafe(self._commit_all)
        elif not self._is_hearing:
            commit: Callable[[], object] = self._commit_all
            if self.lane.backlog:  # ends that are told within another turn come along
                commit = partial(self._loop.call_soon, commit)
            self._loop.call_soon(commit)

    def _refuse_all(self) -> None:
        for entry in self._inbox.drain():
            entry.fail(StoreError("the executor has stopped"))

    # -- the thread ------------------------------------------------------------
    def _run(self) -> None:
        try:
            loop = partial(asyncio.SelectorEventLoop, self._lone.selector)
            anyio.run(self._main, backend_options={"loop_factory": loop})
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)
            elif not isinstance(error, SystemExit):
                log.exception("the executor has stopped")
        finally:
            try:
                failpoints.hit("exit.before_unlock")
                forget_own(self._lease)
                os.close(self._lease)
                self._leave_to_host()
            finally:
                self._process = 0
                self._refuse_all()

    async def _main(self) -> None:
        self._loop, self._process = asyncio.get_running_loop(), os.getpid()
        try:
            await self._work()
        finally:
            self._is_leaving = True
            self._let_go()

    async def _work(self) -> None:
        async with anyio.create_task_group() as tasks:
            self._scope, self._tasks = tasks.cancel_scope, tasks
            self._settler = Settler(self.store, self.put, tasks)
            place = (self.store, self._settler, tasks)
            self.lane = ProcessLane(*place, self._hear)
            beside = lanes_beside(*place, self._lease_path, self.put)
            self._berths = self.kernel, self.dask = beside
            self._settler.lane, self._settler.berths = self.lane, self._berths
            self._watch = Watch(self.store, self._settler, self.put)
            self._started.set_result(None)
            self.put(Kick(clock=True, asks=True))  # with it goes our own row
            tasks.start_soon(self._settler.follow_outputs)
            tasks.start_soon(self._watch.run)
            if not self.is_nested:
                own = (self.store, self._settler, self.put, self.id)
                tasks.start_soon(Heir(*own, lambda: self._is_registered).run)

    def _let_go(self) -> None:
        """Hang up, so that the workers know at once that they are alone."""
        self.store.feed.forget()
        self._settler.close_outputs()
        self.lane.hang_up()
        self.dask.hang_up()
        if not self.store.gate().try_enter():
            return  # others see by the lease that we are gone
        with contextlib.suppress(ChutesError), self.store.writing(entered=True) as tx:
            if not fleet.has_heritage(tx, self.id):
                fleet.end_executor(tx, self.id, time.time())
                self._lease_path.unlink(missing_ok=True)

    def _leave_to_host(self) -> None:
        """Start the detached host where no worker is left that would notice."""
        if self.kind == "host" or self.is_nested or not self._is_registered:
            return
        if any(one.is_alive() and not one.is_going for one in self.handles):
            return
        with contextlib.suppress(ChutesError, sqlite3.Error, OSError):
            wake_host(self.store)

    def _register(self, tx: Transaction) -> None:
        fleet.add_executor(
            tx,
            self.id,
            kind=self.kind,
            who=identify(os.getpid()),
            python=interpreter(),
            lease=str(self._lease_path),
            sqlite=sqlite3.sqlite_version,
            max_workers=self.max_workers,
            is_nested=self.is_nested,
            now=time.time(),
        )

    # -- commits ---------------------------------------------------------------
    def _commit_all(self, has_entered: bool = False) -> None:
        """Commit what has queued up; a callback: a task would wake two turns later.

        What it raised would cost a worker its line, or the executor its life, and
        nobody would come back for what is still queued.
        """
        if self._is_leaving:
            return  # our row may say that nothing is left; see _refuse_all
        self._is_kicked = False
        try:
            while has_entered or (self._inbox and not self._is_waiting):
                if not (has_entered or self._gates.enter(self._inbox)):
                    self._wait_for_gates()
                    return
                has_entered = False
                self._commit(self._inbox.take())
        except Exception as error:
            said = {"message": "chutes_nb: a commit failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(said)
            self._wait_for_gates(BUSY_PAUSE_S)
        self._watch.last_commit_at = time.monotonic()

    def _hear(self, deliver: Callable[[], object]) -> None:
        """Take what a worker says; the end of a lone job waits for no other turn."""
        self._is_hearing = self._lone.is_expected
        try:
            deliver()
        finally:
            has_heard, self._is_hearing = self._is_hearing, False
            if has_heard and self._is_kicked:
                self._commit_all()

    def _wait_for_gates(self, pause_s: float = 0.0) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._tasks.start_soon(self._commit_when_free, pause_s)

    async def _commit_when_free(self, pause_s: float) -> None:
        """Wait for the store's gates without stopping the loop, then commit."""
        await anyio.sleep(pause_s)
        pause = 0.0001
        self._inbox.give_up()
        while not self._gates.enter(self._inbox):
            self._inbox.give_up()
            await anyio.sleep(pause)
            pause = min(pause * 2, 0.005)
        self._is_waiting = False
        self._commit_all(has_entered=True)

    def _put_back(self, batch: list[Entry], pause_s: float) -> None:
        """Keep entries, in their order, for a commit a little later."""
        self._inbox.put_back(batch)
        self._wait_for_gates(pause_s)

    def _commit(self, batch: list[Entry]) -> None:
        """Write a group of entries; the gates are ours, and are left here."""
        place = (self.store, self.lane, self._berths, self.id)
        round_ = Round(*place, self.max_workers, self._lone)
        failpoints.hit("commit.before_begin")
        try:
            with self.store.writing(entered=True) as tx:
                if not self._is_registered:
                    self._register(tx)
                if moved_s := self._clock.moved_s():
                    holding.move_times(tx, self.id, moved_s)
                    round_.has_times = True
                round_.write_logs(batch)
                round_.apply(tx, batch)
                round_.claim(tx)
                failpoints.hit("commit.before")
        except StoreBusy:  # somebody who knows nothing of the gate: DB Browser, say
            self._put_back(batch, BUSY_PAUSE_S)
            return
        except Exception as error:
            round_.look_again()
            self.lane.backlog = None
            if isinstance(error, StoreDamaged) and mended(self.store):
                self._put_back(batch, 0.0)
            else:
                self._divide(batch, error)
            return
        finally:
            self._gates.leave_logs()
        self._is_registered = True
        self._clock.take(moved_s)
        self._after(round_, batch)

    def _after(self, round_: Round, batch: list[Entry]) -> None:
        """Do what had to wait for the commit: sends, acknowledgements, wake-ups."""
        if round_.queued:
            self.store.feed.expect(round_.queued)
        try:
            round_.send()
        finally:  # whatever becomes of that, who waits for what is durable is told
            for entry in batch:
                entry.succeed()
            for handle in round_.newborn:
                self._settler.start(handle)
            for late in round_.late:
                self._settler.bring_in(*late)
            for handle in round_.worn:
                self.lane.retire(handle)
            self._alarm.set(round_.next_time)

    def _divide(self, batch: list[Entry], error: Exception) -> None:
        """Find which entry of a group cannot be written, and settle the others."""
        if len(batch) == 1:
            self._settle_unwritten(batch[0], error)
        else:
            self._inbox.put_back(batch, apart=True)

    def _settle_unwritten(self, entry: Entry, error: Exception) -> None:
        """Tell who waits for an entry that it failed, or try for ever: an end must be.

        A full disk is emptied one day; until then the ballast makes room for ends.
        """
        if not entry.must_be_written:
            entry.fail(error)
        elif isinstance(error, StoreFull) and self.store.ballast.free():
            self._put_back([entry], 0.0)
        elif isinstance(error, StoreError):
            pause = pause_s(entry)
            log.error("will try again in %.1f s: %s", pause, error)
            if entry.set_back(self._inbox.copy()):
                self._inbox.put_back([entry])
            else:
                asyncio.get_running_loop().call_later(pause, self.put, entry)
        else:
            log.error("cannot be written: %r", entry, exc_info=error)
            self._inbox.put_back(entry.bare(error))

    def call(self, ask: Callable[[], object]) -> Future[object]:
        """Run a function on the executor's loop; StoreError where that has ended."""
        return call_on(self._loop, ask)

    @property
    def handles(self) -> list[Handle]:
        """The workers there are now."""
        return list(self.lane.handles.values())
