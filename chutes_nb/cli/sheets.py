"""All that is known of one job, on one sheet."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..sizes import shown_size
from ..states import ENDED
from ..wording import duration, span
from .printing import (
    TONES,
    cause,
    foreign,
    harmless,
    key_table,
    name_text,
    plain_table,
    progress_text,
    state_text,
    time_text,
    when,
)

MOST_POINTS = 6
BAR_CELLS = 24
TEXT_WIDTH = 100


def sheet(told: dict[str, Any], *, in_detail: bool = False) -> Group:
    """Draw a job.

    Parameters
    ----------
    told : dict
        What ``answers.detail`` gives.
    in_detail : bool
        With moves, inputs, state and code.
    """
    status = told["status"]
    parts: list[RenderableType] = [_head(status), _facts(status, told)]
    if status["status"] in ENDED and (said := cause(status)):
        parts.append(_cause(status, said))
    if len(told["attempts"]) > 1:
        parts.append(_titled("attempts", _attempts(told["attempts"])))
    if told["metrics"]:
        parts.append(_titled("metrics", _metrics(told["metrics"])))
    if told["files"]:
        parts.append(_titled("files", files_table(told["files"])))
    if in_detail:
        parts += _details(told)
    return Group(*parts)


def sheet_text(told: dict[str, Any]) -> str:
    """Draw a job as text without colours, for a notebook."""
    drawn = StringIO()
    screen = Console(
        file=drawn,
        width=TEXT_WIDTH,
        highlight=False,
        color_system=None,
        force_jupyter=False,  # else rich shows it itself, where it finds a notebook
    )
    screen.print(sheet(told))
    return "\n".join(line.rstrip() for line in drawn.getvalue().splitlines())


def _titled(title: str, body: RenderableType) -> Group:
    return Group(
        Text(f"\n{title}", style="bright_black"),
        Padding(body, (0, 0, 0, 2), expand=False),
    )


def _head(status: dict[str, Any]) -> Text:
    return Text("  ").join([state_text(status), name_text(status), _id(status)])


def _id(status: dict[str, Any]) -> Text:
    return Text(status["job_id"])


def _facts(status: dict[str, Any], told: dict[str, Any]) -> Padding:
    table = key_table()
    for name, value in _named_facts(status).items():
        if value:
            table.add_row(name, value)
    if told["result"] is not None:
        table.add_row("result", _result(told["result"]))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _named_facts(status: dict[str, Any]) -> dict[str, Text | str]:
    state, tries = status["status"], status["max_attempts"]
    attempt = status["attempt"]
    waits = state not in ENDED and state != "running"
    place = status["queue_position"]
    where = foreign(status["notebook"] or "")
    if status["cell"] is not None:
        where = f"{where}, cell [{status['cell']}]" if where else f"[{status['cell']}]"
    limit = status["timeout_s"]
    return {
        "chute": foreign(status["chute"]),
        "progress": _progress(status),
        "stage": foreign(status["stage"] or ""),
        "time": time_text(status),
        "attempt": f"{attempt} of {tries}" if attempt and tries > 1 else "",
        "queue": f"number {place}" if place else "",
        "waits": cause(status) if waits else "",
        "next try": when(status["next_attempt_at"]),
        "timeout": "" if limit is None else span(limit),
        "submitted": when(status["submitted_at"]),
        "notebook": where,
        "tags": foreign(", ".join(status["tags"])),
        "again of": status["retry_of"] or "",
    }


def _progress(status: dict[str, Any]) -> Text:
    text = progress_text(status, BAR_CELLS)
    progress = status["progress"] or {}
    if not text.plain:
        return text
    done, total = progress.get("done"), progress.get("total")
    if done is not None and total is not None:
        unit = f" {foreign(progress['unit'])}" if progress.get("unit") else ""
        text.append(f"  {done:g} of {total:g}{unit}")
    if progress.get("message"):
        text.append(f"  {foreign(progress['message'])}", style="dim")
    return text


def _result(result: dict[str, Any]) -> str:
    kind = "" if result["exact"] else f"{foreign(result['type'])}: "
    view = result["view"]
    text = view.get("text/plain")
    if not isinstance(text, str):
        text = json.dumps(view.get("application/json"), ensure_ascii=False)
    lines = text.strip().splitlines()
    more = "" if len(lines) < 2 else f" … ({len(lines)} lines)"
    return f"{kind}{foreign(lines[0]) if lines else ''}{more}"


def _cause(status: dict[str, Any], said: str) -> Padding:
    text = Text(said, style=f"bold {TONES[status['status']]}")
    error = status["error"]
    reason = foreign(status["reason"] or "")
    rest = [] if not reason or reason in said else [reason]
    if error and error.get("line") is not None:
        cell = error.get("cell") or status["cell"]
        place = error.get("file") or (f"cell [{cell}]" if cell else "")
        rest.append(f"line {error['line']}" + (f" of {place}" if place else ""))
    for one in rest:
        text.append(f"\n{one}", style="not bold default")
    for number, line in (error or {}).get("source") or ():
        is_it = number == error["line"]
        style = "not bold default" if is_it else "not bold dim default"
        text.append(f"\n{'>' if is_it else ' '} {number:>3} {foreign(line)}", style)
    return Padding(text, (1, 0, 0, 2), expand=False)


def _attempts(attempts: list[dict[str, Any]]) -> Table:
    table = plain_table("n", "state", "began", "time", header=False)
    table.add_column(overflow="fold")
    for one in attempts:
        ended = one["finished_at"]
        spent = "" if ended is None else duration(ended - one["started_at"])
        shown = {"cancel_requested": False, "reported_failure": False} | one
        state, began = state_text(shown), when(one["started_at"])
        table.add_row(str(one["number"]), state, began, spent, cause(one))
    return table


def _metrics(metrics: dict[str, list[tuple[float | None, float | None]]]) -> Table:
    table = plain_table("name", header=False)
    table.add_column(overflow="fold")
    for name, points in metrics.items():
        values = [value for _, value in points if value is not None]
        if values:
            course = Text("", style="dim")
            for one in values[-MOST_POINTS:-1]:
                course.append(f"{one:.4g}  ")
            table.add_row(foreign(name), course.append(f"{values[-1]:.6g}", "not dim"))
    return table


def files_table(files: list[dict[str, Any]], *, header: bool = False) -> Table:
    """Put the files of a job into a table."""
    table = plain_table("N", "SIZE", "NAME", "TYPE", header=header)
    table.columns[0].justify = table.columns[1].justify = "right"
    table.columns[2].overflow = "fold"
    table.columns[2].no_wrap = False
    for one in files:
        kind = Text(foreign(one["type"]), style="dim")
        table.add_row(
            str(one["n"]), shown_size(one["size"]), foreign(one["name"]), kind
        )
    return table


def _details(told: dict[str, Any]) -> list[RenderableType]:
    parts: list[RenderableType] = [_titled("moves", _moves(told["moves"]))]
    for title in ("inputs", "state"):
        if told[title]:
            text = json.dumps(told[title], indent=2, ensure_ascii=False)
            parts.append(_titled(title, Text(harmless(text))))
    if told["source"]:
        lines = told["source"].rstrip().splitlines()
        parts.append(_titled("code", Text("\n".join(map(foreign, lines)))))
    return parts


def _moves(moves: list[dict[str, Any]]) -> Table:
    table = plain_table("at", "to", header=False)
    table.add_column(overflow="fold")
    for one in moves:
        state = Text(one["to"], style=TONES.get(one["to"], ""))
        table.add_row(when(one["at"]), state, foreign(one["reason"] or ""))
    return table
