"""What a job is given, as bytes: small values in its row, large ones in files."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .buffers import FILE_BYTES
from .codec import Encoded, encode, is_plain, type_name
from .errors import BindingError, ResultNotStorable, StoreError
from .loading import SPILLED
from .pickling import NO_LIMIT, WARN_BYTES, biggest, pickled, warn_user
from .sizes import approximate_size, shown_size
from .store.blobs import keep_memory

ROW_BYTES = 1_000_000  # a longer input is a file of its own
_NONE = encode({})


def packed(arguments: Mapping[str, Any], job: str, blobs: Path) -> Encoded:
    """Write a job's arguments; ``loading.load_value`` reads those of kind "pickle".

    Parameters
    ----------
    arguments : mapping of str to object
        By parameter.
    job : str
        Name of the job, for what is said of large ones.
    blobs : pathlib.Path
        The store's folder of contents: arrays and frames go there as files.

    Warns
    -----
    CaptureWarning
        Above 1 MB, naming the biggest arguments.

    Raises
    ------
    BindingError
        If a value can be neither written as JSON nor pickled; names the argument.
    StoreFull
        If there is no room for large values.
    """
    if not arguments:
        return _NONE
    try:
        return _packed(arguments, job, blobs)
    except ResultNotStorable as error:
        raise BindingError(_why_not(arguments, job)) from error


def _why_not(arguments: Mapping[str, Any], job: str) -> str:
    """Say which argument cannot travel, and what to do."""
    what, cause = "arguments", ""
    for name, value in arguments.items():
        try:
            encode(value)
        except ResultNotStorable as error:
            what = f"{name} ({type_name(value)})"
            cause = f" ({type(error.__cause__).__name__}: {error.__cause__})"
            break
    return (
        f"job {job} is given {what}, which cannot travel to a worker{cause}; make it "
        'inside the job, or in a @chute.on_startup() hook, or use executor="kernel"'
    )


def _packed(arguments: Mapping[str, Any], job: str, blobs: Path) -> Encoded:
    is_small = approximate_size(arguments) < FILE_BYTES
    if is_small or is_plain(arguments):
        # What fails here may hold a chute or a job function; ``pickled`` knows these.
        with contextlib.suppress(ResultNotStorable):
            encoded = encode(arguments)
            if encoded.kind == "json" or len(encoded.body) <= ROW_BYTES:
                return encoded
    try:
        done = pickled(arguments, blobs=blobs, most_bytes=NO_LIMIT)
    except StoreError:
        raise
    except Exception as error:
        encode(arguments)  # says which part it is
        raise ResultNotStorable(str(error)) from error
    body, size = done.body, len(done.body) + done.buffer_bytes
    if size > WARN_BYTES:
        note = "; workers map it from one copy on disk" if done.buffers else ""
        warn_user(f"job {job} is given {shown_size(size)}: {biggest(arguments)}{note}")
    if len(body) > ROW_BYTES:
        body = SPILLED + keep_memory(memoryview(body), blobs).sha256.encode()
    return Encoded("pickle", body, "dict", False)
