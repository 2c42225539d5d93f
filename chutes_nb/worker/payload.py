"""A payload that came from outside: bound and checked by pydantic, in the worker."""

from __future__ import annotations

import json
from pathlib import Path
from types import FunctionType
from typing import Any

from ..files_in import FileRef
from ..loading import load_value
from ..store.blobs import blob_path


def bound_payload(
    body: bytes, function: FunctionType, setup: dict[str, Any], blobs: Path
) -> dict[str, Any]:
    """Give the keyword arguments that ``payloads.body`` stands for.

    Raises
    ------
    BindingError, ValidationFailed
        If they do not fit the signature.
    """
    # Pydantic is slow to import, and jobs from the notebook need none of it.
    from ..binding import bind
    from ..signatures import inspect_function

    found = json.loads(body)
    uploads = setup["uploads"]
    packed = setup.get("signature")
    signature = (
        inspect_function(function, upload=bool(uploads))
        if packed is None
        else load_value(packed, None, blobs)
    )
    files = {name: _refs(said, blobs) for name, said in found["files"].items()}
    return bind(signature, found["arguments"] | files)


def _refs(said: Any, blobs: Path) -> FileRef | list[FileRef]:
    if isinstance(said, list):
        return [_ref(one, blobs) for one in said]
    return _ref(said, blobs)


def _ref(said: dict[str, Any], blobs: Path) -> FileRef:
    return FileRef(**said, path=str(blob_path(blobs, said["sha256"])))
