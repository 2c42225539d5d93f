"""A notebook run with no front end: it waits for its jobs, and fails as they do.

Nobody tells a kernel which cell is the last one. So the notebook is looked for (where
whoever started the kernel was told of one, and around the working directory), and its
cells are compared with those that have run. Where it cannot be found each cell may be
the last, and each waits for the jobs there are.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import psutil

from . import registry, runtime, showing
from .errors import ChutesError, JobEnded
from .job import Job
from .shell import current_shell
from .states import State

MOST_FILES = 200
SUFFIX = ".ipynb"
FAILED = (State.FAILED, State.TIMEOUT, State.INTERRUPTED)
SKIPPED_TAG = "skip-execution"  # what nbclient calls it
RAISING_TAG = "raises-exception"  # and this one: the cell's error is wanted
ALLOWED = "allow-errors"  # how nbconvert's and nbclient's option ends
INJECTED = "# Parameters"  # how a cell begins that papermill has put in


def watch() -> None:
    """Look after each cell whether it was the last; only in IPython."""
    shell = current_shell()
    if shell is None:
        return
    with contextlib.suppress(ValueError):
        shell.events.unregister("post_run_cell", after_cell)
    shell.events.register("post_run_cell", after_cell)


def after_cell(result: Any) -> None:
    """Bring the cards up to date; at the notebook's end wait for the jobs first."""
    if not showing.is_headless():
        return
    shell = current_shell()
    ids = registry.own_jobs()
    goes_on = result.success or is_tolerated(result.error_in_exec, shell)
    if ids and goes_on and runtime.waits_headless() and may_be_last(shell):
        store = runtime.store()
        own = [Job(one, store) for one in ids if _is_there(one)]
        for job in own:
            job.wait()
        error = failure(own) if result.success else None
        if error is not None:
            result.error_in_exec = error
            shell.showtraceback((type(error), error, None))
    showing.refresh()


def failure(own: list[Job]) -> JobEnded | None:
    """Make the exception of jobs that failed with nobody taking note.

    Whoever asked for a job's result or exception, or has retried it, knows.
    """
    retried = {job.info.retry_of for job in own}
    lost = [
        job
        for job in own
        if job.status in FAILED
        and job.id not in retried
        and not registry.is_answered_for(job.id)
    ]
    if not lost:
        return None
    error = lost[0].bad_end()
    for job in lost[1:]:
        error.add_note(f"job {job.name} {job.id} {job.status} too: {job.reason}")
    error.add_note(
        "A notebook that is run with no front end fails when a job of it did; "
        "chutes_nb.configure(headless_wait=False) lets it end without its jobs."
    )
    return error


def _is_there(job: str) -> bool:
    try:
        return bool(runtime.store().status(job))
    except ChutesError:  # deleted by the notebook
        return False


def is_tolerated(error: BaseException | None, shell: Any) -> bool:
    """Whether a notebook goes on after a cell's error, so that it has an end as others.

    A cell may be tagged so, and the run may be told so on its command line. An
    interrupt is how a run ends a cell that takes too long: waiting would be more of it.
    """
    if error is None or isinstance(error, KeyboardInterrupt):
        return False
    words = [one.lower().replace("_", "-") for one in _parent_words()]
    if any(ALLOWED in one and not one.endswith("=false") for one in words):
        return True
    run, path = _found(shell)
    return path is not None and RAISING_TAG in _tags(_run_cells(path)[len(run) - 1])


# -- which cell is the last ------------------------------------------------------
def may_be_last(shell: Any) -> bool:
    """Whether the cell that has just run is the notebook's last, as far as is known."""
    run, path = _found(shell)
    return path is None or len(code_cells(path)) == len(run)


def _found(shell: Any) -> tuple[list[str], Path | None]:
    """Find the notebook by the cells of it that have run; gives both."""
    run = [one.strip() for one in shell.history_manager.input_hist_raw[1:]]
    run = [one for one in run if one]
    for path in candidates():
        cells = code_cells(path)
        for ran in (run, without_injected(run)):
            if ran and cells[: len(ran)] == ran:
                return ran, path
    return run, None


def without_injected(run: list[str]) -> list[str]:
    """Leave out the cell that papermill has put in, as the notebook has none."""
    at = next((n for n, one in enumerate(run) if one.startswith(INJECTED)), None)
    return run if at is None else run[:at] + run[at + 1 :]


def code_cells(path: Path) -> list[str]:
    """Sources of the cells of a notebook's file that are run; none if it is none."""
    return [_source(one) for one in _run_cells(path)]


def _run_cells(path: Path) -> list[dict[str, Any]]:
    try:
        notebook = json.loads(path.read_text("utf-8"))
        cells = [one for one in notebook["cells"] if one["cell_type"] == "code"]
        return [one for one in cells if _source(one) and SKIPPED_TAG not in _tags(one)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"]).strip()


def _tags(cell: dict[str, Any]) -> list[str]:
    return list(cell["metadata"].get("tags", ()))


def candidates() -> Iterator[Path]:
    """Files that may be the notebook: those that our parent was told of, then around.

    A name on its command line is relative to its own folder.
    """
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process().parent()
        if parent is not None:
            for argument in parent.cmdline():
                if argument.endswith(SUFFIX):
                    yield Path(parent.cwd(), argument)
                elif Path(argument).name == argument:  # nbconvert adds the ending
                    yield Path(parent.cwd(), argument + SUFFIX)
    here = Path.cwd()
    around = (found for mask in ("*", "*/*") for found in here.glob(mask + SUFFIX))
    yield from islice(around, MOST_FILES)


def _parent_words() -> list[str]:
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process().parent()
        return [] if parent is None else parent.cmdline()
    return []
