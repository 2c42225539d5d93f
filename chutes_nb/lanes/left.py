"""What an attempt left in its folder whose worker was killed: it stays with the job."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from ..worker.keeping import Keeper


class LeftFolder:
    """The folder of an attempt that nobody is in any more."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd

    def is_clean(self) -> bool:
        """Whether nothing was left there: only a look at it says so."""
        return False


def left_files(folder: Path, blobs: Path, output: str) -> list[tuple[Any, ...]]:
    """Move the files into the store that a killed attempt left.

    A worker that lives does this itself, after the body. One that was killed (out of
    memory, at the end of its grace) leaves a folder, often with the checkpoints and
    the half of a report that its user needs most.

    Parameters
    ----------
    folder : pathlib.Path
        The worker's; of its numbered folders only that of its last attempt has files.
    output : str
        The attempt's output, which tells what is not kept.

    Returns
    -------
    list of tuple
        Fields of ``store.runs.KeptFile``.
    """

    def note(text: str) -> None:
        with contextlib.suppress(OSError), open(output, "a", encoding="utf-8") as file:
            file.write(f"chutes_nb: {text}\n")

    try:
        names = [one.name for one in os.scandir(folder) if one.name.isdigit()]
    except OSError:  # it has not come to that, or is cleaned away
        return []
    kept: list[tuple[Any, ...]] = []
    for name in sorted(names, key=int):
        keeper = Keeper(blobs, LeftFolder(folder / name), 0, note)
        try:
            kept += map(tuple, keeper.collect(None, is_alone=lambda: True))
        except OSError as error:
            note(f"files of this attempt are lost: {error}")
    return kept
