"""The limit of uploads, for files that code hands to a job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..files_in import FileRef
from ..sizes import shown_size
from .faults import UploadTooLarge


def refuse_too_large(given: Any, limit: int | None) -> None:
    """Refuse a file above the limit that somebody has set, before a byte is copied.

    Parameters
    ----------
    given : a file as ``files_in.take_in`` takes it, or a list of them
        The size of an open file is known once it has been read: a reference has it.
    limit : int or None
        Most bytes; None where nobody has set any, since what lies on this machine
        already needs no protection from the network.

    Raises
    ------
    UploadTooLarge
    """
    if limit is None:
        return
    for one in given if isinstance(given, list | tuple) else [given]:
        size = _size(one)
        if size is not None and size > limit:
            raise UploadTooLarge(too_large(size, limit))


def too_large(size: int, limit: int) -> str:
    """Say that a file is too large, and what sets the limit."""
    return (
        f"the file has {shown_size(size)}, and an upload may have "
        f"{shown_size(limit)}; chutes_nb.configure(upload_limit=...) or "
        "CHUTES_NB_UPLOAD_LIMIT sets this limit"
    )


def _size(one: Any) -> int | None:
    if isinstance(one, FileRef):
        return one.size
    if isinstance(one, bytes | bytearray | memoryview):
        return memoryview(one).nbytes
    if isinstance(one, str | os.PathLike):
        try:
            return Path(os.fsdecode(one)).expanduser().stat().st_size
        except (OSError, ValueError, RuntimeError):  # who takes it in says why
            return None
    return None
