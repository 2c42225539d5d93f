"""What is typed as JSON, as ``NAME=VALUE``, and as a file for a parameter."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..checking import check
from ..errors import ValidationFailed
from ..files_in import FileRef, take_in
from ..store import Store

FILE_FIELDS = ("name", "size", "type", "sha256")

Params = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        help="A parameter; the value is JSON, or else text.",
    ),
]


def json_of(text: str) -> Any:
    """Read JSON as it is typed: the text itself, ``-`` for what is piped, ``@FILE``.

    Raises
    ------
    typer.BadParameter
    """
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).expanduser().read_text("utf-8")
        return json.loads(text, parse_constant=_no_constant)
    except OSError as error:
        raise typer.BadParameter(f"{text[1:]} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(
            f"no JSON: {error}; write it in quotes, as in '{{\"epochs\": 3}}'"
        ) from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def parameters(
    pairs: list[str] | None, schema: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Read parameters: ``epochs=3`` is a number, ``mode=fast`` a text.

    Parameters
    ----------
    schema : dict, optional
        Of the job that is given them: ``version=3`` is a text where it wants one.

    Raises
    ------
    typer.BadParameter
    """
    found: dict[str, Any] = {}
    for pair in pairs or ():
        name, value = _halves(pair, "-p")
        try:
            found[name] = json.loads(value, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            found[name] = value
        if schema and not _fits(schema, name, found[name]):
            # What fits neither way is refused as what it was read as.
            found[name] = value if _fits(schema, name, value) else found[name]
    return found


def _fits(schema: dict[str, Any], name: str, value: Any) -> bool:
    known = schema.get("properties", {})
    one = schema | {"required": [], "properties": {name: known.get(name, {})}}
    try:
        check(one, {name: value})
    except ValidationFailed:
        return False
    return True


def files_for(store: Store, pairs: list[str] | None) -> dict[str, list[dict[str, Any]]]:
    """Take files for parameters into the store.

    Parameters
    ----------
    pairs : list of str
        ``PARAMETER=PATH``; one parameter may have several.

    Raises
    ------
    typer.BadParameter, ValidationFailed
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for pair in pairs or ():
        name, path = _halves(pair, "--file")
        ref = take_in(Path(path), "file", store.blobs, parameter=name)
        assert isinstance(ref, FileRef)  # one path is one file
        found.setdefault(name, []).append(
            {field: getattr(ref, field) for field in FILE_FIELDS}
        )
    return found


def _halves(pair: str, option: str) -> tuple[str, str]:
    name, found, value = pair.partition("=")
    if not found or not name.strip():
        raise typer.BadParameter(f"{option} {pair}: write {option} NAME=VALUE")
    return name.strip(), value
