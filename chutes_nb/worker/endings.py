"""An outcome as the store takes it: how the attempt ended, and its result."""

from __future__ import annotations

from ..policy import Ending
from ..states import State
from ..store.jobs import NewResult
from .frames import Outcome


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
        return Ending(found.state, found.reason, error, found.may_retry)
    error = outcome.error or {}
    said = " ".join(str(error.get("message")).split())  # one line, as reasons are
    reason = f"{error.get('type')}: {said}"[:300].rstrip(": ")
    if error.get("type") == "SystemExit":
        code = error.get("message") or "0"
        reason = f"the body called sys.exit({code}), which leaves no result"
    if outcome.memory:
        reason = f"{reason}; out of memory ({outcome.memory})"
    return Ending(State.FAILED, reason, outcome.error, outcome.may_retry)


def result_of(outcome: Outcome) -> NewResult | None:
    """Return what the attempt returned, as the store takes it."""
    return None if outcome.result is None else NewResult(**outcome.result)
