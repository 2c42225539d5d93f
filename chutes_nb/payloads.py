"""A payload from outside as the store keeps it, until a worker binds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .files_in import FileRef
from .store.blobs import blob_path

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


def read(text: bytes, blobs: Path) -> dict[str, Any]:
    """Read what ``body`` wrote: values and ``FileRef`` by parameter."""
    found = json.loads(text)
    files = {name: _refs(said, blobs) for name, said in found["files"].items()}
    return dict(found["arguments"] | files)


def _refs(said: Any, blobs: Path) -> FileRef | list[FileRef]:
    if isinstance(said, list):
        return [_ref(one, blobs) for one in said]
    return _ref(said, blobs)


def _ref(said: dict[str, Any], blobs: Path) -> FileRef:
    return FileRef(**said, path=str(blob_path(blobs, said["sha256"])))
