"""Jobs as a table which leaves out what a narrow terminal has no room for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..states import ENDED
from .printing import (
    UNBOUND,
    cause,
    foreign,
    id_text,
    name_text,
    plain_table,
    progress_text,
    state_text,
    time_text,
    when,
)

LEAST_WHY = 24
MOST_WHY = 80  # in a pipe, where nothing else is cut
MOST_NAME = 24
GAP = 2  # between two columns

Rows = list[dict[str, Any]]
Cells = dict[str, Callable[[dict[str, Any]], Text]]


def jobs_table(rows: Rows, console: Console) -> Table:
    """Put jobs into a table that fits the console.

    Parameters
    ----------
    rows : list of dict
        StatusInfo as JSON.
    """
    now = time.time()
    cells: Cells = {
        "STATE": _state,
        "ID": lambda one: id_text(one["job_id"]),
        "NAME": name_text,
        "PROGRESS": progress_text,
        "TIME": lambda one: Text(time_text(one, now)),
        "ATTEMPT": _attempt,
        "SUBMITTED": lambda one: Text(when(one["submitted_at"])),
    }
    says = {
        t: cell for t, cell in cells.items() if any(cell(one).plain for one in rows)
    }
    whys = [Text(_why(one)) for one in rows]
    least = LEAST_WHY if any(whys) else 0
    for narrower in (_as_it_is, *NARROWER):
        narrower(says)
        table = _filled(rows, says)
        room = console.width - _width(table, console)
        if room >= least:
            break
    if console.width == UNBOUND:  # a cause may have any length, and rows are read
        room = MOST_WHY + GAP
    if room >= LEAST_WHY and any(whys):
        table.add_column("WHY", no_wrap=True, overflow="ellipsis")
        for why in whys:
            why.truncate(room - GAP, overflow="ellipsis")
        table.columns[-1]._cells = list(whys)
    return table


def _as_it_is(_cells: Cells) -> None:
    """Leave all columns."""


def _leave_out(title: str) -> Callable[[Cells], None]:
    def leave_out(cells: Cells) -> None:
        cells.pop(title, None)

    return leave_out


def _shorten_ids(cells: Cells) -> None:
    """Give the last six letters, which name a job too."""
    cells["ID"] = lambda one: Text(one["job_id"][-6:])


def _shorten_names(cells: Cells) -> None:
    cells["NAME"] = _short_name


# What is done, one after the other, until the table fits.
NARROWER: tuple[Callable[[Cells], None], ...] = (
    _leave_out("SUBMITTED"),
    _shorten_ids,
    _shorten_names,
    _leave_out("ATTEMPT"),
    _leave_out("TIME"),
    _leave_out("PROGRESS"),
)


def _width(table: Table, console: Console) -> int:
    options = console.options.update(width=UNBOUND)
    return console.measure(table, options=options).maximum


def _filled(rows: Rows, cells: Cells) -> Table:
    table = plain_table(*cells)
    for column, title in zip(table.columns, cells, strict=True):
        if title in ("STATE", "ID"):  # of what is left only names may be cut
            column.min_width = max([2, *(len(cells[title](one)) for one in rows)])
    for one in rows:
        table.add_row(*(cell(one) for cell in cells.values()))
    return table


def _why(status: dict[str, Any]) -> str:
    if status["cancel_requested"] and status["status"] not in ENDED:
        return "stopping"
    if status["reported_failure"]:
        return "reported failure"
    if status["status"] == "running":
        progress = status["progress"] or {}
        return foreign(status["stage"] or progress.get("message") or "")
    return cause(status)


def _state(status: dict[str, Any]) -> Text:
    return state_text(status, with_more=False)


def _short_name(status: dict[str, Any]) -> Text:
    name = name_text(status)
    name.truncate(MOST_NAME, overflow="ellipsis")
    return name


def _attempt(status: dict[str, Any]) -> Text:
    if status["max_attempts"] < 2 or not status["attempt"]:
        return Text()
    return Text(f"{status['attempt']} of {status['max_attempts']}")
