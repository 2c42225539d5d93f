"""Why an attempt ended that left no outcome, from its exit code and its trace."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import Any

from .. import failpoints
from ..policy import Ending, lost
from ..processes import boot_id
from ..states import State
from ..store.db import Row
from ..worker.asking import after_kill, leave_note, read_note
from ..worker.errors import Sources
from ..worker.exiting import read_code
from ..worker.trace import crash, is_time_up, place_in_words, read_trace, where
from .handle import Handle
from .holder import task_output


def cause_of_death(handle: Handle, code: int | None, sources: Sources) -> Ending:
    """Name what an attempt died of.

    Parameters
    ----------
    code : int or None
        Exit code as :class:`subprocess.Popen` gives it; None for a worker that is
        nobody's child here.
    sources : mapping of file name to (cell number or None, text)
    """
    task = handle.task
    assert task is not None  # only asked for an attempt
    text = read_trace(handle.folder)
    place = where(text, sources)
    if had_time_up(handle, task):
        reason = f"timed out after {task['timeout_s']:g} s{place_in_words(place)}"
        error = _as_error("JobTimeout", reason, place)
        return after_kill(Ending(State.TIMEOUT, reason, error), task["grace_s"])
    asked = read_note(handle.folder, task["id"], task["attempt"])
    if asked is not None:  # by who died before it could settle it, or by the worker
        return placed(handle, asked, sources)
    is_rebooted = (
        code is None
        and handle.identity is not None
        and handle.identity.boot_id != boot_id()
    )
    if code is None:
        code = read_code(handle.folder, task["id"], task["attempt"])
    what = crash(text)
    if code is None and what is not None:
        reason = f"the body crashed its worker: {what}{place_in_words(place)}"
        return Ending(State.FAILED, reason, _as_error("Crash", reason, place))
    memory = handle.memory
    found = lost(
        code,
        _silent_s(handle),
        memory="" if memory is None else memory.in_words(),
        is_out_of_memory=memory is not None and memory.was_killed(),
        is_rebooted=is_rebooted,
    )
    error = _as_error("WorkerLost", found.reason or "", place if what else None)
    return replace(found, error=error)


def had_time_up(handle: Handle, task: Row) -> bool:
    """Whether its own watchdog ended a worker, at the end of its attempt's grace."""
    return is_time_up(read_trace(handle.folder), task["id"], task["attempt"])


def placed(handle: Handle, ending: Ending, sources: Sources) -> Ending:
    """Add to a timeout the line at which it found the body."""
    place = where(read_trace(handle.folder), sources)
    if ending.state is not State.TIMEOUT or place is None:
        return ending
    reason = f"{ending.reason}{place_in_words(place)}"
    return replace(ending, reason=reason, error=_as_error("JobTimeout", reason, place))


def announce(handle: Handle, ending: Ending) -> Ending:
    """Note down that an attempt is about to be stopped, in case this process dies.

    Returns
    -------
    Ending
        The same, or what a worker noted that has ended itself for it.
    """
    task = handle.task
    assert task is not None  # only an attempt can be stopped
    place = (handle.folder, task["id"], task["attempt"])
    noted = None if handle.is_alive() else read_note(*place)
    if noted is not None and noted.state is ending.state:
        ending = noted
    leave_note(*place, ending)
    if ending.state is State.CANCELLED:
        failpoints.hit("cancel.before_kill")
    else:
        failpoints.hit("timeout.before_kill")
    return ending


def pass_after_kill(ending: Ending) -> None:
    """Pass the failpoint of an attempt that was stopped and is not settled yet."""
    if ending.state is State.CANCELLED:
        failpoints.hit("cancel.after_kill")
    else:
        failpoints.hit("timeout.after_kill")


def pass_before_commit(state: State | None) -> None:
    """Pass the failpoint of an attempt whose end is written and not committed."""
    if state is State.RETRYING:
        failpoints.hit("retry.before_commit")
    elif state is State.CANCELLED:
        failpoints.hit("cancel.before_commit")
    elif state is State.TIMEOUT:
        failpoints.hit("timeout.before_commit")
    else:
        failpoints.hit("done.before_commit")


def _as_error(kind: str, reason: str, place: dict[str, Any] | None) -> dict[str, Any]:
    return {"type": kind, "message": reason, "traceback": "", **(place or {})}


def _silent_s(handle: Handle) -> float | None:
    """Seconds since the attempt's last output; None where it wrote nothing.

    The file tells it where nobody has followed the attempt, as for an adopted one.
    """
    last = handle.capture.last_output_at if handle.capture else None
    if last is not None:
        return time.monotonic() - last
    assert handle.task is not None  # only asked for an attempt
    try:
        found = os.stat(task_output(handle.task, handle))
    except OSError:
        return None
    return max(0.0, time.time() - found.st_mtime) if found.st_size else None
