"""An outcome as the store takes it: how the attempt ended, and its result."""

from __future__ import annotations

from typing import Any

from ..policy import Ending
from ..states import TOLD_BY, State
from ..store.jobs import NewResult
from .frames import Outcome
from .trace import place_in_words

STOPS = ("JobStopped", "asyncio.exceptions.CancelledError")


def ending_of(outcome: Outcome, asked: Ending | None) -> Ending:
    """Say how an attempt ended.

    Parameters
    ----------
    asked : Ending or None
        The end that this side had asked for by a signal: a timeout or a cancel.
        None where nobody here asked, so that SIGTERM came from outside.
    """
    if outcome.end == "ok":  # also where a signal came just too late
        return Ending(State.COMPLETED)
    if outcome.end == "stopped":
        found = asked or Ending(
            State.INTERRUPTED, "ended from outside by signal 15 (SIGTERM)"
        )
        # The exception has the traceback; where it passed no line of the cell (a C
        # call that an interrupt ended), the place is the one that was asked for.
        error = {**(found.error or {}), **(outcome.error or {})}
        reason = found.reason
        if found.state is State.TIMEOUT and _is_only_in(outcome.error, found.error):
            reason = f"{reason}{place_in_words(outcome.error)}"
        if error.get("type") in STOPS:  # ours, to end the body: it says no cause
            error |= {"type": TOLD_BY[found.state], "message": reason}
        return Ending(found.state, reason, error, found.may_retry)
    error = outcome.error or {}
    said = " ".join(str(error.get("message")).split())  # one line, as reasons are
    reason = f"{error.get('type')}: {said}"[:300].rstrip(": ")
    if error.get("type") == "SystemExit":
        code = error.get("message") or "0"
        reason = f"the body called sys.exit({code}), which leaves no result"
    if outcome.memory:
        reason = f"{reason}; out of memory ({outcome.memory})"
    return Ending(State.FAILED, reason, outcome.error, outcome.may_retry)


def _is_only_in(heard: dict[str, Any] | None, asked: dict[str, Any] | None) -> bool:
    """Whether only the exception knows the line at which the body was stopped.

    A coroutine that waits is on no thread's stack; it is there again when it hears
    of its end.
    """
    is_stop = (heard or {}).get("type") in STOPS and (heard or {}).get("line")
    return bool(is_stop) and not (asked or {}).get("line")


def result_of(outcome: Outcome) -> NewResult | None:
    """Return what the attempt returned, as the store takes it."""
    return None if outcome.result is None else NewResult(**outcome.result)
