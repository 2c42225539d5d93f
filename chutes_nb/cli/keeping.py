"""``prune`` and ``export``: keeping the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import upkeep
from ..sizes import shown_size
from .naming import AsJson
from .printing import say_json


def prune(
    older_than: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="Jobs that ended before: 30d, 12h, 90m."),
    ] = None,
    keep_bytes: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="What those that stay may take: 500 MB, 2 GB."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let go of ended jobs by age and by size.

    Their logs, results, files and checkpoints go with them. Jobs that wait or run
    always stay. Without an option only what no job needs is let go.
    """
    done = upkeep.prune(older_than, keep_bytes)
    if as_json:
        say_json(done._asdict())
        return
    typer.echo(f"{done.jobs} jobs, {done.files} files, {shown_size(done.bytes)} let go")


def export(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Of the new file.", dir_okay=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Copy the jobs to a SQLite file of your own.

    To query as you like: the store itself is no file to open. Logs and large results
    are not in it.
    """
    made = upkeep.export_db(path)
    if as_json:
        say_json({"path": str(made), "bytes": made.stat().st_size})
        return
    typer.echo(f"{made}  {shown_size(made.stat().st_size)}")
