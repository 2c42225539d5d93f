"""A job as its user holds it: a future, a view of the store, and a live card."""

from __future__ import annotations

import asyncio
import concurrent.futures
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from . import (
    chaining,
    comparing,
    job_logs,
    registry,
    runtime,
    showing,
    submitting,
)
from .codec import decode
from .errors import (
    CodeUnchanged,
    JobCancelled,
    JobEnded,
    JobFailed,
    JobInterrupted,
    JobNotReady,
    JobTimeout,
)
from .job_files import JobFile, JobFiles
from .job_future import JobFuture
from .job_parts import live_state
from .model import StatusInfo
from .panel.card import card_bundle
from .snapshots import job_bundle, one_line
from .states import State
from .store import Store, jobs, runs
from .store.blobs import blob_path
from .store.new import NewResult

LOOKED_AT_BYTES = 4_000_000  # of variables that a repr compares with the submit
ENDS: dict[State, type[JobEnded]] = {
    State.FAILED: JobFailed,
    State.TIMEOUT: JobTimeout,
    State.CANCELLED: JobCancelled,
    State.INTERRUPTED: JobInterrupted,
}
Found = TypeVar("Found")


class Job(JobFuture[NewResult | None]):
    """A job by its id; whoever made it, in this kernel or another.

    Everything is read from the store when it is asked for, so it is true after a
    restart as well. It follows the protocol of :class:`concurrent.futures.Future`
    and can be awaited.
    """

    def __init__(self, job_id: str, store: Store | None = None) -> None:
        super().__init__(job_id)
        self._store = store or runtime.store()

    # -- what it is ------------------------------------------------------------
    @property
    def info(self) -> StatusInfo:
        """The job as it stands now."""
        return StatusInfo(**self._store.status(self.id)).as_of(time.time())

    def told(self) -> dict[str, Any]:
        """Return what ``info`` says, as JSON."""
        return self._store.status(self.id)

    @property
    def status(self) -> State:
        """The state now; compares equal to its word."""
        return State(jobs.get(self._store.reader, self.id)["state"])

    @property
    def name(self) -> str:
        """Name of the job function."""
        return str(jobs.get(self._store.reader, self.id)["name"])

    @property
    def state(self) -> dict[str, Any]:
        """What the run set on ``self``, at most a moment old."""
        return self._known(live_state(self._store, self.id))

    @property
    def metrics(self) -> dict[str, list[tuple[float | None, float]]]:
        """Metric curves: name to list of (step, value); NaN is what no number was."""
        found = self._known(runs.metrics(self._store.reader, self.id))
        return {
            name: [(step, math.nan if value is None else value) for step, value in one]
            for name, one in found.items()
        }

    @property
    def partial(self) -> list[Any]:
        """What the run has emitted, in order."""
        found = runs.partials(self._store.reader, self.id, self._store.blobs)
        return [decode(*one) for one in self._known(found)]

    @property
    def files(self) -> JobFiles[JobFile]:
        """Files that stay with the job: a list, and each by its name."""
        names = ("name", "size", "type", "sha256")
        return JobFiles(
            JobFile(
                blob_path(self._store.blobs, row["sha256"]),
                **{name: row[name] for name in names},
            )
            for row in self._known(runs.files(self._store.reader, self.id))
        )

    @property
    def changed(self) -> list[str] | None:
        """Captured variables that are not any more what this job was given.

        They are read again as a whole, about a gigabyte a second. None where the
        job was not submitted by this kernel, or long ago.
        """
        return comparing.changed_since(self._definition)

    def _known(self, found: Found) -> Found:
        """Give what was found; nothing at all may mean that the job is gone."""
        if not found:
            jobs.get(self._store.reader, self.id)
        return found

    def _detail(self) -> dict[str, Any]:
        return self._store.detail(self.id)

    # -- the future ------------------------------------------------------------
    def _end(self, limit_s: float | None) -> NewResult | State | None:
        runtime.executor()  # somebody has to run it
        ended = self._store.feed.when_returned(self.id)
        is_told = False
        try:
            is_told = ended.wait(limit_s)
        finally:
            if not is_told:  # interrupted, or one of many short waits
                self._store.feed.withdraw(self.id, ended)
        if is_told:
            return ended.result
        return None if (state := self.status).is_ended else state

    def _value(self, end: NewResult | None) -> Any:
        if end is not None and end.body is not None:
            return decode(end.kind, end.body)
        return self.result_now()

    def _fault(self, end: NewResult | None) -> JobEnded | None:
        if self.status is State.COMPLETED:
            return None
        registry.answer_for(self.id)
        return self.bad_end()

    def result_now(self) -> Any:
        """Return what the job returned, without waiting.

        Raises
        ------
        JobNotReady
            If it has not ended.
        JobFailed, JobTimeout, JobCancelled, JobInterrupted
        """
        return self._result_in(None)

    def _result_in(self, found: Any) -> Any:
        """Return the result in its row, which may have been read with others."""
        if found is None:
            found = self._store.reader.one(jobs.RESULT, {"job": self.id})
        if found is None:  # a job has a result if and only if it completed
            state = self.status
            if not state.is_ended:
                raise JobNotReady(self.id, state)
            registry.answer_for(self.id)
            raise self.bad_end()
        body = found["body"]
        if body is None:
            body = blob_path(self._store.blobs, found["blob"]).read_bytes()
        return decode(found["kind"], body)

    def bad_end(self) -> JobEnded:
        """Make the exception that :meth:`result` raises; it has to have ended badly."""
        info = self._store.status(self.id)
        state = State(info["status"])
        return ENDS[state](self.id, state.value, info["reason"], info["error"])

    def when_ended(self) -> concurrent.futures.Future[None]:
        """Return a future that is done once the job has ended, whatever its end."""
        return self._store.feed.when_ended(self.id)

    async def _awaited(self) -> Any:
        runtime.executor()
        await asyncio.wrap_future(self.when_ended())
        return self.result_now()

    # -- what one can do -------------------------------------------------------
    def cancel(self) -> bool:
        """Cancel the job; False if it had ended.

        A running attempt is asked to stop, so that its ``finally`` blocks run, and
        killed with all it started when its grace is over.
        """
        asked = self._store.request_cancel(self.id, by="the user")
        runtime.look()
        return asked

    def _extend(self, more_s: float) -> bool:
        extended = self._store.request_extend(self.id, more_s)
        runtime.look()
        return extended

    def retry(self, code: str = "same", resume: bool = True) -> Job:
        """Make a new job of an ended one.

        Parameters
        ----------
        code : {"same", "current"}
            The code this job ran, or its function and options as this kernel has
            them now.
        resume : bool
            Whether the new job finds this one's checkpoint.

        Raises
        ------
        MoveRefused
            If the job has not ended.
        """
        return Job(submitting.resubmit(self._store, self.id, code, resume), self._store)

    def then(self, function: object) -> Job:
        """Queue a job that takes this one's result as its payload.

        The link is kept in the store: the next job starts when this one completes,
        also after this kernel has ended. If this one ends otherwise, the next is
        cancelled, with the reason.

        Parameters
        ----------
        function : JobFunction

        Raises
        ------
        TypeError
            If it is no job function.
        """
        return Job(chaining.follow(self._store, self.id, function), self._store)

    @property
    def after(self) -> Job | None:
        """The job whose result this one takes, where it follows one."""
        before = jobs.get(self._store.reader, self.id)["after"]
        return None if before is None else Job(before, self._store)

    # -- its log -----------------------------------------------------------------
    def _log(self, attempt: int | None) -> str:
        return job_logs.whole(self._store, self.id, attempt)

    def _log_end(self, attempt: int | None, lines: int) -> str:
        return "\n".join(self._store.tail(self.id, lines, attempt))

    def _log_lines(self, attempt: int | None, tail: int | None) -> Iterator[str]:
        return job_logs.followed(self._store, self.id, attempt, tail)

    # -- as a value --------------------------------------------------------------
    def _ipython_display_(self) -> None:
        """Show a card without a widget where no front end would draw one."""
        if self._is_gone or not showing.is_headless():
            raise NotImplementedError  # IPython goes on with the MIME bundle
        showing.show(lambda: job_bundle(self._store, self.id))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        if self._is_gone:  # what raises here is a traceback under the cell
            return {"text/plain": repr(self)}
        return card_bundle(self._store, self.id, CardActions())

    def __repr__(self) -> str:
        if self._is_gone:
            return f"<Job {self.id}: not in the store any more>"
        names = comparing.changed_since(self._definition, LOOKED_AT_BYTES)
        said = f"; changed since the submit: {', '.join(names)}" if names else ""
        return f"<{one_line(self._store.status(self.id))}{said}>"

    @property
    def _is_gone(self) -> bool:
        return jobs.state(self._store.reader, self.id) is None

    @property
    def _definition(self) -> str:
        return str(jobs.get(self._store.reader, self.id)["definition"])

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.id, str(self._store.home))


def _opened(job_id: str, home: str) -> Job:
    """Hold a job of a store again: in a job's process, or in another kernel."""
    return Job(job_id, Store.open(Path(home)))


class CardActions:
    """What the buttons of a card do."""

    def cancel(self, job_id: str) -> bool:
        """Cancel a job."""
        return Job(job_id).cancel()

    def retry(self, job_id: str, resume: bool = True) -> str:
        """Make a new job of an ended one; returns its id."""
        return Job(job_id).retry(resume=resume).id

    def retry_current(self, job_id: str, resume: bool = True) -> str:
        """Make a new job of an ended one with the code of now; returns its id.

        Raises
        ------
        CodeUnchanged
            If that is what it ran with: the cell was edited, maybe, but not run since.
        """
        if submitting.is_unchanged(runtime.store(), job_id):
            raise CodeUnchanged(job_id)
        return Job(job_id).retry("current", resume).id

    def extend(self, job_id: str, seconds: float) -> bool:
        """Give a running attempt more time."""
        return Job(job_id).extend(seconds)

    def delete(self, job_id: str) -> bool:
        """Forget an ended job."""
        runtime.store().delete(job_id)
        return True
