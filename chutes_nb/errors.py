"""Everything that can go wrong, as exceptions a caller can catch."""

from __future__ import annotations

import os
from functools import partial
from types import TracebackType
from typing import TypeVar

from .shell import current_shell

Raised = TypeVar("Raised", bound=BaseException)

_OWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
_LIBRARY = os.path.join(os.path.dirname(os.path.abspath(os.__file__)), "")
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class ChutesError(Exception):
    """The root of every error that chutes_nb raises of its own."""

    def __reduce__(self) -> tuple[object, ...]:
        # Some are made of other things than their message, and Python would make
        # them again of that: they could not come out of another process.
        return _again, (type(self), self.args, vars(self))

    def _render_traceback_(self) -> list[str]:
        return drawn(self)


def drawn(error: BaseException) -> list[str]:
    """Draw an error for IPython, without the frames of this package."""
    show = current_shell().InteractiveTB.structured_traceback
    cause = error.__cause__
    whole = None if cause is None else cause.__traceback__
    try:
        if cause is not None:
            cause.__traceback__ = without_own(whole)
        return list(show(type(error), error, without_own(error.__traceback__)))
    finally:
        if cause is not None:
            cause.__traceback__ = whole


def brief(error: Raised) -> Raised:
    """Have IPython show an error of Python's own as it shows ours."""
    error._render_traceback_ = partial(drawn, error)  # type: ignore[attr-defined]
    return error


def without_own(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of this package, and of libraries that it has called."""
    kept, is_below = [], False
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        is_own = file.startswith(_OWN)
        is_below = is_below or is_own
        if not is_own and not (is_below and _is_library(file)):
            kept.append(trace)
        trace = trace.tb_next
    found = None
    for one in reversed(kept):
        found = TracebackType(found, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return found


def _is_library(file: str) -> bool:
    return file.startswith(_LIBRARY) or any(part in file for part in _INSTALLED)


def _again(
    kind: type[ChutesError], args: tuple[object, ...], facts: dict[str, object]
) -> ChutesError:
    """Give an error back as it was pickled or copied."""
    error = kind.__new__(kind, *args)
    vars(error).update(facts)
    return error


class DefinitionError(ChutesError, TypeError, ValueError):
    """A function, an option or a setting cannot be taken as it was given."""


class NotAvailable(ChutesError):
    """An option is known but cannot be honoured by this version."""


class BindingError(ChutesError, TypeError):
    """A payload fits no reading of the job's signature.

    Attributes
    ----------
    details : list of dict
        By HTTP one entry an error: ``loc``, ``msg``, ``type``; else empty.
    """

    def __init__(
        self, message: str, details: list[dict[str, object]] | None = None
    ) -> None:
        self.details = details or []
        super().__init__(message)


class ValidationFailed(ChutesError, ValueError):
    """A payload's values do not fit the annotations.

    Attributes
    ----------
    details : list of dict
        One entry an error: ``loc`` (path to the value), ``msg``, ``type``.
    """

    def __init__(self, message: str, details: list[dict[str, object]]) -> None:
        self.details = details
        super().__init__(message)


class CaptureTooLarge(ChutesError):
    """A job would carry more of the notebook with it than it may."""


class FileTooLarge(ChutesError):
    """A file is larger than what is copied into the store."""


class JobNotFound(ChutesError, LookupError):
    """No job, or more than one, answers to the id that was given."""


class AttemptNotFound(ChutesError, LookupError):
    """A job has no attempt of the number that was given, and will have none."""


class UnknownName(ChutesError, LookupError):
    """No notebook has defined a job of the name that was given."""


class AmbiguousName(ChutesError, LookupError):
    """More than one chute defines a job of the name that was given."""


class JobNotReady(ChutesError):
    """A result was asked for before the job ended.

    Attributes
    ----------
    job_id : str
    state : str
    """

    def __init__(self, job_id: str, state: str) -> None:
        self.job_id, self.state = job_id, state
        super().__init__(
            f"job {job_id} is {state}, so it has no result yet; wait for it with "
            "wait=True, job.result() or await job"
        )


class MoveRefused(ChutesError):
    """A job was asked to enter a state that it cannot reach from where it is."""

    def __init__(self, job_id: str, *, to: str, found: str | None) -> None:
        self.job_id, self.to, self.found = job_id, to, found
        is_open = found in ("queued", "running", "retrying")
        way_on = (
            "wait for its end, or cancel it" if is_open else "retry makes a new job"
        )
        super().__init__(
            f"job {job_id} is {found or 'not in the store'}, so it cannot be {to}; "
            f"{way_on}"
        )


class CodeUnchanged(ChutesError):
    """A job was to run again with edited code, and its code is what it was."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(
            f"neither code nor options have changed since job {job_id} was submitted; "
            "run the edited cell first, or choose Retry to run the same again"
        )


class KernelGone(ChutesError):
    """What a kernel job needs to run again ended with its kernel."""

    def __init__(self, job_id: str, why: str) -> None:
        self.job_id = job_id
        super().__init__(f"job {job_id} {why}")


class JobEnded(ChutesError):
    """A job ended without a result.

    Attributes
    ----------
    job_id, state : str
    reason : str or None
        Why it ended, in one line.
    error : dict or None
        ``type``, ``message`` and ``traceback`` of the remote exception.
    """

    def __init__(
        self,
        job_id: str,
        state: str,
        reason: str | None = None,
        error: dict[str, object] | None = None,
    ) -> None:
        self.job_id, self.state, self.reason, self.error = job_id, state, reason, error
        ending = _ENDING.get(state, state)
        if reason and reason.startswith(ending.removeprefix("was ")):
            # Not "was cancelled: cancelled by the user".
            text = f"job {job_id} {'was ' * ending.startswith('was ')}{reason}"
        else:
            text = f"job {job_id} {ending}{f': {reason}' if reason else ''}"
        if error and error.get("traceback"):
            text += f"\n\n{error['traceback']}"
        super().__init__(text)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.job_id, self.state, self.reason, self.error)


class JobFailed(JobEnded):
    """The body raised, or its worker ended without a result."""


class JobTimeout(JobEnded):
    """The job ran past its timeout or its deadline."""


class JobCancelled(JobEnded):
    """Somebody cancelled the job."""


class JobInterrupted(JobEnded):
    """The worker was ended from outside, or nobody knows how it ended."""


_ENDING = {
    "failed": "failed",
    "timeout": "timed out",
    "cancelled": "was cancelled",
    "interrupted": "was interrupted",
}


class PermanentError(ChutesError):
    """Raise this in a job to fail at once, whatever attempts are left."""


class TemporaryError(ChutesError):
    """Raise this in a job to be tried again while attempts are left."""


class ResultNotStorable(ChutesError):
    """What a job returned can be neither written as JSON nor pickled."""


class ServerError(ChutesError):
    """A server that was asked by HTTP is none of ours, or could not answer."""


class ServerUnreachable(ServerError, ConnectionError):
    """A server does not answer."""


class AccessDenied(ServerError, PermissionError):
    """A server refuses the token that it was asked with."""


class StoreError(ChutesError):
    """The store cannot be used as it is."""


class StoreBusy(StoreError):
    """Another process keeps the store locked; nothing was changed."""


class StoreDamaged(StoreError):
    """A file of the store cannot be read as what it should be."""


class StoreReadOnly(StoreError):
    """The store can be read but not written."""


class StoreTooNew(StoreReadOnly):
    """The store was written by a newer version of chutes_nb."""


class StoreFull(StoreError):
    """The disk has no room for what was to be written."""


class StoreUnsafe(StoreError):
    """The store's place cannot keep its promises (network disk, foreign owner)."""
