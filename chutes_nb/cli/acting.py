"""``cancel`` and ``rm``: what one can do with jobs, to several at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from .. import answers
from ..errors import ChutesError, MoveRefused
from ..states import ENDED
from ..store import Store
from .exits import code_of, complain
from .naming import AsJson, complete_active, complete_ended, the_only_active
from .printing import foreign, say_json

BY = "the command line"

Act = Callable[[Store, str], dict[str, Any]]


def cancel(
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...",
            help="The jobs; without one the only job that has not ended.",
            autocompletion=complete_active,
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Cancel jobs.

    A waiting job is cancelled at once; a running one is asked to stop, and killed with
    all it started when its grace is over.
    """
    store = Store.open()
    hints = jobs or [the_only_active(store)]
    _each(store, hints, _cancel, "cancelled", as_json=as_json)


def _cancel(store: Store, job: str) -> dict[str, Any]:
    accepted = store.request_cancel(job, by=BY)
    state = store.status(job)["status"]
    if not accepted:
        raise MoveRefused(job, to="cancelled", found=state)
    return {"job_id": job, "status": state, "accepted": True}


def rm(
    jobs: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...", help="The jobs.", autocompletion=complete_ended
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Forget ended jobs, with their logs, results and files.

    A job that has not ended is refused: cancel it first.
    """
    _each(Store.open(), jobs, _forget, "forgotten", as_json=as_json)


def _forget(store: Store, job: str) -> dict[str, Any]:
    return {"job_id": job, "status": answers.forget(store, job), "accepted": True}


def _each(
    store: Store, hints: list[str], act: Act, word: str, *, as_json: bool
) -> None:
    """Do something with each job; one that is refused does not keep the others."""
    code: int | None = None
    done: list[dict[str, Any]] = []
    for hint in hints:
        try:
            job = store.find(hint)
            name = store.status(job)["name"]
            one = act(store, job)
        except ChutesError as error:
            complain(str(error))
            code = code or code_of(error)
            if isinstance(error, MoveRefused):
                refused = {"job_id": job, "status": error.found, "accepted": False}
                done += [refused] if as_json else []
            continue
        done.append(one)
        if not as_json:
            is_running = word == "cancelled" and one["status"] not in ENDED
            said = "asked to stop" if is_running else word
            typer.echo(f"{job}  {foreign(name)}  {said}")
    if as_json and len(hints) > 1:
        say_json(done)
    elif as_json and done:
        say_json(done[0])
    if code is not None:
        raise typer.Exit(code)
