"""Follows running attempts and turns what becomes of them into entries to commit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.abc

from . import failpoints
from .entries import Commit, Entry, Finish, Kick, Told
from .errors import StoreError
from .lanes.berths import BerthLane
from .lanes.claims import define_message
from .lanes.handle import Handle
from .lanes.holder import Holder
from .lanes.lane import Lane
from .lanes.process import ProcessLane
from .late_output import bring_in
from .policy import Ending
from .states import State
from .store import Store, Transaction, fleet, jobs, logs, runs
from .store.db import Row
from .worker.capture import POLL_S, Capture
from .worker.endings import ending_of, result_of
from .worker.errors import Sources
from .worker.frames import Busy, Outcome, Telling, task_of

log = logging.getLogger(__name__)

TRIMS_A_LOOK = 10
LOOKS_A_SECOND = round(1 / POLL_S)
OUTPUT_TRIES = 60 * LOOKS_A_SECOND  # for an output that cannot be opened


@dataclass
class Gone(Entry):
    """A worker that is no more."""

    handle: Holder

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """Record it."""
        fleet.end_worker(tx, self.handle.id, commit.now)
        failpoints.hit("gone.before_commit")
        commit.buried.append(self.handle)


@dataclass
class Born(Entry):
    """A worker that said hello."""

    handle: Handle

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """Record which process it is."""
        if self.handle.identity is not None:
            fleet.born(tx, self.handle.id, self.handle.identity)
            failpoints.hit("born.before_commit")


@dataclass
class Stillborn(Entry):
    """A worker that ended before it said hello; the jobs that wait are told why."""

    reason: str

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """Write the reason where it is not known yet."""
        place = {"executor": commit.executor, "reason": self.reason, "rev": tx.rev}
        tx.run(jobs.SAY_WHY, place)


class Settler:
    """The executor's ears: what its lane tells, as entries of the next commit.

    Parameters
    ----------
    put : callable
        Takes an entry for the next commit.
    """

    lane: ProcessLane
    berths: Sequence[BerthLane[Any]]

    def __init__(
        self, store: Store, put: Callable[[Entry], None], tasks: anyio.abc.TaskGroup
    ) -> None:
        self._store, self._put, self._tasks = store, put, tasks
        self._turn = anyio.Lock()

    # -- births and adoptions --------------------------------------------------
    def start(self, handle: Handle) -> None:
        """Bring a worker to life whose row has been committed."""
        self._tasks.start_soon(self._spawn, handle)

    async def _spawn(self, handle: Handle) -> None:
        try:
            await self.lane.spawn(handle)
        except OSError as error:  # no room for another process now
            self.lane.handles.pop(handle.id, None)
            self._stillborn(handle, str(error))
            return
        self._put(Born(handle))

    def adopt(self, row: Row, task: Row | None) -> None:
        """Take over a worker of a dead executor, with the attempt it has."""
        for lane in self.berths:
            if row["socket"] == lane.mark:
                lane.settle_left(row, task, self._log_end(task))
                return
        handle = self.lane.adopt(row, task)
        if task is not None:
            offset, usual_s = self._log_end(task), None
            place = (self._store.reader, task["chute"], task["name"])
            with contextlib.suppress(StoreError, sqlite3.Error):
                usual_s = self.lane.earlier.usual_s(*place)
            self.lane.give(handle, task)
            gone_s = max(0.0, time.time() - task["started_at"])
            handle.given_at -= gone_s
            handle.capture = Capture(task["output"], offset, usual_s, handle.given_at)

    def _log_end(self, task: Row | None) -> int:
        """Bytes of an attempt's output that the log store has: they are kept once."""
        if task is not None:
            with contextlib.suppress(StoreError, sqlite3.Error):
                return logs.end(self._store.log_reader, task["id"], task["attempt"])
        return 0

    def ready(self, handle: Handle, busy: Busy | None) -> None:
        """Give an adopted worker what never reached it; watch what it has."""
        task = handle.task
        if task is not None and busy is not None:
            gone_s = busy[2]  # before the first line it will say so itself
            if gone_s is not None and handle.began_at is None:
                self.lane.begun(handle, gone_s)
        elif task is not None and handle.stopping is None:
            self._deliver_or_forget(handle, task)
        handle.idle_since = time.monotonic()
        self._put(Kick(asks=True))

    def _deliver_or_forget(self, handle: Handle, task: Row) -> None:
        """Settle what an idle worker has of an attempt that the store gave it.

        Either it has ended the attempt by itself since we read the store: a worker
        says hello only after that. Or the attempt was claimed and its executor died
        before it was sent: then it goes out now, the same attempt for the first time.
        """
        row = fleet.running_on(self._store.reader, handle.id)
        if row is None or (row["id"], row["attempt"]) != (task["id"], task["attempt"]):
            handle.clear()
            return
        definition = self._store.reader.one(
            jobs.GET_DEFINITION, {"key": task["definition"]}
        )
        assert definition is not None  # held by a foreign key
        handle.known.add(definition["key"])
        handle.send(define_message(definition), ("run", *task_of(row, row["output"])))

    # -- what attempts say -----------------------------------------------------
    def told(
        self,
        handle: Holder,
        tellings: list[Telling],
        at: float | None = None,
        batch: int = 0,
    ) -> None:
        """Take what a running attempt says; ``at`` where that was elsewhere."""
        task, capture = handle.task, handle.capture
        assert task is not None  # the lane checked that it is the live attempt
        progress, rest = None, []
        for telling in tellings:
            if telling.kind == "progress" and capture is not None:
                progress = capture.told(time.monotonic(), telling.value)
            elif telling.kind != "progress":
                rest.append((telling.kind, telling.value))
        told = Told(task["id"], task["attempt"], rest, progress, at=at)
        told.batch, told.handle = batch, handle
        if capture is not None:
            told.doubled = capture.doubled.told(tellings)
        self._put(told)

    async def follow_outputs(self) -> None:
        """Bring the output of live attempts into the store, 20 times a second."""
        rounds = 0
        lanes: list[Lane[Any]] = [self.lane, *self.berths]
        while True:
            await self._pause()
            rounds += 1
            if rounds % LOOKS_A_SECOND == 0:
                self.lane.notice_the_dead()
            held = [one for lane in lanes for one in lane.handles.values()]
            for place, handle in enumerate(held):
                self._look(handle)
                is_due = (rounds + place) % LOOKS_A_SECOND == 0
                memory = handle.memory
                if handle.task is not None and memory and (is_due or not memory.peak):
                    memory.look()

    async def _pause(self) -> None:
        """Wait for the next look; trim floods meanwhile, lest they fill the disk."""
        floods = [
            capture
            for lane in (self.lane, *self.berths)
            for handle in lane.handles.values()
            if (capture := handle.capture) is not None and capture.is_flooded
        ]
        if not floods:
            await anyio.sleep(POLL_S)
            return
        for _ in range(TRIMS_A_LOOK):
            await anyio.sleep(POLL_S / TRIMS_A_LOOK)
            for capture in floods:
                with contextlib.suppress(OSError):
                    capture.trim()

    def _look(self, handle: Holder) -> bool:
        """Put one look at an attempt's output; False when there is nothing new.

        An output that cannot be opened now is there still at the next look.
        """
        task, capture = handle.task, handle.capture
        if task is None or capture is None or handle.is_drained:
            return False
        try:
            look = capture.look(time.monotonic())
        except OSError as error:
            log.warning("will look at an output again: %s", error)
            return not isinstance(error, FileNotFoundError)
        if look is None:
            return False
        self._put(Told(task["id"], task["attempt"], look=look, capture=capture))
        return look.has_more

    def bring_in(self, job: str, attempt: int, capture: Capture) -> None:
        """Go on with the output of an attempt that is over, until the log has it."""
        if capture.path in self.lane.owed:
            return  # an heir finds what it owes itself
        self.lane.owed.add(capture.path)
        self._tasks.start_soon(self._bring_in, job, attempt, capture)

    async def _bring_in(self, job: str, attempt: int, capture: Capture) -> None:
        async with self._turn:  # each has its file open
            await bring_in(self._store, self._put, job, attempt, capture)
        self.lane.owed.discard(capture.path)

    # -- ends ------------------------------------------------------------------
    def ended(
        self, handle: Holder, ending: Ending | None, outcome: Outcome | None
    ) -> None:
        """Settle an attempt that is over; the first who tells it is believed."""
        if handle.is_ending or handle.task is None:
            return
        handle.is_ending = True
        if outcome is not None:
            self._part(handle, outcome.told)
            final = _combined(outcome, ending)
        else:
            assert ending is not None  # an attempt ends by itself or by us
            final = self._as_asked(handle, ending)
        if outcome is not None and outcome.output_bytes == 0 and not handle.saw_output:
            self._finish(handle, final, outcome)
        else:
            self._tasks.start_soon(self._drain, handle, final, outcome)

    def _part(self, handle: Holder, tellings: list[Telling]) -> None:
        """Let go of what was read of metrics that are told by themselves at the end."""
        if handle.task is None or not tellings or handle.capture is None:
            return  # what follows the output is made where it is asked for
        doubled = handle.capture.doubled.told(tellings)
        if doubled:
            place = (handle.task["id"], handle.task["attempt"])
            self._put(Told(*place, doubled=doubled))

    def _as_asked(self, handle: Holder, ending: Ending) -> Ending:
        """Name a cancel as the cause where a worker, alone, ended itself for it."""
        row = None  # where it cannot be read now, the commit looks once more
        if handle.stopping is None and ending.state is not State.CANCELLED:
            with contextlib.suppress(StoreError, sqlite3.Error):
                row = fleet.running_on(self._store.reader, handle.id)
        by = None if row is None else row["cancel_by"]
        return ending if by is None else Ending(State.CANCELLED, f"cancelled by {by}")

    async def _drain(
        self, handle: Holder, ending: Ending, outcome: Outcome | None
    ) -> None:
        """Bring in the rest of the output, then settle: the log is whole by then."""
        tries = 0
        if handle.capture is not None:
            handle.capture.end()
        while self._look(handle) and tries < OUTPUT_TRIES:
            is_open = handle.capture is not None and handle.capture.is_open
            tries += not is_open
            await anyio.sleep(0 if is_open else POLL_S)
        if handle.task is not None and handle.capture is not None:
            look = handle.capture.rest(time.monotonic())
            if look is not None:
                place = (handle.task["id"], handle.task["attempt"])
                self._put(Told(*place, look=look, capture=handle.capture))
        self._finish(handle, ending, outcome)

    def _finish(self, handle: Holder, ending: Ending, outcome: Outcome | None) -> None:
        task = handle.task
        assert task is not None  # an attempt ends once
        handle.is_drained = True
        if ending.state is State.COMPLETED:
            span_s = time.monotonic() - handle.given_at
            place = (self._store.reader, task["chute"], task["name"])
            self.lane.earlier.completed(*place, span_s)
        told: list[tuple[str, Any]] = []
        files = [runs.KeptFile(*file) for file in handle.left]
        result = None
        if outcome is not None:
            if tellings := [one for one in outcome.told if one.kind == "progress"]:
                self.told(handle, tellings)
            told = [(k, v) for k, v in outcome.told if k != "progress"]
            files = [runs.KeptFile(*file) for file in outcome.files]
            result = result_of(outcome)
        handle.idle_since = time.monotonic()
        self._put(Finish(handle, task, ending, result, told, files))
        if handle.is_gone:
            self._put(Gone(handle))

    def gone(self, handle: Holder) -> None:
        """Record that a worker is no more, after the end of what it ran."""
        if handle.is_ending and not handle.is_drained:
            handle.is_gone = True  # its output is still being read
        elif handle.is_ready or handle.identity is None or not handle.is_new:
            self._put(Gone(handle))  # an adopted one was ready for somebody else
        else:
            self._stillborn(handle, handle.cause or said_last(handle.folder / "stderr"))

    def _stillborn(self, handle: Holder, cause: str) -> None:
        """Say why no worker starts, and try again after a pause that grows."""
        reason = f"no worker can start: {cause or 'it ended at once'}"
        log.error("%s (%s)", reason, handle.id)
        self._put(Stillborn(reason))
        self._put(Gone(handle))
        loop = asyncio.get_running_loop()
        loop.call_later(self.lane.births.failed(), self._put, Kick())

    def close_outputs(self) -> None:
        """Close the outputs of all that goes on when this executor does not."""
        for lane in (self.lane, *self.berths):
            for handle in lane.handles.values():
                handle.close_output()

    def sources(self, handle: Holder) -> Sources:
        """Return the cells of an attempt's definition."""
        task = handle.task
        if task is None:
            return {}
        row = None
        with contextlib.suppress(StoreError, sqlite3.Error):
            key = {"key": task["definition"]}
            row = self._store.reader.one(jobs.GET_DEFINITION, key)
        return {} if row is None else json.loads(row["sources"])

    def send_acks(self) -> None:
        """Acknowledge what no other message has: ends, and what attempts told."""
        for handle in self.lane.handles.values():
            if handle.ack is not None or handle.heard is not None:
                handle.send()

    def let_spares_go(self, idle_s: float) -> None:
        """Retire workers that nobody has needed for a while, but for one."""
        self.lane.let_unwanted_go()
        now = time.monotonic()
        idle = [handle for handle in self.lane.handles.values() if handle.is_idle]
        for handle in idle[1:]:
            if now - handle.idle_since > idle_s:
                self.lane.retire(handle)


def _combined(outcome: Outcome, asked: Ending | None) -> Ending:
    """Join what the worker saw with what was asked of it."""
    ending = ending_of(outcome, asked)
    if asked is not None and ending.state is not asked.state and outcome.end != "ok":
        # It was asked to stop and failed on the way: the cause is the asking.
        ending = Ending(asked.state, asked.reason, outcome.error, asked.may_retry)
    return ending


def said_last(file: Path) -> str:
    """Return the last line that a worker wrote before it could speak."""
    try:
        lines = file.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""
