"""The files of an upload: one writer at a time, and never half of what is known."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from ..paths import PRIVATE_FILE
from .faults import UploadBusy

LOOK_S = 0.01


def lock(fd: int, uid: str, patience_s: float = 0.0) -> None:
    """Keep other requests from an upload for as long as its file is open.

    Raises
    ------
    UploadBusy
        If one of them has it, and keeps it for so long.
    """
    end = time.monotonic() + patience_s
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end:
                raise UploadBusy(f"another request writes to upload {uid}") from error
        time.sleep(LOOK_S)


def write_private(path: Path, text: str) -> None:
    """Put a text in the place of a file, durably."""
    aside = path.with_suffix(".new")
    fd = os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, PRIVATE_FILE)
    with os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    os.replace(aside, path)
