"""``result`` and ``files``: what a job left."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import answers
from ..files_in import free_name
from ..job_files import JobFile
from ..states import ENDED, State
from ..store import Store
from ..store.blobs import blob_path
from .exits import BAD_END, NOT_FOUND, NOT_NOW, complain
from .following import follow
from .naming import AnyJob, AsJson, job_named
from .printing import foreign, harmless, is_terminal, note, put, say_json
from .sheets import files_table

PIECE_CHARACTERS = 1 << 20


def result(
    job: AnyJob = None,
    wait: Annotated[
        bool, typer.Option("-w", "--wait", help="Wait for the end first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a job returned.

    Text as it is, other values as JSON, what JSON cannot say as it looks. The exit code
    says how the job ended: 0 where it completed, 4 while it has not ended, else 1.
    """
    store = Store.open()
    found = job_named(store, job)
    if wait:
        follow(store, found, with_log=False, quiet=True)
    print_result(store, found, as_json=as_json)


def print_result(store: Store, job: str, *, as_json: bool) -> None:
    """Print a job's result, or why there is none.

    Raises
    ------
    typer.Exit
        If it has not ended, or ended badly.
    """
    status, answer = answers.result(store, job)
    if status["status"] not in ENDED and not as_json:
        complain(
            f"job {job} is {status['status']}, so it has no result yet; --wait waits "
            "for it"
        )
        raise typer.Exit(NOT_NOW)
    if as_json:
        _print_json(answer)
    elif status["status"] == State.COMPLETED:
        _print_value(answer, job)
    else:
        _print_end(status, answer.body["error"])
    if status["status"] not in ENDED:
        raise typer.Exit(NOT_NOW)
    if status["status"] != State.COMPLETED:
        raise typer.Exit(BAD_END)


def _print_json(answer: answers.Answer) -> None:
    if answer.blob is None:
        say_json(answer.body)
        return
    rest = json.dumps({k: v for k, v in answer.body.items() if k != "result"})
    sys.stdout.write(rest[:-1] + ', "result": ')
    _pour(answer.blob)
    sys.stdout.write("}\n")


def _pour(blob: Path) -> None:
    with blob.open(encoding="utf-8") as source:
        while piece := source.read(PIECE_CHARACTERS):
            sys.stdout.write(harmless(piece) if is_terminal() else piece)


def _print_value(answer: answers.Answer, job: str) -> None:
    body, value = answer.body, answer.body["result"]
    if answer.blob is not None and body["type"] == "str":
        value = json.loads(answer.blob.read_bytes())
    if body["exact"] and isinstance(value, str):
        typer.echo(
            "\n".join(map(foreign, value.split("\n"))) if is_terminal() else value
        )
    elif answer.blob is not None:
        _pour(answer.blob)
        typer.echo()
    elif body["exact"]:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        typer.echo(harmless(text) if is_terminal() else text)
    else:
        _print_view(body, job)


def _print_view(body: dict[str, Any], job: str) -> None:
    view = body["view"] or {}
    text = view.get("text/plain") or view.get("text/markdown")
    if not isinstance(text, str):
        text = json.dumps(view.get("application/json"), indent=2, ensure_ascii=False)
    typer.echo("\n".join(map(foreign, text.split("\n"))))
    note(
        f"this is how the {body['type']} looks; the value itself: "
        f"chutes_nb.get_job({job!r}).result()"
    )


def _print_end(status: dict[str, Any], error: dict[str, Any]) -> None:
    """Say why there is no result: the trace first, since a terminal ends at the end."""
    if error["traceback"]:
        typer.echo("\n".join(map(foreign, error["traceback"].split("\n"))), err=True)
    reason = error["reason"] or f"{error['type']}: {error['message']}"
    complain(f"job {status['job_id']} ({status['name']}) {status['status']}: {reason}")


def files(
    job: AnyJob = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="DIR", help="Save them into this folder."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only this name or number."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that are there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the files of a job, or save them.

    What cannot be saved is named, and the rest is saved all the same.
    """
    store = Store.open()
    found = job_named(store, job)
    listed = _chosen(answers.files(store, found), only or [])
    if save is not None:
        listed = _save(store, listed, save, force=force)
    if as_json:
        say_json({"files": listed})
    elif save is not None:
        for one in listed:
            typer.echo(one["saved"])
    elif listed:
        put(files_table(listed, header=True))
    else:
        note(f"job {found} left no files")


def _chosen(listed: list[dict[str, Any]], only: list[str]) -> list[dict[str, Any]]:
    """Give the files that are meant by a name or a number."""
    missing = [one for one in only if one not in {x for f in listed for x in _names(f)}]
    if missing:
        known = ", ".join(f"{one['n']} {one['name']}" for one in listed) or "none"
        raise FileNotFoundError(f"no file {', '.join(missing)}; there are: {known}")
    return [one for one in listed if not only or _names(one) & set(only)]


def _names(file: dict[str, Any]) -> set[str]:
    return {file["name"], str(file["n"])}


def _save(
    store: Store, listed: list[dict[str, Any]], folder: Path, *, force: bool
) -> list[dict[str, Any]]:
    folder.mkdir(parents=True, exist_ok=True)
    used: set[str] = set()
    saved = []
    failed = False
    for one in listed:
        place = folder / free_name(one["name"], used)
        try:
            save_file(store, one, place, force=force)
        except OSError as error:
            complain(f"{one['name']}: {error}")
            failed = True
        else:
            saved.append(one | {"saved": str(place)})
    if failed:
        for one in saved:
            typer.echo(one["saved"])
        raise typer.Exit(NOT_FOUND)
    return saved


def save_file(store: Store, file: dict[str, Any], place: Path, *, force: bool) -> None:
    """Copy a file of a job to a path.

    Raises
    ------
    OSError
        If there is something already, or the content is gone.
    """
    if not force and place.exists():
        raise FileExistsError(f"{place} is there already; --force replaces it")
    place.parent.mkdir(parents=True, exist_ok=True)
    about = {name: file[name] for name in ("name", "size", "type", "sha256")}
    JobFile(blob_path(store.blobs, file["sha256"]), **about).save(place)
