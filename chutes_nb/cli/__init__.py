"""The command line: ``chutes-nb``, also as ``jupyter chutes``.

Each command is a function of the same name in one of the modules of this package,
which is imported when the command is called: a list of jobs should not wait for what
only a server needs.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from importlib.metadata import version
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from .exits import CODES_TOLD, ending

__all__ = ["COMMANDS", "app", "main"]


class Command(NamedTuple):
    """Where a command is, and what the list of commands says of it."""

    module: str
    about: str


COMMANDS = {
    "ls": Command("looking", "List jobs, newest first."),
    "status": Command("looking", "Show how a job stands."),
    "logs": Command("logs", "Print what a job wrote."),
    "result": Command("results", "Print what a job returned."),
    "files": Command("results", "List the files of a job, or save them."),
    "run": Command("running", "Run a notebook as a job."),
    "submit": Command("submitting", "Queue a job that a notebook has defined."),
    "cancel": Command("acting", "Cancel jobs."),
    "retry": Command("submitting", "Queue an ended job again."),
    "rm": Command("acting", "Forget ended jobs, with their logs, results and files."),
    "prune": Command("keeping", "Let go of ended jobs by age and by size."),
    "export": Command("keeping", "Copy the jobs to a SQLite file of your own."),
    "doctor": Command("examining", "Say what jobs stand on, and whether all is sound."),
    "serve": Command("serving", "Serve the HTTP API without JupyterLab."),
}


class Commands(TyperGroup):
    """Finds a command when it is called, and turns errors into messages and codes."""

    _is_listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands in the order in which they are told of."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; for a list of all of them a name and a line will do."""
        if cmd_name not in COMMANDS:
            return None
        if self._is_listing:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name].about)
        module = importlib.import_module(f".{COMMANDS[cmd_name].module}", __name__)
        single = typer.Typer(add_completion=False)
        single.command(cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(single)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help with all commands."""
        self._is_listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._is_listing = False

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete the names of commands."""
        self._is_listing = True
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self._is_listing = False

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what goes wrong is a message and a code, no traceback."""
        with ending():
            return super().invoke(ctx)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=CODES_TOLD,
    pretty_exceptions_enable=False,
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"chutes-nb {version('chutes-nb')}")
        raise typer.Exit


@app.callback()
def start(
    is_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Look at the background jobs of notebooks, and act on them, with no kernel.

    A job is named by its id, or by a beginning or an ending of it that fits no other.
    CHUTES_NB_HOME says where the jobs are kept.
    """


def main(name: str = "chutes-nb") -> None:
    """Be ``chutes-nb``."""
    _stand_in()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what it cannot say is no fault
            stream.reconfigure(errors="replace")
    app(prog_name=name)


def _stand_in() -> None:
    """Give what a shell has closed (``>&-``) a place, which nobody reads.

    The first to be opened gets the number of the stream, before another file does.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def main_of_jupyter() -> None:
    """Be ``jupyter chutes``."""
    main("jupyter chutes")
