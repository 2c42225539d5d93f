"""The magics: a cell as a job, and what one asks of jobs from a notebook."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from pydantic import PrivateAttr

from . import answers, chute, registry
from .cell_magic import CellMagic
from .doctor import examine
from .errors import AttemptNotFound, JobNotFound, KernelGone, MoveRefused, UnknownName
from .group import list_jobs
from .job import Job
from .magic_lines import LineParser
from .model import StatusInfo
from .panel.board import JobsPanel
from .runtime import store
from .store import Store, jobs

LINE_MAGICS = ("status", "logs", "result", "cancel", "retry")
MOST_COMPLETIONS = 50
AT_ONCE_S = 0.3  # a wait that is shorter needs no word

Magic = Callable[[str], Any]


def register(shell: InteractiveShell) -> None:
    """Make the magics known to a shell."""
    cell = CellMagic(shell)
    known = shell.magics_manager
    known.register_function(cell.run, "cell", "chute_job")
    for name, magic in _line_magics().items():
        known.register_function(magic, "line", name)
    for name in LINE_MAGICS:
        key = rf"(\s*%?|.*=\s*%)chute_{name}\s"  # also behind an assignment
        shell.set_hook("complete_command", complete_ids, re_key=key)
    shell.events.register("pre_run_cell", cell.bring_back)
    _registered[id(shell)] = cell


def unregister(shell: InteractiveShell) -> None:
    """Take the magics away again."""
    cell = _registered.pop(id(shell), None)
    if cell is None:
        return
    shell.events.unregister("pre_run_cell", cell.bring_back)
    shell.magics_manager.magics["cell"].pop("chute_job", None)
    for name in _line_magics():
        shell.magics_manager.magics["line"].pop(name, None)


_registered: dict[int, CellMagic] = {}


def _line_magics() -> dict[str, Magic]:
    return {
        "chute_jobs": show_jobs,
        "chute_status": show_status,
        "chute_logs": show_logs,
        "chute_result": give_result,
        "chute_cancel": cancel,
        "chute_retry": retry,
        "chute_panel": panel,
        "chute_doctor": doctor,
    }


def _parser(name: str, about: str, *, takes_job: bool = True) -> LineParser:
    parser = LineParser(f"%{name}", about)
    if takes_job:
        parser.add_argument("job", nargs="?", help="id, its beginning or its ending")
    return parser


def _parsed(parser: LineParser, line: str) -> argparse.Namespace:
    return parser.parse_line(line)


def named_job(hint: str | None) -> Job:
    """Find the job a magic is about.

    Parameters
    ----------
    hint : str or None
        An id, its beginning or its ending. None is the last job that this kernel
        submitted and that is still there, else the newest in the store.

    Raises
    ------
    UsageError
        If there is none.
    """
    place = store()
    try:
        if hint is not None:
            return Job(place.find(hint))
    except JobNotFound as error:
        raise UsageError(str(error)) from error
    newest = _own_newest(place) or place.newest()
    if newest is None:
        raise UsageError("there is no job yet; %%chute_job on top of a cell makes one")
    return Job(newest)


def _own_newest(place: Store) -> str | None:
    """Return the last job of this kernel that nobody has deleted."""
    own = (registry.last_job(), *reversed(registry.own_jobs()))
    return next((one for one in own if one and jobs.state(place.reader, one)), None)


def complete_ids(_shell: object, event: Any) -> list[str]:
    """Complete the ids of jobs after a magic, newest first."""
    typed = event.symbol
    page, _ = store().jobs(limit=MOST_COMPLETIONS, text=typed or None)
    return [one["job_id"] for one in page if one["job_id"].startswith(typed)]


# -- the line magics ---------------------------------------------------------------
_JOBS = _parser("chute_jobs", "List jobs, newest first.", takes_job=False)
_JOBS.add_argument(
    "--status", action="append", help="only those in this state; several add up"
)
_JOBS.add_argument("--name", help="only jobs of this name")
_JOBS.add_argument("--tag", help="only those with this tag")
_JOBS.add_argument("-n", "--limit", type=int, default=20, help="at most so many")


def show_jobs(line: str) -> Any:
    """List jobs, newest first: %chute_jobs [--status S] [--name N] [--tag T] [-n K]."""
    given = vars(_parsed(_JOBS, line))
    try:
        return list_jobs(**given)
    except ValueError as error:
        raise UsageError(f"%chute_jobs: {error}") from error


_STATUS = _parser("chute_status", "Tell how a job stands.")


class JobSheet(StatusInfo):
    """How a job stands; as the last line of a cell it is what the shell prints."""

    _told: dict[str, Any] = PrivateAttr(default_factory=dict)

    def _repr_pretty_(self, printer: Any, _is_cycle: bool) -> None:
        from .cli.sheets import sheet_text  # its packages are slow to import

        printer.text(sheet_text(self._told))


def show_status(line: str) -> StatusInfo:
    """Tell how a job stands: %chute_status [ID]."""
    place = store()
    told = answers.detail(place, named_job(_parsed(_STATUS, line).job).id)
    found = JobSheet.model_validate(told["status"])
    found._told = told
    return found


_LOGS = _parser("chute_logs", "Print what a job wrote.")
_LOGS.add_argument("-f", "--follow", action="store_true", help="until the job ends")
_LOGS.add_argument("-n", "--tail", type=int, help="only so many last lines")
_LOGS.add_argument("--attempt", type=int, help="of an earlier attempt")
_LOGS.add_argument("-s", "--search", help="only lines that hold this text")


def show_logs(line: str) -> None:
    """Print what a job wrote: %chute_logs [ID] [-f] [-n N] [-s TEXT] [--attempt N]."""
    given = _parsed(_LOGS, line)
    job = named_job(given.job)
    asked = {name: vars(given)[name] for name in ("tail", "attempt", "search")}
    try:
        if given.follow:
            for one in job.logs(follow=True, **asked):
                print(one, flush=True)
            return
        text = str(job.logs(**asked))
    except (AttemptNotFound, ValueError) as error:
        raise UsageError(f"%chute_logs: {error}") from error
    print(text, end="" if text.endswith("\n") or not text else "\n")


_RESULT = _parser("chute_result", "Give what a job returned; waits for its end.")
_RESULT.add_argument("--no-wait", action="store_true", help="raise if it has not ended")


def give_result(line: str) -> Any:
    """Give what a job returned; waits for its end: %chute_result [ID] [--no-wait]."""
    given = _parsed(_RESULT, line)
    job = named_job(given.job)
    if given.no_wait:
        return job.result_now()
    if not job.wait(AT_ONCE_S):
        print(_waiting(job.info), flush=True)
    return job.result()


def _waiting(info: StatusInfo) -> str:
    """Say what is waited for."""
    before = (info.queue_position or 1) - 1
    state = f"{info.status}, {before} before it" if before else info.status
    return (
        f"waiting for job {info.name} ({state}) ...; interrupt stops the waiting, not "
        "the job"
    )


_CANCEL = _parser("chute_cancel", "Cancel a job.")


def cancel(line: str) -> bool:
    """Cancel a job; False if it had ended: %chute_cancel [ID]."""
    return named_job(_parsed(_CANCEL, line).job).cancel()


_RETRY = _parser("chute_retry", "Make a new job of an ended one.")
_RETRY.add_argument("--current", action="store_true", help="with the code as it is now")
_RETRY.add_argument("--no-resume", action="store_true", help="without its checkpoint")


def retry(line: str) -> Job:
    """Make a new job of an ended one: %chute_retry [ID] [--current] [--no-resume]."""
    given = _parsed(_RETRY, line)
    code = "current" if given.current else "same"
    try:
        return named_job(given.job).retry(code=code, resume=not given.no_resume)
    except (MoveRefused, KernelGone, UnknownName) as error:
        raise UsageError(f"%chute_retry: {error}") from error


_PANEL = _parser("chute_panel", "Show the panel of all jobs.", takes_job=False)


def panel(line: str) -> JobsPanel:
    """Show the panel of all jobs: %chute_panel."""
    _parsed(_PANEL, line)
    return chute.panel()


_DOCTOR = _parser("chute_doctor", "Say whether all is sound.", takes_job=False)
_DOCTOR.add_argument("--mend", action="store_true", help="rebuild what is damaged")


def doctor(line: str) -> None:
    """Say what this kernel's jobs stand on, and whether it is sound.

    ``%chute_doctor [--mend]`` reads the whole store; ``--mend`` puts a damaged store
    aside and rebuilds it, and adds the jobs that it has lost.
    """
    given = _parsed(_DOCTOR, line)
    for one in examine(given.mend):
        print(f"{one.area:<10} {one.text}")
        if one.fix:
            print(f"{'':<10} -> {one.fix}")
