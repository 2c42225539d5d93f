"""Files that stay with a job: left in its folder, saved, or named in its result."""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from ..files_in import clean_name
from ..store.blobs import keep_file
from ..store.runs import KeptFile

LOOKED_AT = 10_000  # strings of a result that are asked whether they name a file
MAX_FILES = 1_000
_DEEPEST = 8


class Folder(Protocol):
    """The folder of an attempt, whose files are its own.

    Attributes
    ----------
    cwd : pathlib.Path
        With ``output`` and ``tmp`` in it.
    """

    cwd: Path

    def is_clean(self) -> bool:
        """Whether nothing was left there."""


class Keeper:
    """Collects the files of one attempt; each path once.

    Parameters
    ----------
    blobs : pathlib.Path
        The store's folder of contents.
    place : Folder
    began_at : float
        When the attempt began, in seconds since 1970: a file that the result
        names counts as the job's where it was made or changed after that.
    """

    def __init__(self, blobs: Path, place: Folder, began_at: float) -> None:
        self._blobs = blobs
        self._place, self._cwd = place, place.cwd
        # File systems stamp with the time of the last clock tick, so a file can
        # look up to 10 ms older than it is.
        self._began_at = began_at - 0.02
        self._seen: set[str] = set()

    def keep(self, path: Path, name: str | None = None) -> KeptFile:
        """Keep one file.

        Raises
        ------
        FileNotFoundError, IsADirectoryError
        """
        self._seen.add(os.path.realpath(path))
        blob = keep_file(path, self._blobs)
        label = clean_name(name or path.name)
        kind = mimetypes.guess_type(label)[0] or "application/octet-stream"
        return KeptFile(label, str(path), blob.size, kind, blob.sha256)

    def collect(self, result: Any) -> list[KeptFile]:
        """Keep what the attempt left in its folder and what its result names.

        Raises
        ------
        OSError
            If a file cannot be copied into the store: its disk is full, perhaps.
            The attempt's folder goes, so the file would be lost without a word.
        """
        kept: list[KeptFile] = []
        for path in () if self._place.is_clean() else self._left():
            self._try(path, str(path.relative_to(self._cwd)), kept)
        for text in _texts(result):
            self._try(Path(text), None, kept, only_new=True)
        return kept

    def _try(
        self, path: Path, name: str | None, kept: list[KeptFile], only_new: bool = False
    ) -> None:
        if len(kept) >= MAX_FILES:
            return
        try:
            found = path.stat()
        except (OSError, ValueError):  # no such file, after all
            return
        is_file = stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK)
        is_new = found.st_mtime >= self._began_at
        if not is_file or (only_new and not is_new):
            return
        if os.path.realpath(path) not in self._seen:
            label = None if name is None else name.removeprefix("output/")
            kept.append(self.keep(path, label and label.replace("/", "-")))

    def _left(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self._cwd):
            if Path(folder) == self._cwd and "tmp" in folders:
                folders.remove("tmp")
            folders.sort()
            for name in sorted(names):
                yield Path(folder, name)


def _texts(result: Any) -> Iterator[str]:
    """Strings and paths in a result that could name a file."""
    stack: list[tuple[Any, int]] = [(result, 0)]
    looked = 0
    while stack and looked < LOOKED_AT:
        value, depth = stack.pop()
        looked += 1
        if isinstance(value, Path):
            yield str(value)
        elif isinstance(value, str):
            if 0 < len(value) < 4096 and os.sep in value and "\0" not in value:
                yield value
        elif depth < _DEEPEST and isinstance(value, dict):
            stack.extend((item, depth + 1) for item in reversed(list(value.values())))
        elif depth < _DEEPEST and isinstance(value, list | tuple):
            stack.extend((item, depth + 1) for item in reversed(value))
