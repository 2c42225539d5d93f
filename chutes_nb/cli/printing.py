"""What is printed: colours in a terminal, plain aligned text in a pipe, JSON."""

from __future__ import annotations

import json
import os
import sys
import time
import unicodedata
from datetime import datetime
from typing import IO, Any

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ..states import ENDED
from ..wording import duration, plain

UNBOUND = 100_000  # columns where nobody sees a right edge
NARROW = 80
BAR_CELLS = 12
STEERING = ("Cc", "Cf", "Zl", "Zp")  # controls, and what turns or breaks a line
DUMB = ("dumb", "unknown")  # terminals that rich writes no escapes to

TONES = {
    "queued": "bright_black",
    "running": "blue",
    "retrying": "yellow",
    "completed": "green",
    "failed": "red",
    "timeout": "red",
    "cancelled": "bright_black",
    "interrupted": "yellow",
}
DOTS = {"queued": "○", "retrying": "◌"}


def console(file: IO[str] | None = None) -> Console:
    """Return a console on what standard output is now.

    A pipe has no width: nothing is cut or wrapped there.
    """
    file = file or sys.stdout
    width = None if file.isatty() else UNBOUND
    return Console(file=file, highlight=False, markup=False, emoji=False, width=width)


def put(what: RenderableType, style: str | None = None) -> None:
    """Print something drawn; a pipe gets no blanks at the ends of lines."""
    screen = console()
    if is_terminal():
        screen.print(what, style=style)
        return
    with screen.capture() as drawn:
        screen.print(what, style=style)
    typer.echo("\n".join(line.rstrip() for line in drawn.get().split("\n")), nl=False)


def is_terminal() -> bool:
    """Whether somebody looks."""
    return sys.stdout.isatty()


def foreign(text: str) -> str:
    """Make one line of text that is not ours: it cannot steer the terminal."""
    text = plain(str(text)).replace("\n", " ")
    return "".join(c for c in text if c.isprintable() or c == "\t")


def say_json(value: Any) -> None:
    """Print JSON: indented for people, one line for programs."""
    indent = 2 if is_terminal() else None
    text = json.dumps(value, indent=indent, ensure_ascii=not can_say("é"))
    typer.echo(harmless(text) if is_terminal() else text)


def harmless(text: str) -> str:
    """Escape what JSON lets stand in texts and a terminal would act upon.

    Whoever reads it as JSON reads the same.
    """
    acts = {one for one in set(text) if unicodedata.category(one) in STEERING}
    return text.translate({ord(one): json.dumps(one)[1:-1] for one in acts - {"\n"}})


def write(text: str) -> None:
    """Print text as it is: in a pipe to the letter, with the colours it has."""
    sys.stdout.write(text)
    sys.stdout.flush()


def can_say(text: str) -> bool:
    """Whether standard output can show a text."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def wants_escapes() -> bool | None:
    """Whether typer may use colours: no, or (None) in a terminal; as rich has it."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") in DUMB
    return False if is_plain else None


def note(text: str) -> None:
    """Say something beside what was asked for."""
    typer.secho(foreign(text), dim=True, err=True, color=wants_escapes())


# -- parts ---------------------------------------------------------------------------
def state_text(status: dict[str, Any], *, with_more: bool = True) -> Text:
    """State as a dot and a word; ASCII where the output knows no dot.

    Parameters
    ----------
    with_more : bool
        Whether it is asked to stop, and whether its result reports a failure.
    """
    state = status["status"]
    dot = DOTS.get(state, "●")
    text = Text(f"{dot} " if can_say(dot) else "", style=TONES.get(state, ""))
    text.append(state)
    if not with_more:
        return text
    if status["cancel_requested"] and state not in ENDED:
        text.append(", stopping…" if can_say("…") else ", stopping", style="yellow")
    if status["reported_failure"]:
        text.append(", reported failure", style="yellow")
    return text


def id_text(job_id: str) -> Text:
    """Id with the end that is enough to name it."""
    return Text.assemble((job_id[:-6], "bright_black"), job_id[-6:])


def name_text(status: dict[str, Any]) -> Text:
    """Name of a job."""
    return Text(foreign(status["name"]), style="bold")


def progress_text(status: dict[str, Any], cells: int = BAR_CELLS) -> Text:
    """Bar and share, or what has been counted; empty where nothing is known."""
    progress = status["progress"] or {}
    if status["status"] in ENDED or not progress:
        return Text()
    share, done = progress.get("fraction"), progress.get("done")
    if share is None:
        return Text("" if done is None else f"{done:g} {progress.get('unit') or ''}")
    full = min(cells, max(0, int(share * cells + 1e-9)))
    mark, rest = ("━", "─") if can_say("━") else ("#", "-")
    return Text.assemble(
        (mark * full, "blue"),
        (rest * (cells - full), "bright_black"),
        f" {int(share * 100 + 1e-9):3d} %",
    )


def time_text(status: dict[str, Any], now: float | None = None) -> str:
    """How long a job ran, or runs, and how much is left where that is known."""
    began, ended = status["started_at"], status["finished_at"]
    if began is None:
        return ""
    spent = duration((ended or now or time.time()) - began)
    left = (status["progress"] or {}).get("eta_s")
    if ended is not None or left is None:
        return spent
    return f"{spent}, {duration(left)} left"


def when(seconds: float | None) -> str:
    """Time of day, with the date where that is another."""
    if seconds is None:
        return ""
    at, now = datetime.fromtimestamp(seconds), datetime.now()
    if at.date() == now.date():
        return at.strftime("%H:%M:%S")
    return at.strftime("%Y-%m-%d %H:%M")


def cause(status: dict[str, Any]) -> str:
    """Why a job is in its state, in one line."""
    error, reason = status["error"], status["reason"] or ""
    if error and (status["status"] == "failed" or not reason):
        said = foreign(error["message"])
        return f"{foreign(error['type'])}: {said}" if said else foreign(error["type"])
    return foreign(reason)


def plain_table(*columns: str, header: bool = True) -> Table:
    """Return a table without lines: two blanks between columns."""
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        show_header=header,
        header_style="bright_black",
    )
    for name in columns:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    return table


def key_table() -> Table:
    """Return a table of names and values."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    return table
