"""``submit`` and ``retry``: jobs into the queue, with no kernel of one's own."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .. import orders
from ..errors import ChutesError
from ..states import State
from ..store import Store
from ..store.intake import KeyTaken, Queued
from ..uploads import UPLOADS, Uploads
from .following import follow
from .naming import AsJson, complete_ended, complete_names, job_named
from .printing import note, say_json
from .results import print_result
from .values import Params, files_for, json_of, parameters

Wait = Annotated[
    bool, typer.Option("-w", "--wait", help="Wait for its end, and print its result.")
]


def submit(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Name of the job, or CHUTE/NAME.",
            autocompletion=complete_names,
        ),
    ],
    payload: Annotated[
        str | None,
        typer.Argument(
            metavar="[JSON]",
            help="What it is given; - reads standard input, @FILE a file.",
            show_default=False,
        ),
    ] = None,
    params: Params = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            metavar="PARAM=PATH",
            help="A file for a parameter that takes one.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Your name for this request: repeated, it is queued once."),
    ] = None,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Queue a job that a notebook has defined.

    The payload is checked against the job's signature; its keys are the parameters.
    Where no kernel lives, a detached host is started that runs it.
    """
    store = Store.open()
    chute, _, last = name.rpartition("/")
    definition = orders.definition_named(store, last, chute or None)
    given = None if payload is None else json_of(payload)
    named = parameters(params, json.loads(definition["schema"]))
    if named:
        if given is not None and not isinstance(given, dict):
            raise typer.BadParameter("-p goes with a JSON object, or with none")
        given = (given or {}) | named
    order = orders.Order(definition, given, files_for(store, files), key)
    tell_queued(store, ordered(store, order).job, wait=wait, as_json=as_json)


def ordered(store: Store, order: orders.Order) -> Queued:
    """Queue an order; say where another one has its key.

    Raises
    ------
    ValidationFailed, ChutesError, StoreError
    """
    try:
        return orders.take_in(store, lambda: _uploads(store), order)
    except KeyTaken as error:
        raise ChutesError(
            f"another request had the key {order.key!r}, and queued job {error.job}: "
            "give each request a key of its own"
        ) from error


def _uploads(store: Store) -> Uploads:
    return Uploads(store.home / UPLOADS, store.blobs)


def tell_queued(store: Store, job: str, *, wait: bool, as_json: bool) -> None:
    """Print the id of a job that was queued, or wait and print its result."""
    if wait:
        note(f"job {job}")
        follow(store, job, with_log=False, quiet=True)
        print_result(store, job, as_json=as_json)
        return
    status = store.status(job)
    if as_json:
        say_json({"job_id": job, "status": status["status"]})
        return
    typer.echo(job)
    if status["status"] == State.QUEUED and status["reason"]:
        note(status["reason"])


def retry(
    job: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="The job; the newest one by default.",
            autocompletion=complete_ended,
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Let it find the old job's checkpoint.")
    ] = True,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Queue an ended job again.

    The new job has the same code and input, and points to the old one.
    """
    store = Store.open()
    new = orders.queue_again(store, job_named(store, job), resume)
    tell_queued(store, new, wait=wait, as_json=as_json)
