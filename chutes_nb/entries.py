"""What is to be written by one commit of the executor, each piece of news an entry."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeGuard

from . import failpoints
from .errors import ChutesError, MoveRefused, StoreError
from .interrupts import Uninterrupted
from .lanes.berths import BerthLane
from .lanes.causes import pass_before_commit
from .lanes.holder import Holder
from .lanes.lane import frees
from .lanes.process import ProcessLane
from .policy import Ending
from .reading import Point
from .states import ENDED, State
from .store import Transaction, jobs, limits, runs, settling
from .store.db import Row
from .store.gate import GATE_TIMEOUT_S, busy
from .worker.capture import Capture, Look

LOOK_S = 0.5  # between two looks at who has waited for too long


class Commit(Protocol):
    """What an entry finds of the commit that it is a part of.

    Attributes
    ----------
    executor : str
        Id of the one who commits.
    now : float
        Seconds since 1970.
    queued, ended : list of str
        Jobs that were queued, and those that came to their end.
    new_keys : dict of str to int
        Definitions that were written, each with the hash of its sources.
    returned : dict
        Short results of the jobs that completed, for who waits for them.
    finished : list of Finish
        Attempts that are over; who had them is told once it is committed.
    buried : list of Holder
        Workers that are no more; their folders go once it is committed.
    asked, limits : list of sqlite3.Row
        Jobs that somebody wants cancelled, and those that have a time of their own.
    has_times : bool
        Whether a retry or a deadline may be due next that nobody has looked for.
    """

    executor: str
    now: float
    lane: ProcessLane
    berths: Sequence[BerthLane[Any]]
    queued: list[str]
    ended: list[str]
    new_keys: dict[str, int]
    returned: dict[str, jobs.NewResult]
    finished: list[Finish]
    buried: list[Holder]
    asked: list[Row]
    limits: list[Row]
    has_times: bool

    def add(self, tx: Transaction, job: jobs.NewJob) -> str:
        """Queue a job, or start it at once; gives its id, or that of its like."""

    def expect(self, job: jobs.NewJob) -> None:
        """Take note of a job that was queued."""

    def look_again(self) -> None:
        """Take note that jobs may be ready of which nobody has counted how many."""


class Entry:
    """Something to be written; what happened has to be, what is wished may fail."""

    must_be_written = True
    tries = 0

    def set_back(self, others: Iterable[Entry]) -> bool:
        """Do without what cannot be written now; True if the rest may be at once.

        Parameters
        ----------
        others : iterable of Entry
            Those that wait behind it.
        """
        return False

    def is_overdue(self, now: float) -> bool:
        """Whether who waits for it has waited long enough; ``now`` is monotonic."""
        return False

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """Write it."""

    def succeed(self) -> None:
        """Tell whoever waits that it is durable."""

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that it was not written."""

    def bare(self, error: Exception) -> list[Entry]:
        """Return what is to be written where this itself cannot be."""
        return []


class QueuedIds(Future[list[str]]):
    """The ids of jobs that are to be queued."""

    def __init__(self) -> None:
        super().__init__()
        self._untold = threading.Lock()
        self._untold.acquire()

    def wait(self) -> list[str]:
        """Wait for the ids at a lock, and return them.

        An interrupt within the methods of a condition, which are written in Python,
        leaves it taken, and the executor would wait for it for ever.
        """
        with self._untold:
            return self.result(0)

    def cancel(self) -> bool:
        """Want none of the jobs any more."""
        with Uninterrupted():
            return super().cancel()

    def tell(self, ids: list[str] | None, error: Exception | None = None) -> None:
        """Give the ids, or say why there are none; once."""
        # Whoever asked may have given up waiting; the jobs are there all the same.
        with contextlib.suppress(InvalidStateError):
            if error is not None:
                self.set_exception(error)
            else:
                self.set_result(ids or [])
        self._untold.release()


@dataclass
class Submit(Entry):
    """Jobs of one definition, to be queued."""

    definition: jobs.NewDefinition
    new: list[jobs.NewJob]
    resume_from: str | None = None
    done: QueuedIds = field(default_factory=QueuedIds)
    ids: list[str] = field(default_factory=list)
    put_at: float = field(default_factory=time.monotonic)
    must_be_written = False

    def is_overdue(self, now: float) -> bool:
        """Whether the store has been locked for as long as anybody waits for it."""
        return now - self.put_at > GATE_TIMEOUT_S

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """Write the definition once, and each job."""
        if self.done.cancelled():  # who asked was interrupted
            return
        key, sources = self.definition.key, hash(self.definition.sources)
        is_written = commit.lane.written.get(key) == sources
        if not is_written or not jobs.has_definition(tx, key):
            jobs.add_definition(tx, self.definition)
            commit.new_keys[key] = sources
            # A cell that is run again has another number: workers are told of it.
            for handle in commit.lane.handles.values():
                handle.known.discard(key)
        self.ids = [commit.add(tx, job) for job in self.new]
        for job, job_id in zip(self.new, self.ids, strict=True):
            if job.id == job_id:
                commit.queued.append(job_id)
                commit.expect(job)
                if self.resume_from is not None:
                    runs.copy_checkpoint(tx, self.resume_from, job_id)
            commit.has_times |= job.deadline_at is not None
        failpoints.hit("submit.before_commit")

    def succeed(self) -> None:
        """Give the ids: the jobs are durable."""
        failpoints.hit("submit.after_commit")
        self.done.tell(self.ids)

    def fail(self, error: Exception) -> None:
        """Say why the jobs are not in the store."""
        if not isinstance(error, ChutesError):
            error = StoreError(f"this job cannot be stored: {error}")
        self.done.tell(None, error)


@dataclass
class Kick(Entry):
    """Nothing to write, but something to look at."""

    clock: bool = False
    asks: bool = False
    must_be_written = False

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """End what is past its deadline; stop what somebody wants cancelled."""
        commit.look_again()
        if self.clock:
            commit.has_times = True
            place = {"executor": commit.executor, "now": commit.now}
            for job, attempt in tx.all(jobs.PAST_DEADLINE, place):
                reason = f"deadline: it came before attempt {attempt + 1} could begin"
                if jobs.end_waiting(tx, job, State.TIMEOUT, reason, commit.now):
                    commit.ended.append(job)
        if self.asks:
            commit.has_times = True  # a job that others queued may have a deadline
            commit.asked = tx.all(jobs.ASKED, {"executor": commit.executor})
            commit.limits = tx.all(limits.LIMITS, {"executor": commit.executor})


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
    doubled: Sequence[Point] = ()  # metrics that its text told before it did itself

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """Write it, unless it is there: a worker that was alone has told it then."""
        if not runs.take_told(tx, self.job, self.attempt, self.batch):
            return
        at = self.at or commit.now
        runs.forget_metrics(tx, self.job, self.attempt, self.doubled)
        if self.tellings:
            settling.write_tellings(tx, self.job, self.attempt, self.tellings, at)
        end, progress = 0, self.progress
        quiet_since: float | None = None
        if self.look is not None:
            end = self.look.end
            progress = progress or self.look.progress
            runs.add_metrics(tx, self.job, self.attempt, self.look.points, at)
            if self.look.quiet_s is not None:
                quiet_since = commit.now - self.look.quiet_s
        place = (tx, self.job, self.attempt)
        runs.note(*place, progress=progress, log_end=end, quiet_since=quiet_since)

    @property
    def has_body(self) -> bool:
        """Whether there is output to be written."""
        return self.look is not None and bool(self.look.body)

    def set_back(self, others: Iterable[Entry]) -> bool:
        """Leave the output where it is: in its file, from which it is read again.

        Else a flood would pile up here while the disk is full, and an executor that
        is killed meanwhile would take it along. What was read since goes back too.
        """
        if self.capture is None or self.look is None:
            return False
        mine = [self, *(one for one in others if self._is_of_same(one))]
        looks = [one.look for one in mine if one.look is not None]
        if not self.capture.goes_back(looks):
            return False
        for one in mine:
            one.look = None if one.look is None else one.look.bare()
        return True

    def _is_of_same(self, other: Entry) -> TypeGuard[Told]:
        return isinstance(other, Told) and other.capture is self.capture

    def bare(self, error: Exception) -> list[Entry]:
        """Let go of what can never be written."""
        if self.capture is not None and self.look is not None:
            self.capture.kept(self.look.end)
        return []

    def succeed(self) -> None:
        """Say to who told it that it is durable."""
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

    def apply(self, tx: Transaction, commit: Commit) -> None:
        """Move the job; an attempt that is not ours any more changes nothing."""
        try:
            left = (self.result, self.told, self.files)
            place = (tx, self.task, self.handle.id, self.ending, commit.now)
            state = settling.finish_attempt(*place, *left)
        except MoveRefused:
            state = None
        pass_before_commit(state)
        self.state = state
        if state in ENDED:
            commit.ended.append(self.task["id"])
            is_good = state is State.COMPLETED
            if is_good and self.result is not None and self.result.is_short:
                commit.returned[self.task["id"]] = self.result
        elif state is State.RETRYING:
            commit.has_times = True
        lanes = (commit.lane, *commit.berths)
        if state is State.RETRYING or frees(self.task, lanes):
            commit.look_again()
        commit.finished.append(self)


class Inbox:
    """The entries that wait for a commit, oldest first; any thread may add one."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._alone = 0  # so many are written one by one
        self._looked_at = 0.0

    def __len__(self) -> int:
        return len(self._entries)

    def copy(self) -> list[Entry]:
        """Return all that waits now."""
        # Not a tuple: making room for one may collect garbage, and let others append.
        return list(self._entries)

    def append(self, entry: Entry) -> None:
        """Add the newest."""
        self._entries.append(entry)

    def drain(self) -> Iterator[Entry]:
        """Take all, one after the other."""
        with contextlib.suppress(IndexError):  # it is empty
            while True:
                yield self._entries.popleft()

    def take(self) -> list[Entry]:
        """Take the next group: all that waits, but for what is to be written alone."""
        if not self._alone:
            return [self._entries.popleft() for _ in range(len(self._entries))]
        self._alone -= 1
        return [self._entries.popleft()]

    def give_up(self) -> None:
        """Tell those who have waited for too long, and do without what they want."""
        now = time.monotonic()
        if now < self._looked_at + LOOK_S:
            return
        self._looked_at = now
        kept, alone = [], 0
        for n, entry in enumerate(list(self.drain())):
            if entry.is_overdue(now):
                entry.fail(busy(GATE_TIMEOUT_S))
            else:
                kept.append(entry)
                alone += n < self._alone
        self._alone = alone
        self._entries.extendleft(reversed(kept))

    def put_back(self, group: list[Entry], *, apart: bool = False) -> None:
        """Give a group back, to be taken next, in its order.

        Parameters
        ----------
        apart : bool
            Let each of it be a group of its own. One that was alone stays alone.
        """
        self._entries.extendleft(reversed(group))
        if apart or len(group) == 1:
            self._alone += len(group)
