"""``ls`` and ``status``: how jobs stand."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from .. import answers
from ..states import State
from ..store import Store
from .exits import BAD_END
from .following import follow
from .naming import AnyJob, AsJson, job_named
from .printing import TONES, console, is_terminal, note, put, say_json
from .sheets import sheet
from .tables import jobs_table

LOOK_S = 1.0
ROWS_BESIDE = 4  # of a watched list: its header, the counts, a line between, the cursor


def ls(
    status: Annotated[
        list[State] | None,
        typer.Option(
            "-s", "--status", help="Only in this state; several, each by a -s, add up."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only of this name.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag.")] = None,
    chute: Annotated[
        str | None, typer.Option(help="Only of this chute, or USERNAME-CHUTE.")
    ] = None,
    text: Annotated[
        str | None, typer.Option("-q", "--search", help="Only with this in name or id.")
    ] = None,
    limit: Annotated[
        int, typer.Option("-n", "--limit", min=1, help="At most so many.")
    ] = 20,
    before: Annotated[
        int | None,
        typer.Option(min=1, help='Older ones: the "next" of what --json printed.'),
    ] = None,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Go on looking, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    store = Store.open()
    filters: dict[str, Any] = {"status": status, "name": name, "tag": tag}
    filters |= {"text": text, "limit": limit, "before": before}
    if watch:
        _watch(store, chute, filters, as_json)
        return
    found = answers.page(store, chute, filters)
    if as_json:
        say_json(found)
        return
    screen = console()
    if found["jobs"]:
        put(jobs_table(found["jobs"], screen))
    else:
        note("no job fits" if any(found["counts"].values()) else "there is no job yet")
    if is_terminal() and sum(found["counts"].values()):
        put(_counted(found), style="dim")


def _counted(found: dict[str, Any]) -> Text:
    """Count the jobs of each state, and say where there are more than shown."""
    text = Text("\n")
    counted = [(state, n) for state, n in found["counts"].items() if n]
    for state, n in counted:
        text.append(f"{n} ").append(state, style=TONES.get(state, "")).append("  ")
    if found["next"] is not None and sum(n for _, n in counted) > len(found["jobs"]):
        text.append(f"(shown are {len(found['jobs'])}; -n shows more)")
    return text


def _watch(
    store: Store, chute: str | None, filters: dict[str, Any], as_json: bool
) -> None:
    if as_json or not is_terminal():
        raise typer.BadParameter(
            "--watch draws in a terminal; in a pipe use ls --json, or logs -f"
        )
    screen = console()
    with Live(console=screen, auto_refresh=False) as live:
        while True:
            rev = store.rev()
            room = max(1, screen.height - ROWS_BESIDE)
            bounds = {"limit": min(filters["limit"], room)}
            found = answers.page(store, chute, filters | bounds)
            live.update(_screen(found, screen), refresh=True)
            store.wait(rev, LOOK_S)


def _screen(found: dict[str, Any], screen: Console) -> Group:
    counted = _counted(found)
    counted.stylize("dim")
    return Group(jobs_table(found["jobs"], screen), counted)


def status(
    job: AnyJob = None,
    follow_on: Annotated[
        bool, typer.Option("-f", "--follow", help="Show its life until it has ended.")
    ] = False,
    in_detail: Annotated[
        bool, typer.Option("--detail", help="With its moves, inputs, state and code.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show how a job stands.

    With --follow the exit code says how it ended: 0 where it completed, else 1.
    """
    store = Store.open()
    found = job_named(store, job)
    if follow_on:
        follow(store, found, with_log=False, quiet=as_json)
    told = answers.detail(store, found)
    if as_json:
        say_json(told if in_detail else told["status"])
    else:
        put(sheet(told, in_detail=in_detail))
    if follow_on and told["status"]["status"] != State.COMPLETED:
        raise typer.Exit(BAD_END)
