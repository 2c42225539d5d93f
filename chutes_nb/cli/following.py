"""A job while it goes on: its log and its state, until it has ended."""

from __future__ import annotations

import re
import sys
from typing import Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from ..answers import LogReader
from ..states import ENDED, State
from ..store import Store
from .exits import INTERRUPTED
from .printing import (
    cause,
    console,
    foreign,
    name_text,
    note,
    progress_text,
    state_text,
    time_text,
    write,
)

LOOK_S = 0.5
# Of what a job wrote, a terminal gets colours, and moves within what it shows.
KEPT_ESCAPE = re.compile(r"\x1b\[[0-9;:]*[mABCDGJK]")
ESCAPE = re.compile(
    r"\x1b(?:\[[0-9;:?<=>]*[ -/]*[@-~]|[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[\]P^_X])"
)
OPEN_ESCAPE = re.compile(r"\x1b(?:\[[0-9;:?<=>]*[ -/]*|[\]P^_X][^\x07\x1b]*\x1b?)?\Z")
UNSEEN = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
MOST_OPEN = 4096  # of a sequence that never ends


class Screened:
    """Passes a log on to a terminal without what could steer more than its text."""

    def __init__(self) -> None:
        self._open = ""

    def __call__(self, text: str) -> str:
        """Take the next piece; a sequence that is cut off waits for its rest."""
        text, self._open = self._open + text, ""
        cut = OPEN_ESCAPE.search(text)
        if cut and len(cut[0]) < MOST_OPEN:
            text, self._open = text[: cut.start()], cut[0]
        kept = ESCAPE.sub(
            lambda one: one[0] if KEPT_ESCAPE.fullmatch(one[0]) else "", text
        )
        return UNSEEN.sub("", kept)


def follow(
    store: Store, job: str, *, with_log: bool = True, quiet: bool = False
) -> None:
    """Show a job until it has ended; Ctrl-C stops to look, and the job goes on.

    Parameters
    ----------
    with_log : bool
        Print what it writes: to standard output, where ``quiet`` does not keep that
        for something else.
    quiet : bool
        Print nothing to standard output.

    Raises
    ------
    typer.Exit
        After Ctrl-C.
    """
    with_log = with_log and not quiet
    is_seen = sys.stderr.isatty() and (sys.stdout.isatty() or not with_log)
    try:
        if is_seen:
            _draw(store, job, with_log=with_log)
        elif with_log:
            for piece in LogReader(store, job).follow():
                write(piece["text"])
        else:
            _wait(store, job)
    except KeyboardInterrupt:
        note(
            f"job {job} goes on: chutes-nb logs -f {job} looks again, "
            f"chutes-nb cancel {job} ends it"
        )
        raise typer.Exit(INTERRUPTED) from None


def _wait(store: Store, job: str) -> None:
    while not store.has_ended(job):
        store.wait(store.rev(), LOOK_S)


def _draw(store: Store, job: str, *, with_log: bool) -> None:
    """Draw the job's state below the lines of its log."""
    screen = console(sys.stderr)
    lines = _Lines(screen, LogReader(store, job)) if with_log else None
    live = Live(console=screen, auto_refresh=False, transient=True)
    with live:
        while True:
            rev, status = store.rev(), store.status(job)
            live.update(_line(status), refresh=True)
            if lines is not None:
                lines.read()
            if status["status"] in ENDED:
                break
            store.wait(rev, LOOK_S)
    if lines is not None:
        lines.end()


def _line(status: dict[str, Any]) -> Text:
    parts = [state_text(status), name_text(status), progress_text(status)]
    message = (status["progress"] or {}).get("message") or status["stage"] or ""
    waits = cause(status) if status["status"] != "running" else ""
    parts += [Text(time_text(status)), Text(foreign(message or waits), style="dim")]
    line = Text("  ").join(part for part in parts if part.plain)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


class _Lines:
    """Prints the whole lines of a log above what is drawn live."""

    def __init__(self, screen: Console, reader: LogReader) -> None:
        self._screen, self._reader = screen, reader
        self._screened, self._rest = Screened(), ""

    def read(self) -> None:
        """Print what is new."""
        for piece in self._reader.read():
            self._print(piece["text"])

    def _print(self, text: str) -> None:
        *lines, self._rest = (self._rest + self._screened(text)).split("\n")
        if lines:
            folded = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
            self._screen.print(Text.from_ansi(folded))

    def end(self) -> None:
        """Print the line that has no end."""
        if self._rest:
            self._screen.print(Text.from_ansi(self._rest.rpartition("\r")[2]))


def end_of(store: Store, job: str) -> dict[str, Any]:
    """Say how a job has ended.

    Returns
    -------
    dict
        Its StatusInfo.
    """
    status = store.status(job)
    parts = [state_text(status), name_text(status), Text(job), Text(time_text(status))]
    if status["status"] != State.COMPLETED:
        parts.append(Text(cause(status)))
    console(sys.stderr).print(Text("  ").join(part for part in parts if part.plain))
    return status
