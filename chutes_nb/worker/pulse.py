"""The worker's second thread: sends on what a running job tells, 20 times a second.

It also notices that the executor has gone, and then takes its place: follows the
output, watches the time, and answers the next executor that calls.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep  # a body may put others into the module
from typing import Any, Protocol

from .. import failpoints
from ..errors import ChutesError
from ..policy import Ending
from ..processes import signal_group
from ..states import State
from ..store import Store
from .alone import Alone
from .attempt import Attempt
from .frames import Busy, Line, Outcome, Task, Telling
from .guard import Guard
from .offspring import Origin, TellingFile
from .outbox import Outbox
from .place import Place
from .trace import WHERE_SIGNAL
from .trimming import Trimmer

BEAT_S = 0.05
# State is looked at this often, and less where a look takes long: at most a
# twentieth of the time.
STATE_S = 0.1
STATE_SHARE = 20
SLOW_LOOK_S = 0.05  # so long a look holds up the body: a hundredth of the time then
SLOW_STATE_SHARE = 100
IDLE_AFTER_S = 1.0
LAST_WORDS_S = 1.0


class Owner(Protocol):
    """The worker, as its pulse needs it."""

    id: str
    store: Store
    guard: Guard
    place: Place
    line: Line | None

    def send(self, message: tuple[object, ...]) -> bool:
        """Send to the executor; False where there is none."""

    def is_heard(self) -> bool:
        """Whether the executor has read on, so that there is room for more."""

    def take(self, kind: str, facts: list[Any]) -> None:
        """Take a message that is not the pulse's."""

    def answer(self, timeout_s: float) -> bool:
        """Take a call from an executor, waiting at most so many seconds."""

    def arm(self, task: Task, left_s: float) -> None:
        """Set the watchdog."""

    def kill_started(self) -> None:
        """Kill all that this worker's jobs started."""


class Pulse:
    """Beats while a job runs; sleeps while there is none."""

    def __init__(self, worker: Owner) -> None:
        self._worker = worker
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._outbox = Outbox()  # each attempt has its own
        # Sent, and perhaps not in the store yet: an executor may die with it.
        self._unheard: deque[tuple[int, list[Telling]]] = deque()
        self._batch = 0
        self._file = TellingFile(Path(worker.place.told))
        self._trimmer = Trimmer()
        self._attempt: Attempt | None = None
        self._alone: Alone | None = None
        self._state_due = 0.0
        self._kill_at: float | None = None
        self._last_task: Task | None = None
        self.task: Task | None = None
        self.asked: Ending | None = None

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="chutes-pulse", daemon=True).start()

    # -- called by the job's thread --------------------------------------------
    def begin(self, task: Task, attempt: Attempt) -> None:
        """Start beating for an attempt."""
        with self._lock:
            self.task, self._attempt = task, attempt
            self._last_task = task
            self.asked = self._kill_at = self._alone = None
            self._state_due = 0.0
            self._outbox = Outbox()
            self._unheard.clear()
            self._batch = 0
            self._file.begin()
        if not self._wake.is_set():
            self._wake.set()

    def tell(self, telling: Telling) -> None:
        """Take one telling; of progress only the newest is sent."""
        self._outbox.put(telling)

    def end(self, outcome: Outcome) -> None:
        """Stop beating; what was not sent yet goes with the outcome."""
        with self._lock:
            self._hear_offspring()
            outcome.told[:0] = self._outbox.take(is_last=True)
            self.task = self._attempt = None

    def last_words(self) -> None:
        """Send what is not sent yet: the body ends its worker, with no outcome.

        The pulse's own thread, if it beats right now, is waited for a little only: what
        it waits for may be what the body is about to end.
        """
        if not self._lock.acquire(timeout=LAST_WORDS_S):
            return
        try:
            if self.task is not None:
                self._state_due = 0.0
                self._look_at_state(LAST_WORDS_S)
                self._outbox.put_back(self._outbox.take(is_last=True))
                self._try(self._beat)
        finally:
            self._lock.release()

    def heard(self, job: str, attempt: int, batch: int) -> None:
        """Forget what the executor has written to the store."""
        with self._lock:
            last = self._last_task
            if last is None or (last.job, last.attempt) != (job, attempt):
                return
            while self._unheard and self._unheard[0][0] <= batch:
                self._unheard.popleft()

    def busy(self) -> Busy | None:
        """Return the running attempt, with the seconds since its first line."""
        with self._lock:
            task, attempt = self.task, self._attempt
            if task is None or attempt is None:
                return None
            began_at = attempt.facts.began_at
            gone_s = None if began_at is None else monotonic() - began_at
            return (task.job, task.attempt, gone_s)

    def alone(self) -> Alone:
        """Return who writes to the store for an attempt that has ended."""
        with self._lock:
            assert self._last_task is not None  # every outcome had a task
            alone = self._alone_with(self._last_task)
            alone.waits = True
            self._tell_again(alone)
            return alone

    def _alone_with(self, task: Task) -> Alone:
        if self._alone is None:
            self._alone = Alone(self._worker.store, self._worker.id, task)
        return self._alone

    def _tell_again(self, alone: Alone) -> None:
        """Write what a dead executor was told and may not have written."""
        while self._unheard:
            batch, tellings = self._unheard[0]
            alone.tell_again(tellings, batch)
            self._unheard.popleft()

    # -- the thread ------------------------------------------------------------
    def _run(self) -> None:
        # Where the body is, its own thread has to say. Linux gives a signal to any
        # thread that is woken for another one: here, for the SIGTERM behind it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {WHERE_SIGNAL})
        idle_since = monotonic()
        while True:
            if self.task is None and monotonic() - idle_since > IDLE_AFTER_S:
                self._wake.clear()
                self._trimmer.close()
                if self.task is None:
                    self._wake.wait()
            self._trim_for(BEAT_S)
            self._try(self._look_at_state)
            with self._lock:
                if self.task is not None:
                    idle_since = monotonic()
                    self._try(self._beat)

    def _trim_for(self, seconds: float) -> None:
        """Wait for the next beat, and see meanwhile that no flood fills the disk."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            sleep(min(left, self._trimmer.pause_s))
            task = self.task
            if task is not None:
                self._try(self._trimmer.look, task.output)

    def _try(self, do: Callable[..., None], *given: object) -> None:
        try:
            do(*given)
        except (ChutesError, sqlite3.Error, OSError):
            pass  # a store that cannot be used now: the next beat looks again
        except Exception:  # where the body broke what a beat needs (builtins, fds)
            if not self._worker.guard.is_harmed():
                raise

    def _beat(self) -> None:
        failpoints.hit("body.mid")
        self._listen()
        if not self._worker.is_heard():
            return  # what is told waits, and the newest state will do
        self._hear_offspring()
        task = self.task
        assert task is not None  # only called while there is one
        if self._worker.line is None:
            self._alone_with(task)  # before anything is taken that would be lost
        tellings = self._outbox.take()
        if self._worker.guard.has_lost():
            return  # nothing may be written; the attempt's end settles it
        if self._worker.line is not None:
            if not tellings:
                return
            self._batch += 1
            self._unheard.append((self._batch, tellings))
            told = ("told", task.job, task.attempt, tellings, self._batch)
            if self._worker.send(told):
                return
            tellings = []  # they are among what is told again
        self._be_alone(task, tellings)

    def _hear_offspring(self) -> None:
        """Take what processes that the job started have told."""
        task = self.task
        if task is None:
            return
        for telling in self._file.read(Origin(task.job, task.attempt)):
            self.tell(telling)

    def _look_at_state(self, wait_s: float = -1) -> None:
        """Have the state told where it has changed.

        It calls code of the user's, which may wait for what the body holds: so no other
        thread waits for this one meanwhile.
        """
        with self._lock:
            now, attempt, outbox = monotonic(), self._attempt, self._outbox
            if now < self._state_due or attempt is None or attempt.state is None:
                return
            if not self._worker.is_heard():
                return  # the newest will do
        with contextlib.suppress(BaseException):  # changed meanwhile, or hostile
            attempt.state.look(outbox.put, wait_s)
        took = monotonic() - now
        share = STATE_SHARE if took < SLOW_LOOK_S else SLOW_STATE_SHARE
        if self._attempt is attempt:
            self._state_due = now + max(STATE_S, took * share)

    # -- the executor, or its absence ------------------------------------------
    def _listen(self) -> None:
        """Read what the executor says meanwhile; notice that it is gone."""
        worker, line = self._worker, self._worker.line
        if line is None:
            with contextlib.suppress(OSError):
                worker.answer(0)
            return
        while line.is_waiting() or select.select([line], [], [], 0)[0]:
            message = line.receive()
            if message is None:
                worker.line = None
                return
            self._on(message)

    def _on(self, message: tuple[Any, ...]) -> None:
        kind, *facts = message
        if kind in ("ack", "define", "heard"):
            self._worker.take(kind, facts)
        elif kind == "extend" and self.task is not None:
            job, attempt, timeout_s = facts
            if (job, attempt) == (self.task.job, self.task.attempt):
                self._extend(self.task, timeout_s)

    def _extend(self, task: Task, timeout_s: float) -> None:
        assert self._attempt is not None  # comes and goes with the task
        facts = self._attempt.facts
        facts.timeout_s = timeout_s
        if facts.began_at is not None:
            gone = monotonic() - facts.began_at
            self._worker.arm(task, max(0.0, timeout_s - gone))

    def _be_alone(self, task: Task, tellings: list[Telling]) -> None:
        """Do what the executor would: follow the output, watch time and cancels."""
        alone = self._alone_with(task)
        try:
            self._write(alone, tellings)
        finally:  # also while there is no room on the disk
            self._watch(alone, task)

    def _write(self, alone: Alone, tellings: list[Telling]) -> None:
        try:
            self._tell_again(alone)
            if tellings:
                alone.tell(tellings)
        except Exception:
            self._outbox.put_back(tellings)
            raise
        alone.look()

    def _watch(self, alone: Alone, task: Task) -> None:
        now = monotonic()
        if self._kill_at is not None:
            if now > self._kill_at:
                self._worker.kill_started()
                signal_group(os.getpgrp(), signal.SIGKILL)
            return
        row = alone.row()
        if row is not None:
            self._follow_limit(task, row["timeout_s"])
        self.asked = self._time_is_up(task) or alone.asked(row)
        if self.asked is not None:
            # This process may be gone before it can say so.
            self._worker.place.leave_note(task, self.asked)
            self._kill_at = now + task.grace_s
            signal_group(os.getpgrp(), signal.SIGTERM)

    def _follow_limit(self, task: Task, timeout_s: float | None) -> None:
        """Move the timeout where somebody has extended the job."""
        facts = self._attempt.facts if self._attempt is not None else None
        if facts is None or timeout_s is None or timeout_s == facts.timeout_s:
            return
        self._extend(task, timeout_s)

    def _time_is_up(self, task: Task) -> Ending | None:
        facts = self._attempt.facts if self._attempt is not None else None
        if facts is None or facts.timeout_s is None or facts.began_at is None:
            return None
        if monotonic() - facts.began_at < facts.timeout_s:
            return None
        return Ending(State.TIMEOUT, f"timed out after {facts.timeout_s:g} s")
