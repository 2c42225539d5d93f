"""Several jobs at once: what ``map`` and the lists of jobs give."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, overload

from . import runtime, showing
from .errors import JobNotFound, brief
from .group_snapshot import group_bundle
from .group_table import MOST_SHOWN, as_text, differing
from .job import Job
from .model import Progress
from .shell import current_shell
from .spans import Span, waiting_s
from .states import State
from .store import listing, wire

MOST_LISTED = 10**9  # more than there can be
# What one job has, and several have by another name.
_MEANT = {
    "result": "results()",
    "exception": "results(return_exceptions=True)",
    **dict.fromkeys(("status", "state", "running"), "counts"),
    "retry": "resubmit_failed()",
}
READ_AT_ONCE = 500  # results, which may be a megabyte each


def listed(
    status: object, name: str | None, tag: str | None, limit: object
) -> tuple[dict[str, Any], int | None]:
    """Check what jobs are asked for; gives the filters, and how many are wanted.

    Parameters
    ----------
    status : str or iterable of str, optional
        A state, or several of which each will do.

    Raises
    ------
    ValueError
    """
    many = isinstance(status, Iterable) and not isinstance(status, str)
    asked: Any = status if many else () if status is None else (status,)
    states = [str(state) if state in tuple(State) else state for state in asked]
    if many and not states:
        raise ValueError("status names no state; leave it out to have all jobs")
    for state in states:
        if state not in tuple(State):
            raise ValueError(f"status={state!r} is none of {', '.join(State)}")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int)):
        raise ValueError(f"limit={limit!r} must be a whole number; None is no limit")
    if limit is not None and limit < 0:
        raise ValueError(f"limit={limit!r} must be 0 or more; None is no limit")
    for label, text in (("name", name), ("tag", tag)):
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{label}={text!r} must be a text; None is any")
    most = None if limit is None or limit > MOST_LISTED else limit
    return {"status": states or None, "name": name, "tag": tag}, most


class JobGroup:
    """A sequence of jobs.

    As the last line of a cell it is a table that follows its jobs. ``await group`` is
    ``group.results()`` without blocking.

    Parameters
    ----------
    jobs : list of Job
    of : int, optional
        How many there are in all, where these are the newest of them.
    """

    def __init__(self, jobs: list[Job], of: int | None = None) -> None:
        self._jobs, self._of = jobs, of
        self._inputs: dict[str, str] | None = None  # what tells its jobs apart

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs)

    @overload
    def __getitem__(self, index: int) -> Job: ...

    @overload
    def __getitem__(self, index: slice) -> JobGroup: ...

    def __getitem__(self, index: int | slice) -> Job | JobGroup:
        if isinstance(index, slice):
            return JobGroup(self._jobs[index])
        return self._jobs[index]

    def __getattr__(self, name: str) -> Any:
        meant = _MEANT.get(name)
        hint = f"; of several jobs there is {meant}" if meant else ""
        said = f"a group of jobs has no attribute {name!r}{hint}"
        raise brief(AttributeError(said))

    # -- how they stand ----------------------------------------------------------
    def _statuses(self) -> list[dict[str, Any]]:
        """Each job as it stands now, in order; deleted ones are left out."""
        ids = [job.id for job in self._jobs if isinstance(job, Job)]
        if len(ids) < len(self._jobs):  # those of a server, each asked for by itself
            return [job.info.model_dump(mode="json") for job in self._jobs]
        found = wire.some(self._jobs[0]._store.reader, ids) if ids else {}
        return [found[one] for one in ids if one in found]

    def _as_listed(self) -> list[dict[str, Any]]:
        """Each job as it is known; those of a server as they were listed."""
        if all(isinstance(job, Job) for job in self._jobs):
            return self._statuses()
        return [job.told() for job in self._jobs]

    def _those(self, *states: State) -> JobGroup:
        ids = {one["job_id"] for one in self._statuses() if one["status"] in states}
        return JobGroup([job for job in self._jobs if job.id in ids])

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return dict(Counter(one["status"] for one in self._statuses()))

    @property
    def progress(self) -> Progress:
        """How far all are together: ``done`` jobs of ``total``, what runs in part."""
        found = self._statuses()
        ended = [one for one in found if State(one["status"]).is_ended]
        running = [one["progress"] for one in found if one["status"] == State.RUNNING]
        parts = sum((one or {}).get("fraction") or 0.0 for one in running)
        total, counts = len(found), Counter(one["status"] for one in found)
        return Progress(
            done=len(ended),
            total=total,
            fraction=(len(ended) + parts) / total if total else 1.0,
            message=", ".join(f"{n} {state}" for state, n in counts.items()) or None,
            unit="jobs",
        )

    def done(self) -> bool:
        """Whether all have ended, in whatever way."""
        return all(State(one["status"]).is_ended for one in self._statuses())

    @property
    def completed(self) -> JobGroup:
        """The jobs that have a result."""
        return self._those(State.COMPLETED)

    @property
    def failed(self) -> JobGroup:
        """The jobs that ended without a result."""
        bad = [one for one in State if one.is_ended and one is not State.COMPLETED]
        return self._those(*bad)

    # -- waiting -----------------------------------------------------------------
    def wait(self, timeout: Span | None = None) -> bool:
        """Wait for all to end; says whether they have within the time."""
        limit_s = waiting_s(timeout)
        end = None if limit_s is None else time.monotonic() + limit_s
        # From the last one on, which mostly ends last: one wait instead of a wake-up
        # for each job, which would take the interpreter from who runs them. What has
        # ended by then is asked of all at once.
        last = self._jobs[-1:]
        return _have_ended(last, end) and _have_ended(self._unended(), end)

    def _unended(self) -> list[Job]:
        """Those that have not ended; all but the last where others run them."""
        ids = self._local_ids()
        if not ids:
            return self._jobs[:-1]
        unended = wire.unended(self._jobs[0]._store.reader, ids)
        return [job for job in self._jobs if job.id in unended]

    def _local_ids(self) -> list[str] | None:
        """Ids of jobs of one store of this machine; None where one is a server's."""
        ids = [job.id for job in self._jobs if isinstance(job, Job)]
        return ids if len(ids) == len(self._jobs) else None

    def _results_now(self) -> list[Any]:
        """Results of jobs that have ended; raises for the first bad end."""
        if not self._local_ids():
            return [job.result_now() for job in self._jobs]
        results = []
        for start in range(0, len(self._jobs), READ_AT_ONCE):
            jobs = self._jobs[start : start + READ_AT_ONCE]
            ids = [job.id for job in jobs]
            found = wire.results(jobs[0]._store.reader, ids)
            results += [job._result_in(found.get(job.id)) for job in jobs]
        return results

    def results(
        self, timeout: Span | None = None, *, return_exceptions: bool = False
    ) -> list[Any]:
        """Wait for all to end; return the results in order.

        Parameters
        ----------
        return_exceptions : bool
            Give the exception in the place of a result that is not there.

        Raises
        ------
        TimeoutError
            If ``timeout`` passes first; the jobs go on.
        JobFailed, JobTimeout, JobCancelled, JobInterrupted
            The first bad end in order.
        """
        if not self.wait(timeout):
            raise TimeoutError(
                f"{self._open()} of {len(self)} jobs have not ended after "
                f"{waiting_s(timeout):g} s of waiting; they go on"
            )
        if not return_exceptions:
            return self._results_now()
        return [_result_or_why(job) for job in self._jobs]

    def _open(self) -> int:
        return sum(not State(one["status"]).is_ended for one in self._statuses())

    def __await__(self) -> Generator[Any, None, list[Any]]:
        return self._awaited().__await__()

    def _have_run(self) -> None:
        """See to it that somebody runs jobs of this machine; a server has its own."""
        if any(isinstance(job, Job) for job in self._jobs):
            runtime.executor()

    async def _awaited(self) -> list[Any]:
        self._have_run()
        for job in reversed(self._jobs):
            await asyncio.wrap_future(job.when_ended())
        return self._results_now()

    def as_completed(self, timeout: Span | None = None) -> Iterator[Job]:
        """Give each job as it ends, whatever its end.

        Raises
        ------
        TimeoutError
            If ``timeout`` passes before the last one has ended.
        """
        limit_s = waiting_s(timeout)
        self._have_run()
        end = None if limit_s is None else time.monotonic() + limit_s
        waiting: dict[Future[None], Job] = {job.when_ended(): job for job in self._jobs}
        while waiting:
            left = None if end is None else max(0.0, end - time.monotonic())
            done, _ = wait(waiting, left, return_when="FIRST_COMPLETED")
            if not done:
                raise TimeoutError(
                    f"{len(waiting)} of {len(self)} jobs have not ended after "
                    f"{limit_s:g} s; they go on"
                )
            for future in done:
                yield waiting.pop(future)

    # -- what one can do ---------------------------------------------------------
    def cancel(self) -> int:
        """Cancel all that have not ended; says how many that were."""
        asked = 0
        for job in self._jobs:
            with contextlib.suppress(JobNotFound):  # it had ended, and was deleted
                asked += job.cancel()
        return asked

    def resubmit_failed(self, code: str = "same", resume: bool = True) -> JobGroup:
        """Make a new job of each that ended without a result; see :meth:`Job.retry`.

        Returns
        -------
        JobGroup
            The new jobs alone; :meth:`updated` puts them in the place of the old.
        """
        return JobGroup([job.retry(code, resume) for job in self.failed])

    def updated(self, newer: Iterable[Job]) -> JobGroup:
        """Return the same jobs in order, each with what it was made again as.

        Parameters
        ----------
        newer : iterable of Job
            Such as ``resubmit_failed`` has given.
        """
        instead = {job.info.retry_of: job for job in newer}
        return JobGroup([instead.get(job.id, job) for job in self._jobs])

    # -- being shown -------------------------------------------------------------
    def __repr__(self) -> str:
        return as_text(self._as_listed(), self._told_apart(), self._of)

    def _told_apart(self) -> dict[str, str]:
        """What tells the jobs that are shown apart; of a server's it is not known."""
        if self._inputs is None:
            ids = (self._local_ids() or [])[:MOST_SHOWN]
            store = self._jobs[0]._store if ids else None
            self._inputs = differing(wire.inputs(store.reader, ids)) if store else {}
        return self._inputs

    def _bundle(self, *, is_followed: bool = False) -> dict[str, Any]:
        found, inputs = self._as_listed(), self._told_apart()
        return group_bundle(found, inputs, self._of, is_followed=is_followed)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        return self._bundle()

    def _ipython_display_(self) -> None:
        """Show a table; where jobs have not ended yet, it follows them."""
        kernel = getattr(current_shell(), "kernel", None)
        if kernel is None or (self.done() and not showing.is_headless()):
            raise NotImplementedError  # IPython goes on with the MIME bundle
        if showing.is_headless():
            showing.show(self._bundle)
        else:
            output = showing.show(partial(self._bundle, is_followed=True))
            showing.follow(output, self.done)


def list_jobs(
    status: str | Iterable[str] | None = None,
    name: str | None = None,
    tag: str | None = None,
    limit: int | None = 100,
    chute: str | None = None,
    username: str | None = None,
) -> JobGroup:
    """List jobs of the store, newest first; all of them where ``limit`` is None.

    Of several states each will do; ``username`` is that of the chute.

    Raises
    ------
    ValueError
        If ``status`` names no state, or ``limit`` no count.
    """
    wanted, most = listed(status, name, tag, limit)
    store = runtime.store()
    wanted |= {"chute": chute, "username": username}
    rows, _ = store.jobs(limit=-1 if most is None else most, **wanted)
    is_cut = most is not None and len(rows) == most
    of = listing.how_many(store.reader, **wanted) if is_cut else None
    jobs = [Job(row["job_id"], store) for row in rows]
    return JobGroup(jobs, of if of and of > len(rows) else None)


def _result_or_why(job: Job) -> Any:
    try:
        return job.exception() or job.result_now()
    except JobNotFound as error:  # it was deleted
        return error


def _have_ended(jobs: list[Job], end: float | None) -> bool:
    """Wait for jobs, the last one first; says whether all ended before a time."""
    for job in reversed(jobs):
        left = None if end is None else max(0.0, end - time.monotonic())
        if not job.wait(left):
            return False
    return True
