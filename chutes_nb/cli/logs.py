"""``logs``: what a job wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from typing import Annotated, Any

import typer

from ..answers import LogReader
from ..store import Store
from .following import Screened
from .naming import AnyJob, AsJson, job_named
from .printing import is_terminal, say_json, write

MOST_LINES = 100_000


def logs(
    job: AnyJob = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the job has ended.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option("-n", "--tail", min=0, max=MOST_LINES, help="Last lines only."),
    ] = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="That of this attempt.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what a job wrote: the newest attempt's log, whoever runs the job.

    With --follow the logs of the attempts that come after it as well.
    """
    store = Store.open()
    found = job_named(store, job)
    reader = LogReader(store, found, attempt)
    pieces = [] if tail is None else [store.log_tail(found, tail, attempt)]
    if pieces:
        reader.skip_to(pieces[0])
    if follow:
        say = _as_json_line if as_json else _text_writer()
        for piece in chain(pieces, reader.follow()):
            say(piece)
        return
    pieces = pieces or list(reader.read())
    if as_json:
        say_json(_joined(pieces) or store.log(found, attempt))
        return
    say = _text_writer()
    for piece in pieces:
        say(piece)


def _as_json_line(piece: dict[str, Any]) -> None:
    typer.echo(json.dumps(piece))


def _joined(pieces: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Make one stretch of several; where the log has a gap, the text tells."""
    if not pieces:
        return None
    text = "".join(_gap(one) + one["text"] for one in pieces)
    skipped = sum(one["skipped"] for one in pieces)
    return pieces[-1] | {
        "offset": pieces[0]["offset"],
        "text": text,
        "skipped": skipped,
    }


def _gap(piece: dict[str, Any]) -> str:
    skipped = piece["skipped"]
    return f"\n[{skipped:,} bytes were not kept]\n" if skipped else ""


def _text_writer() -> Callable[[dict[str, Any]], None]:
    """Write text as it is into a pipe, and what does no harm to a terminal."""
    screened = Screened() if is_terminal() else str

    def write_piece(piece: dict[str, Any]) -> None:
        write(screened(_gap(piece) + piece["text"]))

    return write_piece
