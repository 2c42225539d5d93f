"""The exit code that a body gave its worker, for whom the system does not tell it.

Only a parent hears of a code. A worker that was taken over is no child of its
executor, so it writes the code down before it goes.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import posix
from collections.abc import Callable
from pathlib import Path

from .frames import Task

NAME = "exit"


def install(
    folder: Path, task: Callable[[], Task | None], last_words: Callable[[], None]
) -> None:
    """Have ``os._exit`` write its code into the worker's folder first.

    Parameters
    ----------
    task : callable
        Gives the attempt that runs now.
    last_words : callable
        Sends what that attempt has told and nobody has heard yet.
    """
    own, leave = os.getpid(), os._exit

    @functools.wraps(leave)  # it goes by name to a process that the body starts
    def _exit(status: int) -> None:
        # A child that the body forked has its parent's functions.
        if os.getpid() == own and (now := task()) is not None:
            with contextlib.suppress(Exception):  # an exit is no place for another
                last_words()
            with contextlib.suppress(OSError, TypeError):
                _leave_code(folder, now, status & 0xFF)
        leave(status)

    os._exit = posix._exit = _exit  # type: ignore[assignment]


def read_code(folder: Path, job: str, attempt: int) -> int | None:
    """Return the code with which an attempt's body ended its worker.

    None where it did not, or where a full disk has cut the code off.
    """
    try:
        said = json.loads((folder / NAME).read_text("utf-8"))
        return int(said[2]) if said[:2] == [job, attempt] else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _leave_code(folder: Path, task: Task, code: int) -> None:
    (folder / NAME).write_text(json.dumps([task.job, task.attempt, code]), "utf-8")
