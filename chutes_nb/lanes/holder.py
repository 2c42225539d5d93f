"""Whoever has an attempt: a worker process, or a place in the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import failpoints
from ..policy import Ending
from ..processes import Identity
from ..store.db import Row
from ..store.ids import new_id
from ..worker.capture import Capture
from ..worker.frames import Outcome
from ..worker.memory import Account


class Holder:
    """What is known of an attempt while somebody has it.

    Attributes
    ----------
    task : sqlite3.Row or None
        The claimed job while an attempt is here.
    stopping : Ending or None
        The end that was asked for, from the moment of the first signal.
    is_ending : bool
        The attempt is over and about to be settled; it is settled only once.
    is_going : bool
        Takes no attempt from the queue of the workers (any more).
    is_gone : bool
        Is no more.
    is_ready : bool
        Has said hello, so that it can be given an attempt.
    cause : str
        Why it was of no use, where it has not said that itself.
    output : str
        File for the next attempt's output.
    left : list of tuple
        Files that were found behind an attempt which was killed.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.id, self.folder = name, folder
        self.identity: Identity | None = None
        self.memory: Account | None = None
        self.is_ready = False
        self.is_going = False
        self.is_gone = False
        self.cause = ""
        self.task: Row | None = None
        self.given_at = 0.0
        self.began_at: float | None = None
        self.timeout_s: float | None = None
        self._capture: Capture | None = None
        self._opens: Callable[[], Capture] | None = None
        self.is_drained = False
        self.left: list[tuple[Any, ...]] = []
        self.is_ending = False
        self.timeout_timer: asyncio.TimerHandle | None = None
        self.deadline_timer: asyncio.TimerHandle | None = None
        self.stopping: Ending | None = None
        self.outcome: Outcome | None = None
        self.changed = asyncio.Event()
        self.ack: tuple[Any, ...] | None = None
        self.heard: tuple[Any, ...] | None = None
        self.runs = 0
        self.idle_since = time.monotonic()
        self.output = self.new_output()

    @property
    def is_idle(self) -> bool:
        """Whether it can take an attempt."""
        return self.is_ready and self.task is None and not self.is_going

    @property
    def is_new(self) -> bool:
        """Whether it has had no attempt yet."""
        return self.runs == 0

    def has(self, job: str, attempt: int) -> bool:
        """Whether it has this very attempt."""
        task = self.task
        return task is not None and (task["id"], task["attempt"]) == (job, attempt)

    def is_being_stopped(self) -> bool:
        """Whether somebody ends the attempt, by now (it may change at any await)."""
        return self.stopping is not None

    # -- output ------------------------------------------------------------------
    @property
    def capture(self) -> Capture | None:
        """Whoever follows the attempt's output; made when first asked for.

        Most short attempts are over before anybody looks.
        """
        if self._opens is not None:
            self._capture, self._opens = self._opens(), None
        return self._capture

    @capture.setter
    def capture(self, capture: Capture | None) -> None:
        self._capture, self._opens = capture, None

    def capture_by(self, opens: Callable[[], Capture]) -> None:
        """Say how to follow the attempt's output, once somebody wants to."""
        self._opens = opens

    def used_output(self, following: str | None) -> Capture | None:
        """Take a new file from now on; one that stayed empty serves again.

        ``following`` is the new one where the next attempt is in the store with it
        already.

        Returns
        -------
        Capture or None
            That of the old one where the log has not got all of it.
        """
        late, capture = None, self._capture
        failpoints.hit("output.before_unlink")
        if capture is not None and capture.is_owed:
            late = capture
        else:
            with contextlib.suppress(OSError):  # prune finds what stays
                os.unlink(self.output)
        self.output = following or self.new_output()
        return late

    def new_output(self) -> str:
        """Name a file for an attempt's output."""
        # A name that no earlier executor of this worker can have used: the worker
        # keeps the file open that it has, and opens another only by its name.
        return str(self.folder.with_name(f"{self.id}.{new_id()}.out"))

    @property
    def saw_output(self) -> bool:
        """Whether the attempt is known to have written something."""
        if self.outcome is not None and self.outcome.output_bytes > 0:
            return True
        capture = self._capture
        return capture is not None and (capture.offset > 0 or capture.is_owed)

    def remove_folder(self, owed: set[str]) -> None:
        """Remove the folder and the outputs of a worker that is no more.

        Parameters
        ----------
        owed : set of str
            Outputs that stay: who brings them into the log removes them.
        """
        if self._capture is not None and self._capture.is_owed:
            owed = owed | {self._capture.path}  # its attempt is not settled yet
        with contextlib.suppress(OSError):  # prune finds what stays
            for output in self.folder.parent.glob(f"{self.id}.*.out"):
                if str(output) not in owed:
                    output.unlink(missing_ok=True)
        failpoints.hit("gc.before_unlink")
        shutil.rmtree(self.folder, ignore_errors=True)
        failpoints.hit("gc.after_unlink")

    def close_output(self) -> None:
        """Let go of the attempt's output file; whoever comes next opens it again."""
        if self._capture is not None:
            self._capture.close()

    def clear(self) -> None:
        """Forget the attempt that was here."""
        for timer in (self.timeout_timer, self.deadline_timer):
            if timer is not None:
                timer.cancel()
        self.timeout_timer = self.deadline_timer = None
        self.close_output()
        self.task = self.capture = self.outcome = self.stopping = None
        self.heard = None
        self.began_at = self.timeout_s = None
        self.is_drained = self.is_ending = False
        self.left = []


def task_output(task: Row, holder: Holder) -> str:
    """Return the file that takes an attempt's output."""
    named = "output" in task.keys()  # noqa: SIM118  (a Row is no mapping)
    return str(task["output"]) if named else holder.output
