"""A job as a future: what one does with it, in this kernel or on a server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import Future
from functools import cached_property
from threading import Condition
from typing import Any, Generic, Literal, Self, TypeVar, overload

from . import calling_back, spans
from .errors import JobEnded
from .job_logs import Search, checked_attempt, checked_tail, holding, matching
from .job_parts import AttemptInfo
from .model import ErrorInfo, Progress, StatusInfo
from .spans import Span, waiting_s
from .states import State
from .waited_for import Waiters

E = TypeVar("E")  # what is known of an end


class JobFuture(ABC, Generic[E]):
    """A job by its id, whoever runs it.

    Everything is asked for when it is wanted. It follows the protocol of
    :class:`concurrent.futures.Future` and can be awaited.
    """

    def __init__(self, job_id: str) -> None:
        self.id = job_id

    # -- what it is ------------------------------------------------------------
    @property
    @abstractmethod
    def info(self) -> StatusInfo:
        """The job as it stands now."""

    @property
    @abstractmethod
    def status(self) -> State:
        """The state now; compares equal to its word."""

    @abstractmethod
    def _detail(self) -> dict[str, Any]:
        """Return everything a card shows of the job except its log."""

    @property
    def progress(self) -> Progress | None:
        """How far the newest attempt is, or None before it told."""
        return self.info.progress

    @property
    def inputs(self) -> Any:
        """What the job was given, as a JSON preview."""
        return self._detail()["inputs"]

    @property
    def source(self) -> str:
        """Code of the function as it was submitted."""
        return str(self._detail()["source"])

    @property
    def attempts(self) -> list[AttemptInfo]:
        """Each attempt with its end."""
        return [AttemptInfo(**one) for one in self._detail()["attempts"]]

    @property
    def error(self) -> ErrorInfo | None:
        """What the last attempt died of."""
        return self.info.error

    @property
    def reason(self) -> str | None:
        """Why the job is in its state, in one line."""
        return self.info.reason

    # -- the future ------------------------------------------------------------
    @abstractmethod
    def _end(self, limit_s: float | None) -> E | State:
        """Wait for the end; returns the state where it did not come in time."""

    @abstractmethod
    def _value(self, end: E) -> Any:
        """Return what a job returned that has ended, or raise why it did not."""

    @abstractmethod
    def _fault(self, end: E) -> JobEnded | None:
        """Return why a job that has ended has no result; None where it has one."""

    @abstractmethod
    def when_ended(self) -> Future[None]:
        """Return a future that is done once the job has ended, whatever its end."""

    @abstractmethod
    def _awaited(self) -> Coroutine[Any, Any, Any]:
        """Return what the job returned, once it has ended."""

    def done(self) -> bool:
        """Whether the job has ended, in whatever way."""
        return self.status.is_ended

    def running(self) -> bool:
        """Whether an attempt is running."""
        return self.status is State.RUNNING

    def cancelled(self) -> bool:
        """Whether the job ended by being cancelled."""
        return self.status is State.CANCELLED

    def wait(self, timeout: Span | None = None) -> bool:
        """Wait for the end, whatever it is.

        Parameters
        ----------
        timeout : float, timedelta or str, optional
            Seconds, or a text such as ``"5m"``.

        Returns
        -------
        bool
            Whether the job has ended.
        """
        return not isinstance(self._end(waiting_s(timeout)), State)

    def result(self, timeout: Span | None = None) -> Any:
        """Wait for the end and return what the job returned.

        Raises
        ------
        TimeoutError
            If ``timeout`` passes first; the job goes on.
        JobFailed, JobTimeout, JobCancelled, JobInterrupted
            If it ended badly.
        """
        return self._value(self._end_within(timeout))

    def exception(self, timeout: Span | None = None) -> JobEnded | None:
        """Wait for the end; return the exception that :meth:`result` would raise."""
        return self._fault(self._end_within(timeout))

    def _end_within(self, timeout: Span | None) -> E:
        limit_s = waiting_s(timeout)
        end = self._end(limit_s)
        if isinstance(end, State):
            raise TimeoutError(
                f"job {self.id} is still {end} after {limit_s:g} s of waiting; it goes "
                "on"
            )
        return end

    def add_done_callback(self, call: Callable[[Self], object]) -> None:
        """Call ``call(job)`` once the job has ended, on a thread for callbacks.

        They are called one after the other; one that raises is logged. Where the job
        has ended already, it is called here and now.
        """
        called = calling_back.checked(call)
        calling_back.at_end(self.when_ended(), called, self)

    # What concurrent.futures.wait and as_completed look for in a future.
    @cached_property
    def _ended(self) -> Future[None]:
        return self.when_ended()

    @property
    def _condition(self) -> Condition:
        return self._ended._condition

    @property
    def _state(self) -> str:
        return self._ended._state

    @property
    def _waiters(self) -> Waiters:
        return Waiters(self._ended, self)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    # -- what one can do -------------------------------------------------------
    @abstractmethod
    def cancel(self) -> bool:
        """Cancel the job; False if it had ended."""

    @abstractmethod
    def _extend(self, more_s: float) -> bool:
        """Move a running attempt's timeout; False if it has none or is over."""

    def extend(self, seconds: Span) -> bool:
        """Move a running attempt's timeout; False if it has none or is over.

        Parameters
        ----------
        seconds : float, timedelta or str
            How much more time it has; less where it is below 0.

        Raises
        ------
        DefinitionError
            If it is no span of time, or would leave none at all.
        """
        return self._extend(spans.seconds("seconds", seconds))

    # -- its log -----------------------------------------------------------------
    @abstractmethod
    def _log(self, attempt: int | None) -> str:
        """Return all that is kept of a log."""

    @abstractmethod
    def _log_end(self, attempt: int | None, lines: int) -> str:
        """Return the last lines of a log."""

    @abstractmethod
    def _log_lines(self, attempt: int | None, tail: int | None) -> Iterator[str]:
        """Give the lines of a log as they are written, until the job has ended."""

    @overload
    def logs(
        self,
        tail: int | None = None,
        follow: Literal[False] = False,
        attempt: int | None = None,
        search: Search | None = None,
    ) -> str: ...

    @overload
    def logs(
        self,
        tail: int | None = None,
        *,
        follow: Literal[True],
        attempt: int | None = None,
        search: Search | None = None,
    ) -> Iterator[str]: ...

    def logs(
        self,
        tail: int | None = None,
        follow: bool = False,
        attempt: int | None = None,
        search: Search | None = None,
    ) -> str | Iterator[str]:
        """Return what the newest attempt wrote; a bar that was drawn again is a line.

        Parameters
        ----------
        tail : int, optional
            Only so many last lines; with ``follow``, of what is there already.
        follow : bool
            Give an iterator of lines instead, which ends with the job.
        attempt : int, optional
            An earlier attempt's log; that of one which is still to come is empty.
        search : str or re.Pattern, optional
            Only lines that hold this text, whatever its case, or this pattern.

        Raises
        ------
        ValueError
            If ``tail`` is no number of lines, or ``attempt`` none of an attempt.
        AttemptNotFound
            If there is no such attempt and will be none; where lines are followed,
            at the first of them.
        """
        tail, attempt = checked_tail(tail), checked_attempt(attempt)
        if follow:
            lines = self._log_lines(attempt, tail)
            return lines if search is None else matching(lines, search)
        if search is not None:
            return holding(self._log(attempt), search, tail)
        return self._log(attempt) if tail is None else self._log_end(attempt, tail)

    # -- as a value ------------------------------------------------------------
    def show(self) -> None:
        """Show the job here."""
        from IPython.display import display  # only there in a notebook

        display(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)
