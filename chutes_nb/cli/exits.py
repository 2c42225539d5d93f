"""How a command ends: its exit code, and what is said of an error."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from ..errors import (
    AmbiguousName,
    AttemptNotFound,
    ChutesError,
    JobEnded,
    JobNotFound,
    JobNotReady,
    MoveRefused,
    StoreError,
    UnknownName,
)
from .printing import foreign, wants_escapes

OK = 0
BAD_END = 1  # the job ended badly, or the doctor found something
USAGE = 2
NOT_FOUND = 3
NOT_NOW = 4
UNUSABLE = 5
FAULT = 70  # sysexits.h: EX_SOFTWARE
INTERRUPTED = 130  # as shells have it for SIGINT

DEBUG = "CHUTES_NB_DEBUG"  # set, what nobody foresaw comes with its traceback

CODES_TOLD = (
    "Exit codes: 0 done; 1 the job ended badly, or the doctor found a problem; "
    "2 wrong usage or input; 3 no such job, attempt, name or file; 4 the job's state "
    "does not allow it (not ended yet, ended already); 5 the store or the server "
    "cannot be used; 70 a fault of chutes-nb itself; 130 interrupted by Ctrl-C."
)

# The first that fits counts, so the narrower ones stand first.
CODES: tuple[tuple[type[BaseException], int], ...] = (
    (JobNotFound, NOT_FOUND),
    (AttemptNotFound, NOT_FOUND),
    (UnknownName, NOT_FOUND),
    (AmbiguousName, USAGE),
    (FileNotFoundError, NOT_FOUND),
    (FileExistsError, USAGE),
    (JobNotReady, NOT_NOW),
    (MoveRefused, NOT_NOW),
    (JobEnded, BAD_END),
    (StoreError, UNUSABLE),
    (sqlite3.Error, UNUSABLE),
    (ChutesError, USAGE),
    (OSError, UNUSABLE),
    (ValueError, USAGE),
)


def code_of(error: BaseException) -> int | None:
    """Give the exit code of an error, None where it is one that nobody foresaw."""
    return next((code for kind, code in CODES if isinstance(error, kind)), None)


@contextmanager
def ending() -> Iterator[None]:
    """End the process as the command has ended."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            _let_go_of_stdout()
            raise typer.Exit(OK) from None
        is_own = type(error).__module__.startswith(("typer.", "click."))
        code = None if is_own else code_of(error)
        if code is None and (is_own or os.environ.get(DEBUG)):
            raise
        if code is None:
            text = f"{type(error).__name__}: {error}; this is a fault of chutes-nb"
            complain(f"{text}: {DEBUG}=1 shows where")
            raise typer.Exit(FAULT) from None
        complain(str(error))
        raise typer.Exit(code) from None


def complain(text: str) -> None:
    """Say what went wrong, where it does not mix with what was asked for."""
    lines = text.splitlines() or [""]
    typer.secho("error: ", fg="red", nl=False, err=True, color=wants_escapes())
    typer.echo("\n".join(foreign(line) for line in lines), err=True)


def _let_go_of_stdout() -> None:
    """Who reads has gone (``| head``): what is left in the buffer goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
