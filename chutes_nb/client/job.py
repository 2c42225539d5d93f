"""A job on a server, as its user holds it: the names and errors of the local one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

from ..errors import JobEnded, JobNotFound
from ..job import Job
from ..job_files import JobFiles
from ..job_future import JobFuture
from ..model import StatusInfo
from ..snapshots import one_line
from ..states import State
from . import logs
from .files import RemoteFile
from .following import follower
from .intents import JSON, JobName, again, body_of, follow, forget
from .link import Link
from .results import RemoteResult, Unfinished, plain, ready, results

End = RemoteResult | JobEnded


class RemoteJob(JobFuture[End]):
    """A job by its id, on a server.

    Everything is asked of the server when it is wanted. It follows the protocol of
    :class:`concurrent.futures.Future` and can be awaited. What JSON cannot say of a
    result comes as its preview, with an :class:`InexactResult` warning;
    :meth:`answer` gives both.
    """

    def __init__(
        self, link: Link, job_id: str, seen: dict[str, Any] | None = None
    ) -> None:
        super().__init__(job_id)
        self._link, self._seen = link, seen

    def __getattr__(self, name: str) -> Any:
        """Say of what only a notebook can do that it is so."""
        where = (
            "is for a notebook on the server" if hasattr(Job, name) else "is not there"
        )
        raise AttributeError(f"{name!r} {where}; a job by HTTP has no such attribute")

    def _ask(self, what: str = "", **query: Any) -> Any:
        path = f"jobs/{self.id}{what}"
        return self._link.run(self._link.json("GET", path, query=query))

    def told(self) -> dict[str, Any]:
        """Return the job's status as JSON, as it was when it was listed."""
        if self._seen is None:
            return self._status()
        return self._seen

    def _status(self) -> dict[str, Any]:
        return dict(self._ask("/status"))

    # -- what it is ------------------------------------------------------------
    @property
    def info(self) -> StatusInfo:
        """The job as it stands now."""
        return StatusInfo(**self._status())

    @property
    def status(self) -> State:
        """The state now; compares equal to its word."""
        return State(self._status()["status"])

    @property
    def name(self) -> str:
        """Name of the job function."""
        return str(self._status()["name"])

    @property
    def state(self) -> dict[str, Any]:
        """What the run set on ``self``; of what JSON cannot say, a preview."""
        return dict(self._ask()["state"])

    @property
    def metrics(self) -> dict[str, list[tuple[float | None, float]]]:
        """Metric curves: name to list of (step, value)."""
        found = self._ask()["metrics"]
        return {k: [(step, value) for step, value in v] for k, v in found.items()}

    @property
    def partial(self) -> list[Any]:
        """What the run has emitted, in order; None for what JSON cannot say."""
        return [one["value"] for one in self._ask("/partial")["partial"]]

    @property
    def files(self) -> JobFiles[RemoteFile]:
        """Files that stay with the job, by their number and by their name."""
        told = self._ask("/files")["files"]
        return JobFiles(RemoteFile(self._link, self.id, one) for one in told)

    def _detail(self) -> dict[str, Any]:
        return dict(self._ask())

    # -- the future ------------------------------------------------------------
    def _end(self, limit_s: float | None) -> End | State:
        found = self._link.run(results(self._link, self.id, limit_s))
        return State(found.state) if isinstance(found, Unfinished) else found

    def _value(self, end: End) -> Any:
        return plain(self.id, end, above=4)

    def _fault(self, end: End) -> JobEnded | None:
        return end if isinstance(end, JobEnded) else None

    def result_now(self) -> Any:
        """Return what the job returned, without waiting.

        Raises
        ------
        JobNotReady
            If it has not ended.
        JobFailed, JobTimeout, JobCancelled, JobInterrupted
        """
        return plain(self.id, self.answer())

    def answer(self) -> RemoteResult:
        """Return the result with all that HTTP says of it, without waiting.

        Raises
        ------
        JobNotReady, JobFailed, JobTimeout, JobCancelled, JobInterrupted
        """
        found = self._link.run(results(self._link, self.id, 0.0))
        return ready(self.id, found)

    def when_ended(self) -> Future[None]:
        """Return a future that is done once the job has ended."""
        return follower(self._link).when_ended(self._link, self.id)

    async def _awaited(self) -> Any:
        found = await self._link.run_async(results(self._link, self.id, None))
        return plain(self.id, found)

    # -- what one can do -------------------------------------------------------
    def cancel(self) -> bool:
        """Cancel the job; False if it had ended."""
        flow = self._link.json("POST", f"jobs/{self.id}/cancel")
        return bool(self._link.run(flow)["accepted"])

    def _extend(self, more_s: float) -> bool:
        flow = self._link.json(
            "POST",
            f"jobs/{self.id}/extend",
            content=body_of({"seconds": more_s}),
            headers=JSON,
            is_safe=False,
        )
        return bool(self._link.run(flow)["accepted"])

    def retry(self, code: str = "same", resume: bool = True) -> RemoteJob:
        """Make a new job of an ended one.

        Parameters
        ----------
        code : {"same", "current"}
            The code this job ran, or what its name stands for on the server now.
        resume : bool
            Whether the new job finds this one's checkpoint.

        Raises
        ------
        MoveRefused
            If the job has not ended.
        """
        if code not in ("same", "current"):
            raise ValueError(f"code is 'same' or 'current', not {code!r}")
        new = self._link.run(again(self._link, self.id, resume, code))
        return RemoteJob(self._link, new)

    def then(self, function: JobName | str) -> RemoteJob:
        """Queue a job that takes this one's result as its payload.

        The link is kept on the server. If this one ends without a result, the next is
        cancelled, with the reason.

        Parameters
        ----------
        function : RemoteFunction or str
            From ``chute.function(name)``; or the name, where one chute has it.

        Raises
        ------
        TypeError
            If it is neither.
        """
        return RemoteJob(
            self._link, self._link.run(follow(self._link, self.id, function))
        )

    @property
    def after(self) -> RemoteJob | None:
        """The job whose result this one takes, where it follows one."""
        before = self._ask()["after"]
        return None if before is None else RemoteJob(self._link, before)

    def delete(self) -> None:
        """Forget the job with its log, result and files.

        Raises
        ------
        MoveRefused
            If it has not ended.
        """
        self._link.run(forget(self._link, self.id))

    # -- its log -----------------------------------------------------------------
    def _log(self, attempt: int | None) -> str:
        return logs.whole(self._link, self.id, attempt)

    def _log_end(self, attempt: int | None, lines: int) -> str:
        return logs.last(self._link, self.id, attempt, lines)

    def _log_lines(self, attempt: int | None, tail: int | None) -> Iterator[str]:
        return logs.followed(self._link, self.id, attempt, tail)

    # -- as a value --------------------------------------------------------------
    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        try:
            found = self._ask("/snapshot")
        except JobNotFound:  # what raises here is a traceback under the cell
            return {"text/plain": repr(self)}
        return {kind: found[kind] for kind in ("text/html", "text/plain")}

    def __repr__(self) -> str:
        try:
            return f"<Remote{one_line(self._status())}>"
        except JobNotFound:
            return f"<RemoteJob {self.id}: not in the store any more>"
