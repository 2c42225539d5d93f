"""A payload that came from outside: bound and checked by pydantic, in the worker."""

from __future__ import annotations

from pathlib import Path
from types import FunctionType
from typing import Any

from .. import payloads
from ..files_in import take_in
from ..loading import load_value


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

    uploads = setup["uploads"]
    packed = setup.get("signature")
    signature = (
        inspect_function(function, upload=bool(uploads))
        if packed is None
        else load_value(packed, None, blobs)
    )
    arguments = bind(signature, payloads.read(body, blobs))
    for name, kind in uploads.items():
        if name in arguments:  # a result may be a path or bytes, not yet a file of ours
            arguments[name] = take_in(arguments[name], kind, blobs, parameter=name)
    return arguments
