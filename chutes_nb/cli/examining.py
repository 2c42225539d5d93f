"""``doctor``: what jobs stand on, and whether all is sound."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from ..doctor import NOTE, PROBLEM, Finding, examine
from .exits import BAD_END
from .naming import AsJson
from .printing import foreign, key_table, put, say_json

MARKS = {NOTE: ("!", "yellow"), PROBLEM: ("✗", "red")}


def doctor(
    mend: Annotated[
        bool,
        typer.Option("--mend", help="Rebuild what is damaged, start who is missing."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what jobs stand on, and whether all is sound; reads the whole store.

    The exit code is 1 where there is a problem. Each comes with what mends it.
    """
    found = list(examine(mend))
    if as_json:
        say_json({"findings": [one._asdict() for one in found]})
    else:
        _print(found)
    if any(one.level == PROBLEM for one in found):
        raise typer.Exit(BAD_END)


def _print(found: list[Finding]) -> None:
    table = key_table()
    last = None
    for one in found:
        mark, tone = MARKS.get(one.level, ("", ""))
        text = Text(f"{mark} " if mark else "", style=tone)
        text.append(foreign(one.text), style="default")
        if one.fix:
            text.append(f"\n→ {foreign(one.fix)}", style="cyan")
        table.add_row("" if one.area == last else one.area, text)
        last = one.area
    put(table)
