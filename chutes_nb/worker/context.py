"""What a job body is given as ``self``, and the same verbs as functions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ..codec import decode, encode
from .frames import Telling

T = TypeVar("T")


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

    _facts: RunFacts
    _outlet: Outlet
    _chute: object
    _state: dict[str, Any]

    def __init__(self, facts: RunFacts, outlet: Outlet, chute: object) -> None:
        own = object.__setattr__
        own(self, "_facts", facts)
        own(self, "_outlet", outlet)
        own(self, "_chute", chute)
        own(self, "_state", {})

    # -- facts -------------------------------------------------------------------
    @property
    def job_id(self) -> str:
        """Id of the job."""
        return self._facts.job_id

    @property
    def attempt(self) -> int:
        """Number of this attempt, from 1."""
        return self._facts.attempt

    @property
    def max_attempts(self) -> int:
        """Most attempts there can be: 1 + retry."""
        return self._facts.max_attempts

    @property
    def output_dir(self) -> Path:
        """Folder whose files are kept with the job."""
        return self._facts.output_dir

    @property
    def remaining(self) -> float | None:
        """Seconds to the timeout of this attempt, or None without one."""
        facts = self._facts
        if facts.timeout_s is None or facts.began_at is None:
            return facts.timeout_s
        return max(0.0, facts.timeout_s - (time.monotonic() - facts.began_at))

    @property
    def cancelled(self) -> bool:
        """Whether the attempt was asked to stop."""
        return self._facts.is_cancelled

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
        value = {"done": float(done), "total": None if total is None else float(total)}
        self._outlet.tell(Telling("progress", value | {"message": message}))

    def track(self, items: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Go through items and tell the progress on the way.

        Parameters
        ----------
        items : iterable
        total : int, optional
            Taken from ``len(items)`` where it has one.
        """
        if total is None:
            length: Callable[[], int] | None = getattr(items, "__len__", None)
            total = length() if length is not None else None
        self.progress(0, total)
        for done, item in enumerate(items, 1):
            yield item
            self.progress(done, total)

    def log(self, step: float | None = None, **metrics: float) -> None:
        """Add a point to metric curves: ``self.log(epoch, loss=0.2, acc=0.9)``.

        Raises
        ------
        TypeError
            If a value is not a number.
        """
        for name, value in metrics.items():
            try:
                number = float(value)
            except (TypeError, ValueError) as error:
                raise TypeError(
                    f"log() takes numbers; {name} is a {type(value).__name__}"
                ) from error
            self._outlet.tell(Telling("metric", (name, step, number)))

    def stage(self, name: str) -> None:
        """Say which part of the work begins."""
        self._outlet.tell(Telling("stage", str(name)))

    def emit(self, partial: object) -> None:
        """Give a partial result: readable at once, and kept however the run ends.

        Raises
        ------
        ResultNotStorable
        """
        encoded = encode(partial)
        self._outlet.tell(Telling("partial", (encoded.kind, encoded.body)))

    def checkpoint(self, obj: object, step: float | None = None) -> None:
        """Keep where the work stands, across attempts, retries and restarts.

        It is durable when this returns; the newest one counts.

        Raises
        ------
        ResultNotStorable
        """
        encoded = encode(obj)
        self._outlet.save_checkpoint(step, encoded.kind, encoded.body)

    def restore(self, default: Any = None) -> Any:
        """Return the newest checkpoint of this job, or ``default``."""
        found = self._outlet.load_checkpoint()
        return default if found is None else decode(*found)

    def save_file(self, path: str | Path, name: str | None = None) -> None:
        """Keep a file's content, as it is now, with the job.

        Raises
        ------
        FileNotFoundError
        """
        self._outlet.keep_file(Path(path), name)

    # -- state -------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(RunContext, name) or name.startswith("__"):
            raise AttributeError(
                f"self.{name} belongs to the run itself; "
                "keep state of your own under another name"
            )
        self._state[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._state:
            raise AttributeError(f"the run has no state named {name}")
        del self._state[name]

    def __getattr__(self, name: str) -> Any:
        state = object.__getattribute__(self, "_state")
        if name in state:
            return state[name]
        chute = object.__getattribute__(self, "_chute")
        try:
            return getattr(chute, name)
        except AttributeError:
            raise AttributeError(
                f"neither the run nor its chute has {name!r}; self.{name} = ... sets it"
            ) from None

    def __repr__(self) -> str:
        facts = self._facts
        return f"<run of job {facts.job_id}, attempt {facts.attempt}>"


class InlineOutlet:
    """Takes what a job function tells when it is called directly.

    Within a job its metrics, partial results and files are the job's; progress is
    not, since it is only that of a part.
    """

    def __init__(self, outer: Outlet | None = None) -> None:
        self._outer = outer
        self._checkpoint: tuple[str, bytes] | None = None

    def tell(self, telling: Telling) -> None:
        """Pass a telling on, or let it go."""
        if self._outer is not None and telling.kind in ("metric", "partial", "file"):
            self._outer.tell(telling)

    def save_checkpoint(self, step: float | None, kind: str, body: bytes) -> None:
        """Keep a checkpoint for as long as the call lasts."""
        self._checkpoint = (kind, body)

    def load_checkpoint(self) -> tuple[str, bytes] | None:
        """Return the checkpoint of this call."""
        return self._checkpoint

    def keep_file(self, path: Path, name: str | None) -> None:
        """Keep a file with the job around this call; without one only check it."""
        path.stat()
        if self._outer is not None:
            self._outer.keep_file(path, name)


def inline_context(chute: object) -> RunContext:
    """Make a ``self`` for a job function that is called directly."""
    outer = current()
    if outer is not None:
        return RunContext(outer._facts, InlineOutlet(outer._outlet), chute)
    return RunContext(RunFacts("inline", 1, 1, Path.cwd(), None), InlineOutlet(), chute)


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
    """Return the run that this is in: of this context, else of the whole process."""
    return _here.get() or _running


def progress(
    done: float, total: float | None = None, message: str | None = None
) -> None:
    """Tell how far the run is; does nothing outside a job. See ``RunContext``."""
    if (run := current()) is not None:
        run.progress(done, total, message)


def track(items: Iterable[T], total: int | None = None) -> Iterator[T]:
    """Go through items and tell the progress; outside a job just go through them."""
    run = current()
    return iter(items) if run is None else run.track(items, total)


def log(step: float | None = None, **metrics: float) -> None:
    """Add a point to metric curves; does nothing outside a job."""
    if (run := current()) is not None:
        run.log(step, **metrics)


def stage(name: str) -> None:
    """Say which part of the work begins; does nothing outside a job."""
    if (run := current()) is not None:
        run.stage(name)


def emit(partial: object) -> None:
    """Give a partial result; does nothing outside a job."""
    if (run := current()) is not None:
        run.emit(partial)


def checkpoint(obj: object, step: float | None = None) -> None:
    """Keep where the work stands; does nothing outside a job."""
    if (run := current()) is not None:
        run.checkpoint(obj, step)


def restore(default: Any = None) -> Any:
    """Return the newest checkpoint of the job, or ``default``."""
    run = current()
    return default if run is None else run.restore(default)


def save_file(path: str | Path, name: str | None = None) -> None:
    """Keep a file with the job; does nothing outside a job."""
    if (run := current()) is not None:
        run.save_file(path, name)
