"""``run``: a notebook as a job, with parameters."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any

import typer

from .. import answers, orders
from ..chute_facts import ChuteFacts
from ..definer import Definer
from ..files_in import clean_name
from ..notebook_run import (
    CHUTE,
    read_notebook,
    run_notebook,
    unknown_parameters,
    with_parameters,
)
from ..options import JobOptions
from ..options import parse as parse_options
from ..signatures import inspect_function
from ..states import State
from ..store import Store, intake
from .exits import BAD_END, NOT_FOUND, complain
from .following import end_of, follow
from .naming import AsJson
from .printing import note, say_json
from .results import save_file
from .submitting import ordered, tell_queued
from .values import Params, files_for, json_of, parameters


def run(
    notebook: Annotated[
        Path,
        typer.Argument(metavar="FILE.ipynb", help="The notebook.", dir_okay=False),
    ],
    params: Params = None,
    json_params: Annotated[
        str | None,
        typer.Option(
            "--params",
            metavar="JSON",
            help="Parameters as one object; - reads standard input, @FILE a file.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Save the notebook as it came out."
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("-d", "--detach", help="Print the job's id, and leave.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="Name of the job; the file's by default.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Limit of an attempt: 2h, 90m.")
    ] = None,
    cell_timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=1, help="Limit of a cell.")
    ] = None,
    retries: Annotated[
        int, typer.Option("--retry", min=0, help="Extra attempts after a failure.")
    ] = 0,
    kernel: Annotated[
        str, typer.Option(help="Name of the kernel; the notebook's own by default.")
    ] = "",
    folder: Annotated[
        Path | None,
        typer.Option(
            "--cwd",
            metavar="DIR",
            help="Where it works; the notebook's folder by default.",
            file_okay=False,
            exists=True,
        ),
    ] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A tag.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a notebook as a job, cell by cell in a kernel of its own.

    Its log and its progress are shown until it has ended; Ctrl-C stops to look, and the
    job goes on. The notebook as it came out is a file of the job, also where a cell
    failed. Parameters are set behind the cell tagged "parameters", or on top.

    The job is run by a living kernel of this Python, else by a detached host.
    """
    given = parameters(params)
    if json_params is not None:
        whole = json_of(json_params)
        if not isinstance(whole, dict):
            raise typer.BadParameter("--params takes a JSON object")
        given = whole | given
    if output is not None and detach:
        raise typer.BadParameter("--output waits for the end, and --detach does not")
    read = read_notebook(notebook)
    for said in unknown_parameters(read, given):
        note(said)
    with_parameters(read, given)  # refuses here what would be refused there
    options = {"timeout": timeout, "retry": retries, "tags": tags or []}
    store = Store.open()
    cells = [cell.source for cell in read.cells if cell.cell_type == "code"]
    source = "\n\n".join(cells)
    definition = defined(store, name or clean_name(notebook.name), source, options)
    payload = {
        "parameters": given,
        "folder": str((folder or notebook.parent).absolute()),
        "kernel": kernel,
        "cell_timeout": cell_timeout,
    }
    files = files_for(store, [f"notebook={notebook}"])
    job = ordered(store, orders.Order(definition, payload, files)).job
    if detach:
        tell_queued(store, job, wait=False, as_json=as_json)
        return
    note(f"job {job}")
    follow(store, job, quiet=as_json)
    _leave(store, job, output, as_json=as_json)


def defined(
    store: Store, name: str, source: str, options: dict[str, Any]
) -> dict[str, Any]:
    """Keep the definition of a notebook's job in the store; returns its fields.

    Parameters
    ----------
    source : str
        What is shown as the job's code: that of the notebook's cells.

    Raises
    ------
    DefinitionError
        If an option cannot be honoured.
    """
    parsed: JobOptions = parse_options({"upload": True, "name": name} | options)
    chute = ChuteFacts(CHUTE, {"username": "me", "name": CHUTE, "image": None})
    signature = inspect_function(run_notebook, upload=True)
    assert isinstance(run_notebook, FunctionType)
    definer = Definer(chute, run_notebook, name, signature, parsed)
    made = definer.definition()
    key = hashlib.sha256(f"{made.key} {source}".encode()).hexdigest()[:32]
    # Where a job failed is a place in its notebook, not in this package.
    made = replace(made, source=source, sources="{}", first_line=1)
    made = replace(made, key=key, created_at=time.time())
    with store.writing() as tx:
        intake.publish(tx, made)
    return asdict(made)


def _leave(store: Store, job: str, output: Path | None, *, as_json: bool) -> None:
    """Say how it ended, save what came out, and end the command so."""
    code = None
    status = store.status(job)
    if as_json:
        say_json(status)
    else:
        end_of(store, job)
    left = answers.files(store, job)
    if output is not None:
        made = next((one for one in left if one["name"].endswith(".ipynb")), None)
        if made is None:
            complain(f"job {job} left no notebook")
            code = NOT_FOUND
        else:
            save_file(store, made, output, force=True)
    elif left:
        note(f"chutes-nb files {job} --save . saves {left[0]['name']}")
    if status["status"] != State.COMPLETED:
        code = BAD_END
    if code is not None:
        raise typer.Exit(code)
