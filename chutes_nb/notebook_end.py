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
from .states import State

MOST_FILES = 200
SUFFIX = ".ipynb"
FAILED = (State.FAILED, State.TIMEOUT, State.INTERRUPTED)
SKIPPED_TAG = "skip-execution"  # what nbclient calls it
INJECTED = "# Parameters"  # how a cell begins that papermill has put in


def watch() -> None:
    """Look after each cell whether it was the last; only in IPython."""
    shell = showing.current_shell()
    if shell is None:
        return
    with contextlib.suppress(ValueError):
        shell.events.unregister("post_run_cell", after_cell)
    shell.events.register("post_run_cell", after_cell)


def after_cell(result: Any) -> None:
    """Bring the cards up to date; at the notebook's end wait for the jobs first."""
    if not showing.is_headless():
        return
    shell = showing.current_shell()
    ids = registry.own_jobs()
    if ids and result.success and runtime.waits_headless() and may_be_last(shell):
        store = runtime.store()
        own = [Job(one, store) for one in ids if _is_there(one)]
        for job in own:
            job.wait()
        error = failure(own)
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


# -- which cell is the last ------------------------------------------------------
def may_be_last(shell: Any) -> bool:
    """Whether the cell that has just run is the notebook's last, as far as is known."""
    run = [one.strip() for one in shell.history_manager.input_hist_raw[1:]]
    run = [one for one in run if one]
    for path in candidates():
        cells = code_cells(path)
        for ran in (run, without_injected(run)):
            if ran and cells[: len(ran)] == ran:
                return len(cells) == len(ran)
    return True


def without_injected(run: list[str]) -> list[str]:
    """Leave out the cell that papermill has put in, as the notebook has none."""
    at = next((n for n, one in enumerate(run) if one.startswith(INJECTED)), None)
    return run if at is None else run[:at] + run[at + 1 :]


def code_cells(path: Path) -> list[str]:
    """Sources of the cells of a notebook's file that are run; none if it is none."""
    try:
        notebook = json.loads(path.read_text("utf-8"))
        cells = [one for one in notebook["cells"] if one["cell_type"] == "code"]
        return [
            source
            for one in cells
            if (source := "".join(one["source"]).strip())
            and SKIPPED_TAG not in one["metadata"].get("tags", ())
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


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
