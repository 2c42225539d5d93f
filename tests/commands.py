"""The command line, called in this process and as a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from typer.testing import CliRunner

from chutes_nb import Chute, publishing
from chutes_nb.cli import app

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Said:
    """What a command said, and how it ended."""

    code: int
    out: Any
    err: Any

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """What it printed, without colours."""
        return ESCAPES.sub("", self.out).splitlines()


def called(*arguments: str, given: str | None = None) -> Said:
    """Call a command in this process; a fault of its own is the test's."""
    os.environ["CHUTES_NB_DEBUG"] = "1"
    found = CliRunner().invoke(app, list(arguments), input=given)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Said(found.exit_code, found.stdout, found.stderr)


def define(function: Callable[..., Any], **options: Any) -> None:
    """Let the store know a job by its name, as a cell does; nobody runs it yet."""
    made = Chute(username="me", name="tests").job(**options)(function)
    publishing.publish(made.definer)


def start(*arguments: str, **how: Any) -> subprocess.Popen[Any]:
    """Start a command as a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-m", "chutes_nb", *arguments]
    return subprocess.Popen(command, **pipes | how)


def run(*arguments: str, wait_s: float = 150.0, **how: Any) -> Said:
    """Run a command as a process of its own, to its end."""
    process = start(*arguments, **how)
    out, err = process.communicate(timeout=wait_s)
    return Said(process.returncode, out, err)


def write_notebook(path: Path, *cells: str | tuple[str, str], **metadata: Any) -> Path:
    """Write a notebook; a cell may come with a tag."""
    made = nbformat.v4.new_notebook()
    for cell in cells:
        source, tag = cell if isinstance(cell, tuple) else (cell, "")
        one = nbformat.v4.new_code_cell(source)
        one.metadata["tags"] = [tag] if tag else []
        made.cells.append(one)
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    made.metadata["kernelspec"] = kernel | metadata
    nbformat.write(made, path)
    return path
