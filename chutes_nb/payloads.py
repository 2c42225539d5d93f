"""A payload from outside as the store keeps it, until a worker binds it."""

from __future__ import annotations

import json
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
