"""What a job body is given as ``self``, and the same verbs as functions."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from contextvars import ContextVar
from pathlib import Path
from types import MethodType
from typing import Any, Protocol, TypeVar, overload

from ..codec import decode, encode
from ..views.text import clean, safe_repr
from ..wording import kind_of
from . import main_names
from .frames import Telling
from .offspring import OffspringOutlet, Origin
from .place import (
    ATTEMPT_VARIABLE,
    ATTEMPTS_VARIABLE,
    JOB_VARIABLE,
    OUTPUT_VARIABLE,
    TOLD_VARIABLE,
)

T = TypeVar("T")
# What other tools call these verbs.
_MEANT = {
    **dict.fromkeys(
        ("metric", "metrics", "log_metric", "log_metrics"), "log(loss=0.1)"
    ),
    **dict.fromkeys(("report", "set_progress", "update_progress"), "progress(3, 10)"),
    **dict.fromkeys(("save_checkpoint", "save_state"), "checkpoint(value)"),
    **dict.fromkeys(("load_checkpoint", "load_state"), "restore()"),
    **dict.fromkeys(("save", "artifact", "log_artifact", "upload"), "save_file(path)"),
    **dict.fromkeys(("yield_", "publish", "partial"), "emit(value)"),
    **dict.fromkeys(("output_folder", "output_path", "out_dir"), "output_dir"),
    **dict.fromkeys(("is_cancelled", "should_stop", "stopped"), "cancelled"),
    **dict.fromkeys(("id", "run_id"), "job_id"),
}


# What is meant by whoever assigns to a verb, given the value as it would be written.
_CALLS = {
    **dict.fromkeys(("progress", "emit", "checkpoint", "stage", "track"), "{0}({1})"),
    "log": "log(name={1})",
    "save_file": "save_file({1})",
}


class NameTaken(AttributeError):
    """A body assigned to what belongs to its run: so it will in each attempt."""


class Outlet(Protocol):
    """Where a run's tellings go."""

    def tell(self, telling: Telling) -> None:
        """Take one telling; it is sent on within 50 ms."""

    def save_checkpoint(self, step: float | None, kind: str, body: bytes) -> None:
        """Keep a checkpoint; durable when it returns."""

    def load_checkpoint(self) -> tuple[str, bytes] | None:
        """Return the newest checkpoint of the job, encoded."""

    def keep_file(self, path: Path, name: str | None) -> None:
        """Keep a file's content with the job."""

    def keep_body(self, body: bytes, name: str) -> None:
        """Keep a content with the job that is no file yet."""


class RunFacts:
    """What is fixed for an attempt, and the two things that change from outside."""

    def __init__(
        self,
        job_id: str,
        attempt: int,
        max_attempts: int,
        output_dir: Path,
        timeout_s: float | None,
    ) -> None:
        self.job_id = job_id
        self.attempt = attempt
        self.max_attempts = max_attempts
        self.output_dir = output_dir
        self.timeout_s = timeout_s
        self.began_at: float | None = None  # monotonic; set at the body's first line
        self.is_cancelled = False


class RunContext:
    """The run's own ``self``: verbs, live state, and the chute behind it.

    Any other attribute that is set is part of the run's state: seen from outside
    as ``job.state`` while the run goes on and afterwards. What is not set here is
    read from the chute.
    """

    __chutes_run__ = True  # no result can hold it; see by_value

    _run_facts: RunFacts
    _run_outlet: Outlet
    _run_chute: object
    _run_state: dict[str, Any]

    def __init__(self, facts: RunFacts, outlet: Outlet, chute: object) -> None:
        own = object.__setattr__
        own(self, "_run_facts", facts)
        own(self, "_run_outlet", outlet)
        own(self, "_run_chute", chute)
        own(self, "_run_state", {})

    # -- facts -------------------------------------------------------------------
    @property
    def job_id(self) -> str:
        """Id of the job."""
        return self._run_facts.job_id

    @property
    def attempt(self) -> int:
        """Number of this attempt, from 1."""
        return self._run_facts.attempt

    @property
    def max_attempts(self) -> int:
        """Most attempts there can be: 1 + retry."""
        return self._run_facts.max_attempts

    @property
    def output_dir(self) -> Path:
        """Folder whose files are kept with the job."""
        return self._run_facts.output_dir

    @property
    def remaining(self) -> float | None:
        """Seconds to the timeout of this attempt, or None without one."""
        facts = self._run_facts
        if facts.timeout_s is None or facts.began_at is None:
            return facts.timeout_s
        return max(0.0, facts.timeout_s - (time.monotonic() - facts.began_at))

    @property
    def cancelled(self) -> bool:
        """Whether the attempt was asked to stop."""
        return self._run_facts.is_cancelled

    def _run_defined(self, name: str, value: object) -> None:
        """Take note of a function or class of the cell that runs; see ``cells``."""
        main_names.define(name, value)

    # -- verbs -------------------------------------------------------------------
    def progress(
        self, done: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell how far the run is.

        Parameters
        ----------
        done : float
            Count so far; with no ``total`` and between 0 and 1, the share done.
        total : float, optional
            Count in all.
        message : str, optional
            What is going on.
        """
        if total is None and isinstance(done, float) and 0 <= done <= 1:
            done, total = done * 100, 100
        value: dict[str, Any] = {
            "done": _finite("done", done),
            "total": _finite("total", total),
        }
        value["message"] = None if message is None else clean(str(message))
        self._run_outlet.tell(Telling("progress", value))

    @overload
    def track(self, iterable: Iterable[T], total: int | None = None) -> Iterator[T]: ...

    @overload
    def track(
        self, iterable: AsyncIterable[T], total: int | None = None
    ) -> AsyncIterator[T]: ...

    def track(self, iterable: Any, total: int | None = None) -> Any:
        """Go through items and tell the progress on the way.

        Parameters
        ----------
        iterable : iterable or async iterable
            One that only ``async for`` can go through is gone through by that.
        total : int, optional
            Taken from ``len(iterable)`` where it has one.
        """
        if total is None:
            length: Callable[[], int] | None = getattr(iterable, "__len__", None)
            total = length() if length is not None else None
        if is_async_only(iterable):
            return self._track_later(iterable, total)
        return self._track(iterable, total)

    def _track(self, iterable: Iterable[T], total: int | None) -> Iterator[T]:
        self.progress(0, total)
        for done, item in enumerate(iterable, 1):
            yield item
            self.progress(done, total)

    async def _track_later(
        self, iterable: AsyncIterable[T], total: int | None
    ) -> AsyncIterator[T]:
        self.progress(0, total)
        done = 0
        async for item in iterable:
            yield item
            done += 1
            self.progress(done, total)

    def log(self, step: float | None = None, **metrics: float) -> None:
        """Add a point to metric curves: ``self.log(epoch, loss=0.2, acc=0.9)``.

        Raises
        ------
        TypeError
            If the step or a value is not a number.
        """
        at = None if step is None else _number("step", step)
        for name, value in metrics.items():
            point = (clean(name), at, _number(name, value))
            self._run_outlet.tell(Telling("metric", point))

    def stage(self, name: str) -> None:
        """Say which part of the work begins."""
        self._run_outlet.tell(Telling("stage", clean(str(name))))

    def emit(self, partial: object) -> None:
        """Give a partial result: readable at once, and kept however the run ends.

        Raises
        ------
        ResultNotStorable
        """
        encoded = encode(partial)
        self._run_outlet.tell(Telling("partial", (encoded.kind, encoded.body)))

    def checkpoint(self, obj: object, step: float | None = None) -> None:
        """Keep where the work stands, across attempts, retries and restarts.

        It is durable when this returns; the newest one counts.

        Raises
        ------
        ResultNotStorable
        """
        encoded = encode(obj)
        at = None if step is None else _number("step", step, "checkpoint")
        self._run_outlet.save_checkpoint(at, encoded.kind, encoded.body)

    def restore(self, default: Any = None) -> Any:
        """Return the newest checkpoint of this job, or ``default``."""
        found = self._run_outlet.load_checkpoint()
        return default if found is None else decode(*found)

    def save_file(self, path: str | Path, name: str | None = None) -> None:
        """Keep a file's content, as it is now, with the job.

        Raises
        ------
        FileNotFoundError
        """
        self._run_outlet.keep_file(Path(path), name)

    # -- state -------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        own = RunContext.__annotations__
        if hasattr(RunContext, name) or name in own or name.startswith("__"):
            call = _CALLS.get(name, "").format(name, safe_repr(value, 40))
            raise NameTaken(
                f"self.{name} belongs to the run itself; "
                + (f"call self.{call}, or " if call else "")
                + "keep state of your own under another name"
            )
        self._run_state[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._run_state:
            raise AttributeError(f"the run has no state named {name}")
        del self._run_state[name]

    def __getattr__(self, name: str) -> Any:
        state = object.__getattribute__(self, "_run_state")
        if name in state:
            return state[name]
        chute = object.__getattribute__(self, "_run_chute")
        try:
            found = getattr(chute, name)
        except AttributeError:
            verb = f", self.{_MEANT[name]} may be meant" if name in _MEANT else ""
            raise AttributeError(
                f"neither the run nor its chute has {name!r}{verb}; "
                f"self.{name} = ... sets it"
            ) from None
        if isinstance(found, MethodType) and found.__self__ is chute:
            return MethodType(found.__func__, self)  # so that it may use the verbs
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        # For the processes that a body starts: the same run, told of from there.
        return (current, ())

    def __repr__(self) -> str:
        facts = self._run_facts
        return f"<run of job {facts.job_id}, attempt {facts.attempt}>"


def is_async_only(iterable: object) -> bool:
    """Whether only ``async for`` can go through something."""
    return hasattr(iterable, "__aiter__") and not hasattr(iterable, "__iter__")


def _finite(name: str, value: float | None) -> float | None:
    """Leave out what no JSON can say: NaN and infinities."""
    number = None if value is None else _number(name, value, "progress")
    return number if number is not None and math.isfinite(number) else None


def _number(name: str, value: Any, verb: str = "log") -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"{verb}() takes numbers; {name} is {kind_of(value)}: {error}"
        ) from error


_running: RunContext | None = None
_lock = threading.Lock()
# In a kernel many runs share the process; each has a context of its own there.
_here: ContextVar[RunContext | None] = ContextVar("chutes_nb_run", default=None)


def enter(context: RunContext | None) -> None:
    """Say which run this process is in (a worker runs one at a time)."""
    global _running
    with _lock:
        _running = context


def enter_here(context: RunContext | None) -> None:
    """Say which run this thread is in, and the tasks that it starts from now on."""
    _here.set(context)


def current() -> RunContext | None:
    """Return the run that this is in: of this context, else of the whole process.

    It may be that of a job which has started this process.
    """
    if (here := _here.get()) is not None:
        return here
    if _running is None and TOLD_VARIABLE in os.environ:
        enter(_run_of_parent(os.environ))
    return _running


def _run_of_parent(environ: Mapping[str, str]) -> RunContext | None:
    """Find the run of the job that started this process, by its environment."""
    names = (JOB_VARIABLE, ATTEMPT_VARIABLE, ATTEMPTS_VARIABLE, OUTPUT_VARIABLE)
    job, attempt, attempts, output = (environ.get(name, "") for name in names)
    if not (job and attempt.isdigit() and attempts.isdigit()):
        return None
    facts = RunFacts(job, int(attempt), int(attempts), Path(output), None)
    return RunContext(facts, _offspring_outlet(facts, environ), object())


def _offspring_outlet(facts: RunFacts, environ: Mapping[str, str]) -> OffspringOutlet:
    path = Path(environ[TOLD_VARIABLE])
    return OffspringOutlet(
        str(path), Origin(facts.job_id, facts.attempt), path.parents[2]
    )


def after_fork() -> None:
    """Let a forked child of a job tell from where it is: the pulse is its parent's."""
    run = _running
    if run is not None and TOLD_VARIABLE in os.environ:
        outlet = _offspring_outlet(run._run_facts, os.environ)
        object.__setattr__(run, "_run_outlet", outlet)
