"""Jobs as a table which leaves out what a narrow terminal has no room for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..states import ENDED
from .printing import (
    cause,
    id_text,
    name_text,
    plain_table,
    progress_text,
    state_text,
    time_text,
    when,
)

LEAST_WHY = 20
MOST_NAME = 32

Rows = list[dict[str, Any]]


class Column(NamedTuple):
    """A column: its title, what it says of a job, and when it is left out first."""

    title: str
    cell: Callable[[dict[str, Any]], Text]
    rank: int  # 0 stays; the highest goes first


def jobs_table(rows: Rows, console: Console) -> Table:
    """Put jobs into a table that fits the console.

    Parameters
    ----------
    rows : list of dict
        StatusInfo as JSON.
    """
    now = time.time()
    columns = [
        Column("STATE", state_text, 0),
        Column("NAME", _name, 0),
        Column("ID", lambda one: id_text(one["job_id"]), 0),
        Column("PROGRESS", progress_text, 1),
        Column("TIME", lambda one: Text(time_text(one, now)), 2),
        Column("ATTEMPT", _attempt, 3),
        Column("SUBMITTED", lambda one: Text(when(one["submitted_at"])), 4),
    ]
    says = [c for c in columns if c.rank == 0 or any(c.cell(one).plain for one in rows)]
    while True:
        table = _filled(rows, says)
        rank = max(column.rank for column in says)
        if _width(table, console) <= console.width or rank == 0:
            break
        says = [column for column in says if column.rank != rank]
    if _width(table, console) > console.width:  # the last six letters name a job too
        says[2] = Column("ID", lambda one: Text(one["job_id"][-6:]), 0)
        table = _filled(rows, says)
    if console.width - _width(table, console) >= LEAST_WHY:
        _add_why(table, rows)
    return table


def _width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(width=1000)).maximum


def _filled(rows: Rows, columns: list[Column]) -> Table:
    table = plain_table(*(column.title for column in columns))
    for one in rows:
        table.add_row(*(column.cell(one) for column in columns))
    return table


def _add_why(table: Table, rows: Rows) -> None:
    """Say why jobs are in their states, in the room that is left."""
    said = [_why(one) for one in rows]
    if any(said):
        table.add_column("WHY", no_wrap=True, overflow="ellipsis")
        table.columns[-1]._cells = [Text(one) for one in said]


def _why(status: dict[str, Any]) -> str:
    if status["status"] in ENDED or status["status"] in ("queued", "retrying"):
        return cause(status)
    return status["stage"] or (status["progress"] or {}).get("message") or ""


def _name(status: dict[str, Any]) -> Text:
    name = name_text(status)
    name.truncate(MOST_NAME, overflow="ellipsis")
    return name


def _attempt(status: dict[str, Any]) -> Text:
    if status["max_attempts"] < 2 or not status["attempt"]:
        return Text()
    return Text(f"{status['attempt']} of {status['max_attempts']}")
