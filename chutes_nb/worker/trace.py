"""The worker's trace file: where an attempt stood when its process was asked or died.

Written by :mod:`faulthandler` from C code, below a header ``JOB ATTEMPT``.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

from .errors import Sources, located

WHERE_SIGNAL = signal.SIGUSR1
# https://docs.python.org/3/library/faulthandler.html: '  File "x.py", line 3 in f'
FRAME = re.compile(
    r'^  File "(?P<file>.+)", line (?P<line>\d+) in (?P<function>.+)$', re.M
)
TIME_IS_UP = "Timeout ("
FATAL = re.compile(r"^Fatal Python error: (?P<what>.+)$", re.M)
# The thread that runs the body is the one whose stack ends in the worker's loop.
BODY_THREAD = "in serve"


def read_trace(folder: Path) -> str:
    """Return the text of a worker's trace file; empty where there is none."""
    try:
        return (folder / "trace").read_text("utf-8", "replace")
    except OSError:
        return ""


def is_time_up(text: str, job: str, attempt: int) -> bool:
    """Whether the watchdog ended this attempt, with no executor's help."""
    return text.startswith(f"{job} {attempt}\n") and TIME_IS_UP in text


def crash(text: str) -> str | None:
    """Return what Python said when it crashed, such as ``Segmentation fault``."""
    found = FATAL.search(text)
    return None if found is None else found["what"]


def where(text: str, sources: Sources) -> dict[str, Any] | None:
    """Find the innermost line of the user's code in the newest stack.

    Returns
    -------
    dict or None
        ``function``, ``line``, ``cell``, ``file`` and ``source``, as in ``ErrorInfo``.
    """
    stacks = [part for part in text.split("\n\n") if BODY_THREAD in part]
    for stack in reversed(stacks or [text]):
        for found in FRAME.finditer(stack):
            if found["file"] in sources:
                place = located(sources, found["file"], int(found["line"]))
                return place | {"function": found["function"]}
    return None


def place_in_words(found: dict[str, Any] | None) -> str:
    """Say where, to be put behind a reason: `` at line 14 of cell [7]``."""
    if found is None:
        return ""
    cell = found.get("file") or "the cell"
    if found["cell"] is not None:
        cell = f"cell [{found['cell']}]"
    return f" at line {found['line']} of {cell}"
