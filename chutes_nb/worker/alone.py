"""What a worker does while no executor lives: it writes to the store itself."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

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
        offset = logs.end(store.log_reader, task.job, task.attempt)
        row = self.row()
        if row is None:
            self._capture = Capture(task.output, offset)
            return
        usual_s = Earlier().usual_s(store.reader, row["chute"], row["name"])
        began_at = time.monotonic() - max(0.0, time.time() - row["started_at"])
        self._capture = Capture(task.output, offset, usual_s, began_at)

    def look(self) -> bool:
        """Bring new output into the store; False where there was none."""
        found = self._capture.look(time.monotonic())
        if found is None:
            return False
        self._record(found)
        self._capture.kept(found.start + len(found.body))
        self._store.checkpoint()
        return True

    def tell(self, tellings: list[Telling], batch: int = 0) -> None:
        """Write what the run told; a batch that had been sent, only if it is new."""
        self._doubled += self._capture.doubled.told(tellings)
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
        self._doubled += self._capture.doubled.told(outcome.told)
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
        """Write one look at the output; it is made again where it cannot be now."""
        place = (self._store, self._task.job, self._task.attempt, look)
        # What it says without any output is not said again.
        waits = self.waits or not look.body
        try:
            persist(self._store, lambda: _record(*place), waits)
        except StoreError:
            self._capture.goes_back([look])
            raise

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
