"""A note in a worker's folder: which attempt somebody is about to stop, and why.

Whoever stops an attempt may die before it can settle it. The next one who looks (the
worker itself, or the next executor) then knows that it was a timeout or a cancel,
and no blow from outside, which would be tried again.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from pathlib import Path

from ..policy import Ending
from ..states import State

NAME = "asked"


def leave_note(folder: Path, job: str, attempt: int, ending: Ending) -> None:
    """Write down the end that is asked for; without room the signals go out alone.

    A note that was left before stays whole where there is no room for this one.
    """
    note = [job, attempt, ending.state, ending.reason, ending.may_retry]
    aside = folder / f"{NAME}.new"
    with contextlib.suppress(OSError):
        aside.write_text(json.dumps(note), "utf-8")
        os.replace(aside, folder / NAME)


def after_kill(ending: Ending, grace_s: float) -> Ending:
    """Say of an end that was asked for that the attempt had to be killed for it."""
    told = f"; it did not stop within {grace_s:g} s and was killed"
    reason = (ending.reason or "").removesuffix(told) + told
    error = ending.error
    if error is not None and error.get("message") == ending.reason:
        error = error | {"message": reason}
    return replace(ending, reason=reason, error=error)


def read_note(folder: Path, job: str, attempt: int) -> Ending | None:
    """Return the end that was asked for of this attempt.

    None where nobody did, or where a full disk has cut the note off.
    """
    try:
        note = json.loads((folder / NAME).read_text("utf-8"))
        if note[:2] != [job, attempt]:
            return None
        return Ending(State(note[2]), note[3], may_retry=note[4])
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
    ):
        return None
