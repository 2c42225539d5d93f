"""One commit of the executor: the entries it writes, and the claims it makes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any

from . import failpoints
from .errors import ChutesError, MoveRefused, StoreError
from .lanes.berths import BerthLane, Claimed
from .lanes.causes import pass_before_commit
from .lanes.claims import Claims, define_message
from .lanes.handle import Handle
from .lanes.holder import Holder
from .lanes.lane import Lane
from .lanes.process import ProcessLane
from .policy import Ending
from .states import ENDED, State
from .store import Store, Transaction, jobs, limits, logs, runs, settling
from .store.db import Row
from .worker.capture import Capture, Look
from .worker.frames import task_of

WORN_AFTER_RUNS = 20_000


class Entry:
    """Something to be written; what happened has to be, what is wished may fail."""

    must_be_written = True
    tries = 0

    def apply(self, tx: Transaction, round_: Round) -> None:
        """Write it."""

    def succeed(self) -> None:
        """Tell whoever waits that it is durable."""

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that it was not written."""

    def bare(self, error: Exception) -> list[Entry]:
        """Return what is to be written where this itself cannot be."""
        return []


@dataclass
class Submit(Entry):
    """Jobs of one definition, to be queued."""

    definition: jobs.NewDefinition
    new: list[jobs.NewJob]
    resume_from: str | None = None
    done: Future[list[str]] = field(default_factory=Future)
    ids: list[str] = field(default_factory=list)
    must_be_written = False

    def apply(self, tx: Transaction, round_: Round) -> None:
        """Write the definition once, and each job."""
        key = self.definition.key
        if key not in round_.lane.written or not jobs.has_definition(tx, key):
            jobs.add_definition(tx, self.definition)
            round_.new_keys.append(key)
        self.ids = [round_.add(tx, job) for job in self.new]
        for job, job_id in zip(self.new, self.ids, strict=True):
            if job.id == job_id:
                round_.queued.append(job_id)
                round_.expect(job)
                if self.resume_from is not None:
                    runs.copy_checkpoint(tx, self.resume_from, job_id)
            round_.has_times |= job.deadline_at is not None
        failpoints.hit("submit.before_commit")

    def succeed(self) -> None:
        """Give the ids: the jobs are durable."""
        failpoints.hit("submit.after_commit")
        # Whoever asked may have given up waiting; the jobs are there all the same.
        with contextlib.suppress(InvalidStateError):
            self.done.set_result(self.ids)

    def fail(self, error: Exception) -> None:
        """Say why the jobs are not in the store."""
        if not isinstance(error, ChutesError):
            error = StoreError(f"this job cannot be stored: {error}")
        with contextlib.suppress(InvalidStateError):
            self.done.set_exception(error)


@dataclass
class Kick(Entry):
    """Nothing to write, but something to look at."""

    clock: bool = False
    asks: bool = False
    must_be_written = False

    def apply(self, tx: Transaction, round_: Round) -> None:
        """End what is past its deadline; stop what somebody wants cancelled."""
        round_.look_again()
        if self.clock:
            round_.has_times = True
            place = {"executor": round_.executor, "now": round_.now}
            for (job,) in tx.all(jobs.PAST_DEADLINE, place):
                reason = "deadline: no attempt could end before it"
                if jobs.end_waiting(tx, job, State.TIMEOUT, reason, round_.now):
                    round_.ended.append(job)
        if self.asks:
            round_.has_times = True  # a job that others queued may have a deadline
            round_.asked = tx.all(jobs.ASKED, {"executor": round_.executor})
            round_.limits = tx.all(limits.LIMITS, {"executor": round_.executor})


@dataclass
class Told(Entry):
    """What a running attempt said, or wrote to its output."""

    job: str
    attempt: int
    tellings: list[tuple[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] | None = None
    look: Look | None = None
    at: float | None = None  # when it was told, where that was elsewhere
    capture: Capture | None = None
    handle: Holder | None = None
    batch: int = 0

    def apply(self, tx: Transaction, round_: Round) -> None:
        """Write it, unless it is there: a worker that was alone has told it then."""
        if not runs.take_told(tx, self.job, self.attempt, self.batch):
            return
        at = self.at or round_.now
        if self.tellings:
            settling.write_tellings(tx, self.job, self.attempt, self.tellings, at)
        end, progress = 0, self.progress
        quiet_since: float | None = None
        if self.look is not None:
            end = self.look.start + len(self.look.body)
            progress = progress or self.look.progress
            runs.add_metrics(tx, self.job, self.attempt, self.look.points, at)
            if self.look.quiet_s is not None:
                quiet_since = round_.now - self.look.quiet_s
        place = (tx, self.job, self.attempt)
        runs.note(*place, progress=progress, log_end=end, quiet_since=quiet_since)

    def succeed(self) -> None:
        """Let the output go that the log has now."""
        if self.capture is not None and self.look is not None:
            self.capture.kept(self.look.start + len(self.look.body))
        told = (self.job, self.attempt)
        if self.batch and self.handle is not None and self.handle.has(*told):
            self.handle.heard = ("heard", *told, self.batch)


@dataclass
class Finish(Entry):
    """The end of an attempt."""

    handle: Holder
    task: Row
    ending: Ending
    result: jobs.NewResult | None = None
    told: list[tuple[str, Any]] = field(default_factory=list)
    files: list[runs.KeptFile] = field(default_factory=list)
    state: State | None = None
    is_bare: bool = False

    def bare(self, error: Exception) -> list[Entry]:
        """Return an end that says what was wrong with this one."""
        ending = settling.bare(self.ending, error)
        end = Finish(self.handle, self.task, ending, is_bare=True)
        return [] if self.is_bare else [end]

    def apply(self, tx: Transaction, round_: Round) -> None:
        """Move the job; an attempt that is not ours any more changes nothing."""
        try:
            left = (self.result, self.told, self.files)
            place = (tx, self.task, self.handle.id, self.ending, round_.now)
            state = settling.finish_attempt(*place, *left)
        except MoveRefused:
            state = None
        pass_before_commit(state)
        self.state = state
        if state in ENDED:
            round_.ended.append(self.task["id"])
        elif state is State.RETRYING:
            round_.has_times = True
        if state is State.RETRYING or self.task["is_limited"]:
            round_.look_again()
        round_.finished.append(self)


class Round:
    """Everything that one commit does, and what must wait until it is done."""

    def __init__(
        self,
        store: Store,
        lane: ProcessLane,
        berths: Sequence[BerthLane[Any]],
        executor: str,
        max_workers: int,
    ) -> None:
        self.store, self.lane, self.executor = store, lane, executor
        self.berths = berths
        self.now = time.time()
        self.ended: list[str] = []
        self.queued: list[str] = []
        self.finished: list[Finish] = []
        self.buried: list[Holder] = []
        self.newborn: list[Handle] = []
        self.new_keys: list[str] = []
        self.asked: list[Row] = []
        self.limits: list[Row] = []
        self.backlog = lane.backlog
        self.has_times = False
        self.next_time: float | None = None
        self._queue = Claims(lane, executor, max_workers, self.now)
        self.worn = self._queue.worn
        self._claims: list[tuple[Handle, Row, Row | None]] = []
        self._taken: set[str] = set()
        self._starts = False
        self._following: dict[str, str] = {}
        self._in_berths: list[tuple[BerthLane[Any], Claimed[Any]]] = []

    def write_logs(self, batch: Iterable[Entry]) -> None:
        """Write output first: an end in the store means that its log is there."""
        looks = [one for one in batch if isinstance(one, Told) and one.look is not None]
        if not looks:
            return
        with self.store.writing_logs(entered=True) as tx:
            for one in looks:
                look = one.look
                assert look is not None  # filtered above
                place = (one.job, one.attempt, look.start, look.body)
                logs.add(tx, *place, look.passed, look.size)
            failpoints.hit("log.before_commit")
        failpoints.hit("log.after_commit")

    def apply(self, tx: Transaction, batch: Iterable[Entry]) -> None:
        """Write every entry."""
        # Of several submits one may have a job that goes before those of the others.
        self._starts = sum(isinstance(one, Submit) for one in batch) == 1
        for entry in batch:
            entry.apply(tx, self)
        self.ended += tx.ended_too
        if tx.has_released:
            self.look_again()

    def add(self, tx: Transaction, job: jobs.NewJob) -> str:
        """Queue a job; where a worker is idle and nobody waits, it starts with that."""
        started = self._queue.start(tx, job, self._taken) if self._starts else None
        if started is None:
            self._starts = False
            return jobs.add(tx, job)
        self._take(tx, *started)
        return job.id

    def _take(self, tx: Transaction, handle: Handle, row: Row) -> None:
        """Note a claim, to be sent once it is committed."""
        self.expect_ready(-1)
        definition = None
        if row["definition"] not in handle.known:
            definition = tx.one(jobs.GET_DEFINITION, {"key": row["definition"]})
        self._taken.add(handle.id)
        self._claims.append((handle, row, definition))
        failpoints.hit("claim.before_commit")

    def claim(self, tx: Transaction) -> None:
        """Give ready jobs to idle workers, and ask for more workers where short."""
        done = [one.handle for one in self.finished]
        if self.backlog != 0:
            self._claim_for_workers(tx, done)
        if self.backlog != 0:
            self.newborn += self._queue.births(tx)
        for lane in self.berths:
            if lane.is_due:
                claimed = lane.claim(tx, self.executor, self.now, done)
                self._in_berths.append((lane, claimed))
        if self.has_times:
            place = {"executor": self.executor, "now": self.now}
            row = tx.one(jobs.NEXT_TIME, place)
            times = [at for at in row or () if at is not None and at > 0]
            self.next_time = min(times, default=None)

    def _claim_for_workers(self, tx: Transaction, done: Iterable[Holder]) -> None:
        freed = [
            one for one in done if isinstance(one, Handle) and self._can_go_on(one)
        ]
        handles = self.lane.handles.values()
        idle = [one for one in handles if one.is_idle and one.id not in self._taken]
        for handle in sorted(freed + idle, key=lambda one: one.is_new):
            if self.backlog == 0:
                break
            output = handle.output
            if handle.task is not None and handle.saw_output:
                # The file of the attempt that ends in this round is not the next
                # one's: an heir would take its lines for those of that one.
                output = self._following[handle.id] = handle.new_output()
            row = self._queue.next_for(tx, handle, output)
            if row is None and self._queue.waits_for_new:
                continue
            if row is None:
                self.backlog = 0
                break
            self._take(tx, handle, row)

    def expect(self, job: jobs.NewJob) -> None:
        """Take note of a job that was queued."""
        if job.lane == "process":
            self.expect_ready(not job.waits)
        else:
            self._berths_are_due()

    def look_again(self) -> None:
        """Take note that jobs may be ready of which nobody has counted how many."""
        self.backlog = None
        self._berths_are_due()

    def _berths_are_due(self) -> None:
        for lane in self.berths:
            lane.is_due = True

    def expect_ready(self, more: int) -> None:
        """Count jobs that are ready to be claimed, where the count is known.

        None means that somebody may have made some ready (a due retry, a free token,
        another process), so that the store has to be asked; 0 saves a look for nothing.
        """
        if self.backlog is not None:
            self.backlog += more

    def _can_go_on(self, handle: Handle) -> bool:
        return (
            not handle.is_going
            and handle.transport is not None  # it may have died since it told its end
            and handle.stopping is None
            and handle.outcome is not None
            and not handle.outcome.is_last
            and handle.runs < WORN_AFTER_RUNS
            and not (handle.task is not None and handle.task["fresh"])
        )

    def send(self) -> None:
        """Acknowledge ends and send out claims; called once all is committed."""
        self.lane.written.update(self.new_keys)
        self.lane.backlog = self.backlog
        self.lane.handles.update({handle.id: handle for handle in self.newborn})
        for one in self.finished:
            failpoints.hit("ack.before")
            if one.state is State.RETRYING:
                failpoints.hit("retry.after_commit")
            handle = one.handle
            if handle.saw_output:
                handle.used_output(self._following.get(handle.id))
            can_go_on = isinstance(handle, Handle) and self._can_go_on(handle)
            handle.clear()
            handle.ack = ("ack", one.task["id"], one.task["attempt"])
            if isinstance(handle, Handle) and not (can_go_on or handle.is_going):
                self.worn.append(handle)
        for handle, row, definition in self._claims:
            self._send_task(handle, row, definition)
        for lane, claimed in self._in_berths:
            lane.start(claimed)
        self._stop_what_is_asked()
        for handle in self.buried:
            handle.remove_folder()

    def _send_task(self, handle: Handle, row: Row, definition: Row | None) -> None:
        failpoints.hit("claim.after_commit")
        handle.runs += 1
        self.lane.give(handle, row)
        messages = []
        if definition is not None:
            handle.known.add(definition["key"])
            messages.append(define_message(definition))
        handle.ack = None  # what runs next says so
        handle.send(*messages, ("run", *task_of(row, handle.output)))
        failpoints.hit("run.after_send")

    def _stop_what_is_asked(self) -> None:
        if not self.asked and not self.limits:
            return
        wanted = {row["id"]: row["cancel_by"] for row in self.asked}
        limits = {row["id"]: row["timeout_s"] for row in self.limits}
        lanes: tuple[Lane[Any], ...] = (self.lane, *self.berths)
        held = [(lane, one) for lane in lanes for one in lane.handles.values()]
        for lane, handle in held:
            task = handle.task
            if task is None:
                continue
            if task["id"] in wanted:
                reason = f"cancelled by {wanted[task['id']]}"
                lane.stop(handle, Ending(State.CANCELLED, reason))
            elif limits.get(task["id"], handle.timeout_s) != handle.timeout_s:
                lane.extend(handle, limits[task["id"]])
