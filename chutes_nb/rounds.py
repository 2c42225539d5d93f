"""One commit of the executor: the entries it writes, and the claims it makes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, cast

from . import failpoints
from .entries import Entry, Finish, Submit, Told
from .lanes.berths import BerthLane, Claimed
from .lanes.claims import Claims, define_message
from .lanes.handle import Handle
from .lanes.holder import Holder
from .lanes.lane import Lane
from .lanes.process import ProcessLane
from .policy import Ending
from .spinning import LoneJob
from .states import State
from .store import Store, Transaction, jobs, logs
from .store.db import Row
from .store.new import NewResult
from .worker.capture import Capture, Look
from .worker.frames import task_of

WORN_AFTER_RUNS = 20_000


class Round:
    """Everything that one commit does, and what must wait until it is done."""

    def __init__(
        self,
        store: Store,
        lane: ProcessLane,
        berths: Sequence[BerthLane[Any]],
        executor: str,
        max_workers: int,
        lone: LoneJob,
    ) -> None:
        self.store, self.lane, self.executor = store, lane, executor
        self._lone = lone
        self.berths = berths
        self.now = time.time()
        self.ended: list[str] = []
        self.queued: list[str] = []
        self.finished: list[Finish] = []
        self.returned: dict[str, NewResult] = {}
        self.late: list[tuple[str, int, Capture]] = []
        self.buried: list[Holder] = []
        self.newborn: list[Handle] = []
        self.new_keys: dict[str, int] = {}
        self.asked: list[Row] = []
        self.limits: list[Row] = []
        self.backlog = lane.backlog
        self.has_times = False
        self.next_time: float | None = None
        self._queue = Claims(lane, executor, max_workers, self.now)
        self.worn = self._queue.worn
        self._claims: list[tuple[Handle, Row, Row | None]] = []
        self._expects: Handle | None = None
        self._taken: set[str] = set()
        self._starts = False
        self._following: dict[str, str] = {}
        self._in_berths: list[tuple[BerthLane[Any], Claimed[Any]]] = []

    def write_logs(self, batch: Iterable[Entry]) -> None:
        """Write output first: an end in the store means that its log is there."""
        told = [one for one in batch if isinstance(one, Told) and one.has_body]
        if not told:
            return
        looks = [(one, cast(Look, one.look)) for one in told]
        with self.store.writing_logs(entered=True) as tx:
            for one, look in looks:
                place = (one.job, one.attempt, look.start, look.body)
                logs.add(tx, *place, look.passed, look.size)
            failpoints.hit("log.before_commit")
        failpoints.hit("log.after_commit")
        for one, look in looks:
            if one.capture is not None:
                one.capture.kept(look.end)

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
        """Give ready jobs to idle workers, and ask for more workers where short.

        Called when all is applied; nothing but the commit follows.
        """
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
        self._foretell()

    def _foretell(self) -> None:
        """Let the worker of a lone job prepare for it while the claim is committed.

        It begins with nothing of the job's before it hears that the claim stands.
        """
        if len(self._claims) != 1 or not self._lone.is_next(self._busy()):
            return
        handle, row, definition = self._claims[0]
        if definition is None:
            # This says so. The end before it is committed: one that ends in this very
            # commit is still counted as busy.
            handle.ack = None
            handle.send(("expect", *task_of(row, handle.output, is_alone=True)))
            self._expects = handle

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
                self.backlog = self._queue.found_none(tx)
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
            not (handle.is_going or handle.is_unwanted)
            and handle.transport is not None  # it may have died since it told its end
            and handle.stopping is None
            and handle.outcome is not None
            and not handle.outcome.is_last
            and handle.runs < WORN_AFTER_RUNS
            and not (handle.task is not None and handle.task["fresh"])
        )

    def send(self) -> None:
        """Tell and acknowledge ends, send out claims; called once all is committed."""
        if not self._claims:  # else workers go first; a thread wakes up meanwhile
            self._tell()
        self.lane.written.update(self.new_keys)
        self.lane.backlog = self.backlog
        self.lane.handles.update({handle.id: handle for handle in self.newborn})
        for one in self.finished:
            failpoints.hit("ack.before")
            if one.state is State.RETRYING:
                failpoints.hit("retry.after_commit")
            handle = one.handle
            if handle.saw_output:
                late = handle.used_output(self._following.get(handle.id))
                if late is not None:
                    self.late.append((one.task["id"], one.task["attempt"], late))
            # Who has got another attempt goes on in any case: who is let go is killed.
            can_go_on = handle.id in self._taken
            can_go_on |= isinstance(handle, Handle) and self._can_go_on(handle)
            handle.clear()
            handle.ack = ("ack", one.task["id"], one.task["attempt"])
            if isinstance(handle, Handle) and not (can_go_on or handle.is_going):
                self.worn.append(handle)
        is_alone = self._lone.expect(self._busy())
        for handle, row, definition in self._claims:
            self._send_task(handle, row, definition, is_alone)
        if self._claims:
            self._tell()
        for lane, claimed in self._in_berths:
            lane.start(claimed)
        self._stop_what_is_asked()
        owed = self.lane.owed.union(late.path for _, _, late in self.late)
        for handle in self.buried:
            handle.remove_folder(owed)

    def _tell(self) -> None:
        is_awaited = self.store.feed.nudge(self.ended, self.returned)
        if self.ended:
            self._lone.is_awaited = is_awaited

    def _busy(self) -> int | None:
        """Count the jobs that run; None where some wait."""
        if self.backlog != 0:
            return None
        busy = len(self._claims)
        lanes: tuple[Lane[Any], ...] = (self.lane, *self.berths)
        for lane in lanes:
            for handle in lane.handles.values():
                busy += handle.task is not None
        return busy

    def _send_task(
        self, handle: Handle, row: Row, definition: Row | None, is_alone: bool
    ) -> None:
        failpoints.hit("claim.after_commit")
        handle.runs += 1
        self.lane.give(handle, row, self.now)
        if handle is self._expects:
            handle.send(("go", row["id"], row["attempt"]))
            failpoints.hit("run.after_send")
            return
        messages = []
        if definition is not None:
            handle.known.add(definition["key"])
            messages.append(define_message(definition))
        handle.ack = None  # what runs next says so
        task = task_of(row, handle.output, is_alone=is_alone)
        handle.send(*messages, ("run", *task))
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
