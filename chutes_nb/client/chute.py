"""A chute on a server: what one submits to and looks for jobs in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self, cast
from urllib.parse import quote

from ..errors import JobNotFound
from ..group import JobGroup, listed
from ..job import Job
from ..model import StatusInfo
from ..payloads import payload_of
from .files import OnProgress, RemoteUpload, opened, send
from .flows import Ask, Flow, json_of
from .intents import JobName, submit
from .job import RemoteJob
from .link import Link
from .results import plain, results

PAGE = 1000  # most jobs of one answer
ONLY_HERE = frozenset(
    {"job", "on_startup", "panel", "pause", "resume", "is_paused", "image"}
)
FUNCTIONS_ONLY_HERE = frozenset({"options", "check", "form"})


class RemoteChute:
    """The jobs of a Jupyter Server: ``Chute.connect`` gives one.

    Its methods are those of a local chute; what takes time is awaited. A request that
    was cut off is sent again, and a server that restarts is waited for.

    Attributes
    ----------
    name : str or None
        The chute whose jobs are meant; None for all that the server knows.
    """

    def __init__(self, link: Link, name: str | None = None) -> None:
        self._link, self.name = link, name
        self._scope = "" if name is None else f"{quote(name, safe='')}/"

    def __getattr__(self, name: str) -> Any:
        """Say of what only a notebook can do that it is so."""
        if name in ONLY_HERE:
            raise AttributeError(
                f"a chute by HTTP has no {name!r}: it is for a notebook on the server"
            )
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    # -- submitting ------------------------------------------------------------
    async def submit_job(
        self,
        name: str | RemoteFunction,
        payload: Any = None,
        *,
        reuse: bool | None = None,
        key: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> str:
        """Queue a job and return its id; it is durable then.

        Parameters
        ----------
        name : str or RemoteFunction
            Name of a job function that a notebook on the server has defined.
        payload : dict or object, optional
            As a local chute takes it. Paths, bytes and open files for parameters that
            take files are sent first.
        reuse : bool, optional
            Give back a job of the same code and input instead.
        key : str, optional
            Give back the job that was submitted with this key instead.
        on_progress : callable, optional
            Called with the bytes sent and those in all, for each file.

        Raises
        ------
        BindingError, ValidationFailed
            If the payload does not fit; nothing is queued then.
        """
        called = name.name if isinstance(name, RemoteFunction) else name
        flow = self._submit(called, payload, reuse, key, on_progress)
        return await self._link.run_async(flow)

    def _submit(
        self,
        name: str,
        payload: Any,
        reuse: bool | None = None,
        key: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Flow[str]:
        query = {"key": key, "reuse": None if reuse is None else str(reuse).lower()}
        return submit(self._link, self._scope, name, payload, query, on_progress)

    async def get_job_status(self, job_id: str) -> StatusInfo:
        """Return a job as it stands; any job of the server.

        Raises
        ------
        JobNotFound
        """
        path = f"jobs/{checked(job_id)}/status"
        return StatusInfo(**await self._link.run_async(self._link.json("GET", path)))

    async def get_job_results(self, job_id: str, *, wait: bool = False) -> Any:
        """Return what a job returned, as far as JSON can say it.

        Parameters
        ----------
        wait : bool
            Wait for its end first.

        Raises
        ------
        JobNotReady
            If it has not ended, and ``wait`` is False.
        JobFailed, JobTimeout, JobCancelled, JobInterrupted
            If it ended badly.
        JobNotFound
        """
        flow = results(self._link, checked(job_id), None if wait else 0.0)
        return plain(job_id, await self._link.run_async(flow))

    def function(self, name: str) -> RemoteFunction:
        """Return a job function of the server by name.

        Raises
        ------
        ChutesError
            If no notebook has defined one, or two chutes have.
        """
        path = f"{self._scope}schema/{quote(name, safe='')}"
        return RemoteFunction(self, name, self._link.run(self._link.json("GET", path)))

    async def upload(
        self, file: Any, name: str | None = None, on_progress: OnProgress | None = None
    ) -> RemoteUpload:
        """Send a file, to be given to jobs afterwards.

        Parameters
        ----------
        file : path, bytes, or binary file
        name : str, optional
            How the job shall know it.
        on_progress : callable, optional
            Called with the bytes sent and those in all.

        Returns
        -------
        RemoteUpload
            Stands for the file in a payload.

        Raises
        ------
        UploadTooLarge, StoreFull
            Before a byte is sent.
        """
        source, closing = opened(file, name)
        with closing:
            return await self._link.run_async(send(self._link, source, on_progress))

    # -- looking ---------------------------------------------------------------
    def get_job(self, job_id: str) -> RemoteJob:
        """Return a job by its id, or by an end or beginning that fits only one.

        Raises
        ------
        JobNotFound
        """
        return RemoteJob(self._link, self._link.run(self._find(job_id)))

    def _find(self, hint: str) -> Flow[str]:
        patience, place = self._link.patience_s, checked(hint)
        try:
            ask = Ask("GET", f"jobs/{place}/status")
            return str((yield from json_of(ask, patience))["job_id"])
        except JobNotFound:
            query = {"q": hint[:1000], "limit": PAGE}
            page = yield from json_of(Ask("GET", "jobs", query), patience)
            ids = [one["job_id"] for one in page["jobs"]]
            fits = [one for one in ids if one.startswith(hint) or one.endswith(hint)]
            if len(fits) == 1:
                return str(fits[0])
            if len(fits) > 1:
                said = f"more than one job answers to {hint!r}: say more"
                raise JobNotFound(said) from None
            raise

    def jobs(
        self,
        status: str | Iterable[str] | None = None,
        name: str | None = None,
        tag: str | None = None,
        limit: int | None = 100,
    ) -> JobGroup:
        """List jobs, newest first; of this chute where it has a name."""
        wanted, most = listed(status, name, tag, limit)
        rows: list[dict[str, Any]] = []
        before: int | None = None
        while most is None or len(rows) < most:
            size = PAGE if most is None else min(PAGE, most - len(rows))
            query = wanted | {"limit": size, "before": before}
            flow = self._link.json("GET", f"{self._scope}jobs", query=query)
            page = self._link.run(flow)
            rows += page["jobs"]
            before = page["next"]
            if before is None:
                break
        return group([RemoteJob(self._link, row["job_id"], row) for row in rows])

    # -- letting go ------------------------------------------------------------
    def close(self) -> None:
        """Close the connections."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        which = "all chutes" if self.name is None else f"chute {self.name}"
        return f"<{which} at {self._link.base.removesuffix('chutes/')}>"


def checked(job_id: str) -> str:
    """Write an id for an address.

    Raises
    ------
    JobNotFound
        If it can be none.
    """
    if not isinstance(job_id, str) or not job_id:
        raise JobNotFound(f"{job_id!r} is no id of a job")
    return quote(job_id, safe="")


def group(jobs: list[RemoteJob]) -> JobGroup:
    """Make a group: a remote job answers to all that one asks of a job."""
    return JobGroup(cast("list[Job]", jobs))


class RemoteFunction(JobName):
    """A job function of a server, by name.

    Attributes
    ----------
    name : str
    schema : dict
        Its parameters as JSON schema.
    """

    def __init__(self, chute: RemoteChute, name: str, schema: dict[str, Any]) -> None:
        self._chute, self.name, self.schema = chute, name, schema
        self.scope = chute._scope

    def submit(self, *args: Any, **kwargs: Any) -> RemoteJob:
        """Queue a job; it is durable when this returns.

        Parameters
        ----------
        *args, **kwargs
            The function's arguments without ``self``; a single dict may also be a
            payload as :meth:`RemoteChute.submit_job` takes it.

        Raises
        ------
        BindingError, ValidationFailed
            If they do not fit; nothing is queued then.
        """
        names = list(self.schema.get("properties", {}))
        given = payload_of(self.name, names, args, kwargs)
        link = self._chute._link
        return RemoteJob(link, link.run(self._chute._submit(self.name, given)))

    def __call__(self, *_payload: Any, **_arguments: Any) -> Any:
        """Refuse to run the function here, where its code is not."""
        raise TypeError(
            f"{self.name} runs on the server: {self.name}.submit(...).result() gives "
            "what it returns"
        )

    def __getattr__(self, name: str) -> Any:
        """Say of what only a notebook can do that it is so."""
        is_known = name in FUNCTIONS_ONLY_HERE
        where = "is for a notebook on the server" if is_known else "is not there"
        raise AttributeError(
            f"{name!r} {where}; a job function by HTTP has no such attribute"
        )

    def map(self, items: Iterable[Any]) -> JobGroup:
        """Queue a job for each item, which is bound as a payload is."""
        return group([self.submit(item) for item in items])

    def __repr__(self) -> str:
        names = ", ".join(self.schema.get("properties", {}))
        return f"<job {self.name}({names}) of {self._chute!r}>"
