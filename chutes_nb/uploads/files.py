"""The files of an upload: one writer at a time, and never half of what is known."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..paths import PRIVATE_FILE
from .faults import UploadBusy


def lock(fd: int, uid: str) -> None:
    """Keep other requests from an upload for as long as its file is open.

    Raises
    ------
    UploadBusy
        If one of them has it.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UploadBusy(f"another request writes to upload {uid}") from error


def write_private(path: Path, text: str) -> None:
    """Put a text in the place of a file, durably."""
    aside = path.with_suffix(".new")
    fd = os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, PRIVATE_FILE)
    with os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    os.replace(aside, path)
