"""What a worker does while no executor lives: it writes to the store itself."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import cached_property

from .. import failpoints
from ..errors import MoveRefused, StoreBusy, StoreDamaged, StoreError, StoreFull
from ..policy import Ending
from ..reading import Point
from ..states import State
from ..store import Store, Transaction, fleet, logs, runs, settling
from ..store.db import VALUE_ERRORS, Row
from ..store.earlier import Earlier
from .asking import read_note
from .capture import Capture, Look
from .endings import ending_of, result_of
from .frames import Outcome, Task, Telling

RETRY_S = 0.5
RETRY_MAX_S = 10.0


class Alone:
    """Follows the one attempt of a worker whose executor has gone.

    Parameters
    ----------
    worker : str
        Id of this worker; the store takes nothing from it once another one has
        the attempt.

    Attributes
    ----------
    waits : bool
        Whether a write waits for room on the disk. The end must; within a beat, which
        watches the time and cancels, the next beat writes what this one could not.
    """

    waits = False

    def __init__(self, store: Store, worker: str, task: Task) -> None:
        self._store, self._worker, self._task = store, worker, task
        self._doubled: list[Point] = []  # read before it was told, and to be forgotten
        self._owed: Look | None = None  # what no output will say again, to be written
        self._owed_at = 0.0

    @cached_property
    def _capture(self) -> Capture:
        """What follows the output; made once the store can be read."""
        store, task = self._store, self._task
        offset = logs.end(store.log_reader, task.job, task.attempt)
        row = self.row()
        if row is None:
            return Capture(task.output, offset)
        usual_s = Earlier().usual_s(store.reader, row["chute"], row["name"])
        began_at = time.monotonic() - max(0.0, time.time() - row["started_at"])
        return Capture(task.output, offset, usual_s, began_at)

    def look(self) -> bool:
        """Bring new output into the store; False where there was none."""
        now = time.monotonic()
        found = self._with_owed(self._capture.look(now), now)
        if found is None:
            return False
        self._record(found)
        self._capture.kept(found.start + len(found.body))
        self._store.checkpoint()
        return True

    def tell(self, tellings: list[Telling], batch: int = 0) -> None:
        """Write what the run told; a batch that had been sent, only if it is new."""
        self._is_told(tellings)
        persist(self._store, lambda: self._tell(tellings, batch), self.waits)
        self._doubled.clear()
        self._store.feed.nudge()

    def tell_again(self, tellings: list[Telling], batch: int) -> None:
        """Write a batch that a dead executor may not have written.

        What no row can take is let go, as an executor does: the end waits behind it.
        """
        with contextlib.suppress(*VALUE_ERRORS, ValueError, OverflowError):
            self.tell(tellings, batch)

    def _tell(self, tellings: list[Telling], batch: int) -> None:
        task, now = self._task, time.time()
        with self._store.writing() as tx:
            if not runs.take_told(tx, task.job, task.attempt, batch):
                return
            runs.forget_metrics(tx, task.job, task.attempt, self._doubled)
            settling.write_tellings(tx, task.job, task.attempt, tellings, now)
            for telling in tellings:
                if telling.kind == "progress":
                    progress = self._capture.told(time.monotonic(), telling.value)
                    runs.note(tx, task.job, task.attempt, progress=progress)

    def row(self) -> Row | None:
        """Return the running job as the store has it; None where it is not ours."""
        return self._row(self._store.reader)

    def asked(self, row: Row | None) -> Ending | None:
        """Return the end that is asked for: a cancel, the deadline, or a stop begun."""
        if row is None:
            return None
        if row["cancel_by"] is not None:
            return Ending(State.CANCELLED, f"cancelled by {row['cancel_by']}")
        if row["deadline_at"] is not None and time.time() >= row["deadline_at"]:
            return Ending(State.TIMEOUT, "deadline", may_retry=False)
        folder = self._store.runs / self._worker
        return read_note(folder, self._task.job, self._task.attempt)

    def _row(self, tx: Transaction) -> Row | None:
        """Return the attempt's job while the store says that this worker has it.

        Not just any job of this worker: an executor commits the end of one and the
        claim of the next together, and may die before it can say either.
        """
        row = fleet.running_on(tx, self._worker)
        own = (self._task.job, self._task.attempt)
        return row if row is not None and (row["id"], row["attempt"]) == own else None

    def finish(self, outcome: Outcome, asked: Ending | None) -> None:
        """Bring the rest of the output in and record the end."""
        self.waits = True
        self._capture.end()
        self._is_told(outcome.told)
        if self._doubled:
            persist(self._store, lambda: self._tell([], 0), self.waits)
        while self.look():
            pass
        rest = self._capture.rest(time.monotonic())
        if rest is not None:
            self._record(rest)
        self._capture.close()
        self.tell([one for one in outcome.told if one.kind == "progress"])
        ending = ending_of(outcome, asked or self.asked(self.row()))
        try:
            persist(self._store, lambda: self._finish(outcome, ending), self.waits)
        except (*VALUE_ERRORS, ValueError, OverflowError) as error:
            cut = Outcome(outcome.job, outcome.attempt, outcome.end)
            end = settling.bare(ending, error)
            persist(self._store, lambda: self._finish(cut, end), self.waits)
        self._store.feed.nudge([outcome.job])

    def _record(self, look: Look) -> None:
        """Write one look at the output; it is made again where it cannot be now.

        What it says without any output is not said again, and is owed then.
        """
        place = (self._store, self._task.job, self._task.attempt, look)
        try:
            persist(self._store, lambda: _record(*place), self.waits)
        except StoreError:
            if self._capture.goes_back([look]):
                look = look.bare()  # its metrics come again with its bytes
            if look.tells:
                self._owed, self._owed_at = look, time.monotonic()
            raise

    def _with_owed(self, look: Look | None, now: float) -> Look | None:
        """Put what could not be written before into a look; the newer word counts."""
        owed, self._owed = self._owed, None
        if owed is None:
            return look
        if owed.quiet_s is not None:
            owed.quiet_s += now - self._owed_at
        if look is None:
            return owed
        look.metrics = owed.metrics + look.metrics
        if look.progress is None:
            look.progress = owed.progress
        if look.quiet_s is None and not look.body:  # output has ended the silence
            look.quiet_s = owed.quiet_s
        return look

    def _is_told(self, tellings: list[Telling]) -> None:
        """Take note of what the job tells by itself: what is owed is older."""
        self._doubled += self._capture.doubled.told(tellings)
        owed = self._owed
        if owed is not None:
            points = zip(owed.metrics, owed.points, strict=True)
            owed.metrics = [one for one, at in points if at not in self._doubled]
            if any(telling.kind == "progress" for telling in tellings):
                owed.progress = owed.quiet_s = None

    def _finish(self, outcome: Outcome, ending: Ending) -> None:
        with self._store.writing() as tx:
            row = self._row(tx)
            if row is None:
                return  # somebody else has settled it
            with contextlib.suppress(MoveRefused):
                settling.finish_attempt(
                    tx,
                    row,
                    self._worker,
                    ending,
                    time.time(),
                    result_of(outcome),
                    outcome.told,
                    [runs.KeptFile(*file) for file in outcome.files],
                )
            failpoints.hit("alone.before_commit")
        failpoints.hit("alone.after_commit")


def persist(store: Store, write: Callable[[], None], waits: bool) -> None:
    """Write what happened, however long it takes: a full disk is emptied one day.

    Each write is a whole transaction, so it may be tried again.

    Parameters
    ----------
    waits : bool
        If false, it is for the caller to try again.
    """
    pause = RETRY_S
    while True:
        try:
            return write()
        except (StoreFull, StoreBusy):
            if not store.ballast.free():
                if not waits:
                    raise
                time.sleep(pause)
                pause = min(pause * 1.5, RETRY_MAX_S)
        except StoreDamaged:
            if store.mend() is None:
                raise


def _record(store: Store, job: str, attempt: int, look: Look) -> None:
    with store.writing_logs() as tx:
        place = (job, attempt, look.start, look.body)
        end = logs.add(tx, *place, look.passed, look.size)
    with store.writing() as tx:
        quiet_since = None if look.quiet_s is None else time.time() - look.quiet_s
        runs.note(
            tx,
            job,
            attempt,
            progress=look.progress,
            log_end=end,
            quiet_since=quiet_since,
        )
        runs.add_metrics(tx, job, attempt, look.points, time.time())
