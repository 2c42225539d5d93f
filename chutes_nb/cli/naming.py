"""Which job a command is about, and what a shell completes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..errors import JobNotFound
from ..states import ACTIVE, ENDED, State
from ..store import Store, intake
from .printing import foreign

MOST_COMPLETIONS = 50
MOST_SHOWN = 5


def job_named(store: Store, hint: str | None) -> str:
    """Find the job that a command is about: the one named, else the newest.

    Raises
    ------
    JobNotFound
    """
    if hint is not None:
        return store.find(hint)
    newest = store.newest()
    if newest is None:
        raise JobNotFound(f"there is no job yet in {store.home}")
    return newest


def the_only_active(store: Store) -> str:
    """Return the one job that has not ended.

    Raises
    ------
    JobNotFound
        If there is none.
    typer.BadParameter
        If there are more: none of them is meant without its name.
    """
    found: list[dict[str, Any]] = []
    for state in ACTIVE:
        found += store.jobs(status=state, limit=MOST_SHOWN)[0]
    if not found:
        raise JobNotFound("there is no job that waits or runs")
    if len(found) > 1:
        known = ", ".join(f"{one['job_id']} ({one['name']})" for one in found)
        raise typer.BadParameter(f"name one of the jobs that wait or run: {known}")
    return str(found[0]["job_id"])


# -- completion: whatever goes wrong, a shell is told nothing ------------------------
def _completed(typed: str, states: frozenset[State]) -> list[tuple[str, str]]:
    try:
        store = Store.open()
        page, _ = store.jobs(limit=MOST_COMPLETIONS, text=typed or None)
        fits = [one for one in page if one["status"] in states]
        return [
            (one["job_id"], f"{foreign(one['name'])}, {one['status']}")
            for one in fits
            if one["job_id"].startswith(typed)
        ]
    except Exception:
        return []


def complete_any(incomplete: str) -> list[tuple[str, str]]:
    """Complete the id of a job, newest first."""
    return _completed(incomplete, frozenset(State))


def complete_active(incomplete: str) -> list[tuple[str, str]]:
    """Complete the id of a job that waits or runs."""
    return _completed(incomplete, ACTIVE)


def complete_ended(incomplete: str) -> list[tuple[str, str]]:
    """Complete the id of a job that has ended."""
    return _completed(incomplete, ENDED)


def complete_names(incomplete: str) -> list[tuple[str, str]]:
    """Complete the name of a job that can be submitted."""
    try:
        rows = intake.all_newest(Store.open().reader)
        found = [(str(row["name"]), f"chute {foreign(row['chute'])}") for row in rows]
        return [one for one in found if one[0].startswith(incomplete)]
    except Exception:
        return []


def complete_states(incomplete: str) -> list[str]:
    """Complete a state."""
    return [state.value for state in State if state.startswith(incomplete)]


AnyJob = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]",
        help="The job; the newest one by default.",
        autocompletion=complete_any,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
