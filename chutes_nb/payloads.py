"""A payload from outside as the store keeps it, until a worker binds it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .codec import decode
from .files_in import FileRef
from .store.blobs import blob_path
from .store.following import RESULT_MARK

PAYLOAD = "payload"  # the kind of such an input


def body(arguments: dict[str, Any], files: dict[str, Any]) -> bytes:
    """Write a payload for a worker to bind.

    Parameters
    ----------
    arguments : dict of str to JSON value
        By parameter; a JSON schema has found nothing wrong with them.
    files : dict of str to (dict or list of dict)
        Files in the store by parameter: ``name``, ``size``, ``type``, ``sha256``.
    """
    return json.dumps({"arguments": arguments, "files": files}).encode()


def read(text: bytes, blobs: Path) -> Any:
    """Read what ``body`` wrote, values and ``FileRef`` by parameter; or a result."""
    if text.startswith(RESULT_MARK):
        return _result(text[len(RESULT_MARK) :], blobs)
    found = json.loads(text)
    files = {name: _refs(said, blobs) for name, said in found["files"].items()}
    return dict(found["arguments"] | files)


def _result(text: bytes, blobs: Path) -> Any:
    """Read another job's result, as ``store.following.payload`` wrote it."""
    line, _, value = text.partition(b"\n")
    told = json.loads(line)
    if told["blob"] is not None:
        value = blob_path(blobs, told["blob"]).read_bytes()
    return decode(told["kind"], value)


def _refs(said: Any, blobs: Path) -> FileRef | list[FileRef]:
    if isinstance(said, list):
        return [_ref(one, blobs) for one in said]
    return _ref(said, blobs)


def _ref(said: dict[str, Any], blobs: Path) -> FileRef:
    return FileRef(**said, path=str(blob_path(blobs, said["sha256"])))


def payload_of(
    job: str,
    names: Sequence[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    has_more: bool = False,
) -> Any:
    """Make a payload of what ``submit`` of a job function was given.

    Parameters
    ----------
    job : str
        Name of the job.
    names : sequence of str
        Its parameters without ``self``.
    args, kwargs
        A single dict among ``args``, or the value of a single parameter, is the
        payload itself.
    has_more : bool
        Whether the function has ``*args`` that a job cannot be given.

    Raises
    ------
    TypeError
        If there are more arguments than parameters, or one is given twice.
    """
    if not args:
        return kwargs
    is_whole = len(names) < 2 or isinstance(args[0], Mapping)
    if len(args) == 1 and not kwargs and is_whole:
        return args[0]
    if len(args) > len(names):
        plural = "" if len(names) == 1 else "s"
        hint = "; its *args cannot be given to a job: take a list" * has_more
        raise TypeError(
            f"{job} takes {len(names)} argument{plural}, {len(args)} were given{hint}"
        )
    given = dict(zip(names, args, strict=False))
    twice = given.keys() & kwargs.keys()
    if twice:
        raise TypeError(f"{job} was given {', '.join(twice)} twice")
    return given | kwargs
