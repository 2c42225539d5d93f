"""``Chute`` and ``@chute.job``: what turns a notebook function into a job."""

from __future__ import annotations

import difflib
import ssl
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import forms, notebook_end, publishing, registry, runtime
from .chute_facts import ChuteFacts
from .errors import DefinitionError, UnknownName
from .group import JobGroup, list_jobs
from .job import CardActions, Job
from .job_function import JobFunction
from .model import StatusInfo
from .options import JobOptions, PlatformOptionNote, label, parse, truth
from .panel import JobsPanel

if TYPE_CHECKING:
    from .client import RemoteChute

# What the hosted platform's Chute takes beside these, and what means nothing here.
PLATFORM_ARGUMENTS = frozenset(
    {
        "readme",
        "tagline",
        "node_selector",
        "standard_template",
        "revision",
        "concurrency",
        "max_instances",
        "shutdown_after_seconds",
        "scaling_threshold",
        "allow_external_egress",
        "tee",
        "encrypted_fs",
        "passthrough_headers",
        "lock_modules",
    }
)
OWN_ARGUMENTS = ("username", "name", "image", "executor", "address")
Hook = TypeVar("Hook", bound=Callable[..., Any])


class Chute:
    """A named set of jobs.

    Parameters
    ----------
    username, name, image : str
        As on the hosted platform. Here ``name`` says which jobs belong together,
        the others are kept for the jobs to read.
    executor : {"process", "kernel", "dask"}, optional
        Where the jobs run that name none themselves.
    address : str, optional
        The scheduler of the dask cluster, such as ``tcp://host:8786``.
    **platform
        The platform's other arguments are passed over with a note.

    Raises
    ------
    TypeError
        For an argument that neither knows.
    """

    __chutes_token__ = "chute"

    def __init__(
        self,
        username: str = "me",
        name: str = "notebook",
        image: Any = None,
        *,
        executor: str | None = None,
        address: str | None = None,
        **platform: Any,
    ) -> None:
        _pass_over(platform)
        for argument, value in (("username", username), ("name", name)):
            label(argument, value)
        values = {"username": username, "name": name, "image": image}
        own = object.__setattr__
        own(self, "_facts", ChuteFacts(name, values, executor, address, type(self)))
        own(self, "_functions", {})
        notebook_end.watch()
        registry.remember_chute(self)

    _facts: ChuteFacts
    _functions: dict[str, JobFunction]
    username: str
    name: str

    def __getattr__(self, name: str) -> Any:
        return object.__getattribute__(self, "_facts").get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a value that jobs submitted from now on read as ``self.NAME``."""
        if hasattr(Chute, name) or name in ("_facts", "_functions"):
            raise AttributeError(f"chute.{name} cannot be replaced")
        self._facts.set(name, value, self)

    # -- defining --------------------------------------------------------------
    @overload
    def job(self, function: Callable[..., Any], /) -> JobFunction: ...
    @overload
    def job(self, /, **options: Any) -> Callable[[Callable[..., Any]], JobFunction]: ...

    def job(self, function: Any = None, /, **options: Any) -> Any:
        """Turn a function into a job: ``@chute.job`` or ``@chute.job(timeout=60)``.

        Parameters
        ----------
        **options
            ``timeout``, ``retry``, ``upload``, ``retry_delay``, ``retry_backoff``,
            ``retry_delay_max``, ``retry_on``, ``retry_on_timeout``, ``deadline``,
            ``grace``, ``priority``, ``concurrency``, ``resources``, ``reuse``,
            ``name``, ``tags``, ``executor``, ``fresh``. Spans are seconds, a
            timedelta, or a text such as ``"2h"``.

        Raises
        ------
        TypeError
            For an unknown option, or something that cannot be a job.
        DefinitionError
            For a value that an option cannot take, and for generators.
        NotAvailable
            For an option that this version cannot honour.
        """
        define = partial(self._define, options=parse(self._facts.defaults | options))
        return define if function is None else define(function)

    def _define(self, function: Any, options: JobOptions) -> JobFunction:
        if isinstance(function, JobFunction):
            function = function.function
        made = JobFunction(self, self._facts, function, options)
        self._functions[made.name] = made
        registry.remember_function(made.definer)
        publishing.announce(made.definer)
        forms.answer_pages()
        return made

    @overload
    def on_startup(self, function: Hook, /) -> Hook: ...
    @overload
    def on_startup(self) -> Callable[[Hook], Hook]: ...

    def on_startup(self, *args: Any) -> Any:
        """Run a function once in each worker, before its first job of this chute.

        It is given the chute as the worker has it; what it sets there, the jobs
        read: ``chute.model = load()`` is ``self.model`` in every job.
        """

        def hook(function: FunctionType) -> FunctionType:
            if not isinstance(function, FunctionType):
                raise DefinitionError(f"on_startup takes a function, not {function!r}")
            self._facts.add_hook(function)
            publishing.announce_again(one.definer for one in self._functions.values())
            return function

        return hook(*args) if args else hook

    def panel(self) -> JobsPanel:
        """Return the panel of all jobs, as the last line of a cell shows it."""
        return panel()

    # -- submitting ------------------------------------------------------------
    def function(self, name: str) -> JobFunction:
        """Return a job function by name.

        Raises
        ------
        UnknownName
            If this chute has none of that name.
        """
        found = self._functions.get(name)
        if found is None:
            near = difflib.get_close_matches(str(name), self._functions, 1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            known = ", ".join(self._functions) or "none yet: run its cell first"
            raise UnknownName(
                f"chute {self.name!r} has no job {name!r}; {meant}it has: {known}"
            )
        return found

    async def submit_job(
        self,
        name: str | JobFunction,
        payload: Any = None,
        *,
        reuse: bool | None = None,
        key: str | None = None,
    ) -> str:
        """Queue a job and return its id; it is durable then.

        Parameters
        ----------
        name : str
            Name of the job function.
        payload : dict or object, optional
            Its keys are taken as keyword arguments; where they do not fit and one
            parameter is open, the whole payload goes to that.
        reuse : bool, optional
            Give back a job of the same code and input instead.
        key : str, optional
            Give back the job that was submitted with this key instead.

        Raises
        ------
        BindingError, ValidationFailed
            If the payload does not fit; nothing is queued then.
        """
        function = name if isinstance(name, JobFunction) else self.function(name)
        return await function.submit_async(payload, key=key, reuse=reuse)

    async def get_job_status(self, job_id: str | Job) -> StatusInfo:
        """Return a job as it stands; any job of the store.

        Raises
        ------
        JobNotFound
        """
        return self.get_job(job_id).info

    async def get_job_results(self, job_id: str | Job, *, wait: bool = False) -> Any:
        """Return what a job returned.

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
        job = self.get_job(job_id)
        return await job if truth("wait", wait) else job.result_now()

    # -- from elsewhere --------------------------------------------------------
    @staticmethod
    def connect(
        url: str,
        token: str | None = None,
        chute: str | None = None,
        *,
        verify: bool | ssl.SSLContext = True,
        patience: float = 30.0,
    ) -> RemoteChute:
        """Reach the jobs of a Jupyter Server, from any machine.

        Parameters
        ----------
        url : str
            Of the server, such as ``"http://127.0.0.1:8888/"``; the address of one of
            its pages will do, with its token.
        token : str, optional
            The server's token.
        chute : str, optional
            Name of a chute, or ``USERNAME-CHUTE``; all that the server knows are meant
            where none is named.
        verify : bool or ssl.SSLContext
            Whose certificates are trusted.
        patience : float
            Seconds that a server that is away is waited for, once it has answered.

        Returns
        -------
        RemoteChute
            With the methods of a chute, and jobs with those of a job. Results come as
            JSON.

        Raises
        ------
        ValueError
            If ``url`` is no address.
        ServerUnreachable, AccessDenied, ServerError
            If nothing answers there, the token is wrong, or what answers is not
            chutes_nb.
        """
        from .client import connect  # httpx is slow to import and seldom needed

        return connect(url, token, chute, verify=verify, patience=patience)

    # -- holding back ----------------------------------------------------------
    def pause(self) -> bool:
        """Start no more of this chute's jobs, in any kernel; running ones go on.

        Jobs can be submitted meanwhile; they wait, also across restarts.

        Returns
        -------
        bool
            False if it is paused already.
        """
        return runtime.store().pause(self.name, by="the user")

    def resume(self) -> bool:
        """Let this chute's waiting jobs start again; False if it is not paused."""
        has_changed = runtime.store().resume(self.name, by="the user")
        runtime.executor().look()
        return has_changed

    @property
    def is_paused(self) -> bool:
        """Whether this chute's waiting jobs are held back."""
        return runtime.store().is_paused(self.name)

    # -- looking ---------------------------------------------------------------
    def get_job(self, job_id: str | Job) -> Job:
        """Return a job by its id, or by an end or beginning that fits only one."""
        return get_job(job_id)

    def jobs(
        self,
        status: str | Iterable[str] | None = None,
        name: str | None = None,
        tag: str | None = None,
        limit: int | None = 100,
    ) -> JobGroup:
        """List jobs of this chute, newest first; see :func:`chutes_nb.jobs`."""
        return list_jobs(status, name, tag, limit, self.name, self.username)

    def __repr__(self) -> str:
        return f"<chute {self.name}: {', '.join(self._functions) or 'no jobs yet'}>"


def _pass_over(platform: Mapping[str, Any]) -> None:
    for argument in platform:
        if argument not in PLATFORM_ARGUMENTS:
            known = (*OWN_ARGUMENTS, *PLATFORM_ARGUMENTS)
            near = difflib.get_close_matches(argument, known, 1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"Chute() has no argument {argument!r}{meant}")
        warnings.warn(
            f"Chute({argument}=...) is an argument of the hosted platform and means "
            "nothing here; it is passed over",
            PlatformOptionNote,
            stacklevel=3,
        )


def panel() -> JobsPanel:
    """Return the panel of all jobs of the store, of whichever chute."""
    return JobsPanel(runtime.store(), CardActions())


def last_chute() -> Chute | None:
    """Return the chute that was made last in this process."""
    last = registry.last_chute()
    return last if isinstance(last, Chute) else None


def get_job(job_id: str | Job) -> Job:
    """Return any job of the store, by its id or by a part that fits only one.

    Raises
    ------
    JobNotFound
    """
    runtime.executor()  # whoever looks for jobs wants those of dead kernels to go on
    store = runtime.store()
    return Job(store.find(job_id.id if isinstance(job_id, Job) else job_id), store)


def counts() -> dict[str, int]:
    """Return how many jobs of the store are in each state."""
    return runtime.store().counts()
