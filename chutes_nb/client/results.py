"""What became of a job: its result as JSON, its bad end as an error, or not yet."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any, NamedTuple

from ..errors import JobEnded, JobNotReady
from ..job import ENDS
from ..states import State
from .flows import Ask, Flow, json_of
from .link import Link

WAIT_S = 30.0  # of one request; the server allows 60


class InexactResult(UserWarning):
    """A result is not all that the job returned: JSON could not say it."""


class RemoteResult(NamedTuple):
    """What a job returned, as HTTP brings it.

    Attributes
    ----------
    value : JSON value
    exact : bool
        Whether the value is what the job returned. Where not, it is a preview.
    type : str or None
        Name of the Python type that the job returned.
    view : dict
        The result as a notebook shows it: a MIME bundle.
    """

    value: Any
    exact: bool
    type: str | None
    view: dict[str, Any]


class Unfinished(NamedTuple):
    """A job that had not ended when time was out."""

    state: str


Found = RemoteResult | JobEnded | Unfinished


def results(link: Link, job_id: str, timeout_s: float | None) -> Flow[Found]:
    """Wait for the end of a job; 0 seconds only look.

    Raises
    ------
    JobNotFound, ServerUnreachable
    """
    end = math.inf if timeout_s is None else time.monotonic() + timeout_s
    patience_s = link.patience_s
    while True:
        left = max(0.0, end - time.monotonic())
        if timeout_s:
            patience_s = min(link.patience_s, left)
        wait_s = min(WAIT_S, left)
        query = {"wait": round(wait_s, 3)}
        ask = Ask("GET", f"jobs/{job_id}/results", query=query, wait_s=wait_s)
        said = yield from json_of(ask, patience_s)
        if "result" in said:
            return _found(job_id, said)
        if time.monotonic() >= end:
            return Unfinished(said["status"])


def _found(job_id: str, said: dict[str, Any]) -> RemoteResult | JobEnded:
    error = said["error"]
    if error is None:
        return RemoteResult(
            said["result"], said["exact"], said["type"], said["view"] or {}
        )
    state = State(said["status"])
    reason = error.pop("reason")
    is_own = error["type"] == ENDS[state].__name__  # nothing was raised in the job
    return ENDS[state](job_id, state.value, reason, None if is_own else error)


def ready(job_id: str, found: Found) -> RemoteResult:
    """Give a result, or raise why there is none.

    Raises
    ------
    JobNotReady, JobFailed, JobTimeout, JobCancelled, JobInterrupted
    """
    if isinstance(found, Unfinished):
        raise JobNotReady(job_id, found.state)
    if isinstance(found, JobEnded):
        raise found
    return found


def plain(job_id: str, found: Found, above: int = 3) -> Any:
    """Give the value of a result; warn where it is not all that the job returned.

    Parameters
    ----------
    above : int
        How many frames up the user is who is warned, this one counted.
    """
    result = ready(job_id, found)
    if not result.exact:
        what = "only its preview comes" if result.value is not None else "none comes"
        warnings.warn(
            f"job {job_id} returned a {result.type} that JSON cannot say in full: "
            f"{what} by HTTP; answer() of the job has its view as well, and a notebook "
            "on the server has all of it",
            InexactResult,
            stacklevel=above,
        )
    return result.value
