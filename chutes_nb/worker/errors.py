"""An exception as text: type, message, traceback, and the cell's line it is about."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Mapping
from typing import Any

from ..errors import ChutesError, without_own
from ..views import safe_repr

CONTEXT_LINES = 2
MESSAGE_LIMIT = 10_000
TRACE_LIMIT = 200_000
HANDLER = "_on_term"  # of body.Stopper
# What pickle says of a class that a cell has defined and that did not come.
_LACKING = re.compile(r"Can't get attribute '(\w+)' on <module '__main__'")
_OF_KERNEL = f"{os.sep}ipykernel_"  # in the name that it gives the file of a cell
_OWN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")

Sources = Mapping[str, tuple[int | None, str]]


def describe(error: BaseException, sources: Sources) -> dict[str, Any]:
    """Put an exception into words that another process can show.

    Parameters
    ----------
    error : BaseException
        Also one whose ``__str__`` raises.
    sources : mapping of file name to (cell number or None, text)
        The notebook cells that the job's code comes from.

    Returns
    -------
    dict
        The fields of ``model.ErrorInfo``.
    """
    trace = _without_own_frames(error.__traceback__)
    found = {
        "type": type_name(error),
        "message": message(error)[:MESSAGE_LIMIT],
        "traceback": _format(error, trace)[-TRACE_LIMIT:],
    }
    for frame, line in reversed(list(traceback.walk_tb(trace))):
        name = frame.f_code.co_filename
        if name in sources:
            place = located(sources, name, line)
            return found | place | {"function": frame.f_code.co_name}
    return found


def bare(error: BaseException) -> dict[str, Any]:
    """Name an exception that raises wherever it is touched, and no more.

    Its class may do so as well, by a metaclass: so that is not asked either.
    """
    name = type.__dict__["__name__"].__get__(type(error))
    words = "<the exception cannot be described>"
    return {"type": str(name), "message": words, "traceback": ""}


def note_what_differs(error: BaseException, folder: str) -> None:
    """Note with an exception what would have gone well in a cell, and what to do.

    Parameters
    ----------
    error : BaseException
    folder : str
        The notebook's; empty where this machine has none.
    """
    path = error.filename if type(error) is FileNotFoundError else None
    if isinstance(path, str) and folder:
        there = os.path.join(folder, path)
        if there != path and os.path.exists(there):  # a whole path stays as it is
            error.add_note(
                f"{path} is in the notebook's folder, and a job works in one of its "
                f"own; give it the whole path: {there!r}"
            )
    is_lookup = type(error) is AttributeError
    lacking = _LACKING.match(message(error)) if is_lookup else None
    if lacking is not None:
        error.add_note(
            f"a job has what its function names of the notebook: name {lacking[1]} in "
            "it, and it goes along"
        )


def located(sources: Sources, file: str, line: int) -> dict[str, Any]:
    """Name the cell of a line, or its file, with the lines around it."""
    cell, text = sources[file]
    lines = text.splitlines()
    first = max(1, line - CONTEXT_LINES)
    last = min(len(lines), line + CONTEXT_LINES - 1)
    around = [(number, lines[number - 1]) for number in range(first, last + 1)]
    is_file = cell is None and file.endswith(".py") and _OF_KERNEL not in file
    named = {"file": os.path.basename(file)} if is_file else {}
    return {"line": line, "cell": cell, "source": around, **named}


def type_name(error: BaseException) -> str:
    """Name an exception's class, with its module where that helps."""
    kind = type(error)
    package = __name__.partition(".")[0]
    module = str(kind.__module__)
    if module.partition(".")[0] in ("builtins", "__main__", package):
        return kind.__qualname__
    return f"{module}.{kind.__qualname__}"


def message(error: BaseException) -> str:
    """Return what an exception says, even where saying it fails."""
    try:
        text = str(error)
    except BaseException as second:
        text = f"<its message cannot be shown: {type(second).__name__}>"
    return text.encode("utf-8", "replace").decode()


def _format(error: BaseException, trace: Any) -> str:
    try:
        if isinstance(error, ChutesError):
            text = "".join(_ours(error, trace).format())
        else:
            text = "".join(traceback.format_exception(type(error), error, trace))
    except BaseException:  # a message, note or attribute that raises
        head = "".join(traceback.format_tb(trace))
        text = f"{head}{type_name(error)}: {message(error) or safe_repr(error)}"
    return text.encode("utf-8", "replace").decode()


def _ours(error: ChutesError, trace: Any) -> traceback.TracebackException:
    """Describe an error of ours by the user's frames, and its cause by theirs."""
    said = traceback.TracebackException(type(error), error, without_own(trace))
    cause = error.__cause__
    if cause is not None:
        left = without_own(cause.__traceback__)
        # Where no line is the user's, all that it says is in the error that came of it.
        said.__cause__ = left and traceback.TracebackException(type(cause), cause, left)
    return said


def _without_own_frames(trace: Any) -> Any:
    """Leave out the worker's frames on top: the user's begin below them.

    And that of the signal's handler, which raised where the user's code just was.
    """
    while trace is not None and trace.tb_next is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((_OWN, "<frozen ")) and "asyncio" not in file:
            break
        trace = trace.tb_next
    one = trace
    while one is not None and one.tb_next is not None:
        code = one.tb_next.tb_frame.f_code
        if code.co_name == HANDLER and code.co_filename.startswith(_OWN):
            one.tb_next = None
        one = one.tb_next
    return trace
