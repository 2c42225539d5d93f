"""The files of an upload: one writer at a time, and never half of what is known."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from ..paths import PRIVATE_FILE
from .faults import UploadBusy

LOOK_S = 0.01
UID = re.compile(r"[0-9a-z]{16}")
KINDS = (".json", ".part", ".unsure", ".new")


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


def of_upload(folder: Path, uid: str) -> list[Path]:
    """Every file that an upload may have."""
    return [folder / f"{uid}{kind}" for kind in KINDS]


def known(folder: Path) -> Iterator[tuple[str, bool, float]]:
    """Give each upload of a folder, whether it is whole, and when it last changed.

    Whoever is killed while an upload is begun or removed may leave a part that nothing
    speaks of; it is one as well.
    """
    for uid in {path.stem for path in folder.iterdir()}:
        if not UID.fullmatch(uid):
            continue
        try:
            there = [one for one in of_upload(folder, uid) if one.exists()]
            last = max(one.stat().st_mtime for one in there)
        except (FileNotFoundError, ValueError):  # another server was faster
            continue
        found = {one.suffix for one in there}
        yield uid, ".json" in found and ".part" not in found, last
