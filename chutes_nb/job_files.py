"""Files that stay with a job, as its user holds them."""

from __future__ import annotations

import html
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Protocol, SupportsIndex, TypeVar, overload

from .errors import brief
from .files_in import clean_path, free_name
from .paths import PRIVATE_FILE
from .sizes import shown_size

PIECE_BYTES = 1 << 20


class JobFile:
    """A file that stays with a job, also after the original is gone.

    Attributes
    ----------
    name, type, sha256 : str
        The name has folders where the file lay in a tree: ``model/weights.bin``.
    size : int
        Bytes.
    """

    def __init__(
        self, blob: Path, name: str, size: int, type: str, sha256: str
    ) -> None:
        self._blob = blob
        self.name, self.size, self.type, self.sha256 = name, size, type, sha256

    def open(self) -> BinaryIO:
        """Open the content for reading, in binary."""
        return self._blob.open("rb")

    def read(self) -> bytes:
        """Read the whole content."""
        return self._blob.read_bytes()

    def save(self, to: str | Path) -> Path:
        """Copy the content to a path, or into a folder under the file's name.

        Returns
        -------
        pathlib.Path
            Where it is now.
        """
        place = Path(to).expanduser()
        if place.is_dir():
            place = place / clean_path(self.name)
            place.parent.mkdir(parents=True, exist_ok=True)
        is_new = not os.path.lexists(place)
        # In this order: where the content is gone, what is there already stays.
        with self.open() as source, place.open("wb") as target:
            try:
                _copy(source, target)
            except BaseException:  # of a full disk: a half would pass for a whole
                if is_new:
                    place.unlink(missing_ok=True)
                raise
        return place

    def _pour(self, target: Any) -> None:
        with self.open() as source:
            _copy(source, target)

    def _facts(self) -> tuple[str, int, str, str]:
        return self.name, self.size, self.type, self.sha256

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobFile) and other._facts() == self._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def __repr__(self) -> str:
        return f"<JobFile {self.name}, {shown_size(self.size)}, {self.type}>"


def _copy(source: BinaryIO, target: Any) -> None:
    while piece := source.read(PIECE_BYTES):
        target.write(piece)


class Kept(Protocol):
    """A file of a job, here or on a server."""

    name: str
    size: int
    type: str

    def open(self) -> BinaryIO:
        """Open the content for reading, in binary."""
        ...

    def save(self, to: str | Path) -> Path:
        """Copy the content to a path, or into a folder; returns where it is."""
        ...

    def _pour(self, target: Any) -> None: ...


File = TypeVar("File", bound=Kept)


class JobFiles(list[File]):
    """The files of a job: a list, which also takes a name for an index."""

    @overload
    def __getitem__(self, key: SupportsIndex | str) -> File: ...

    @overload
    def __getitem__(self, key: slice) -> JobFiles[File]: ...

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._named(key)
        found = super().__getitem__(key)
        return JobFiles(found) if isinstance(key, slice) else found

    def _named(self, name: str) -> File:
        for file in reversed(self):  # the one that was kept last
            if file.name == name:
                return file
        there = ", ".join(self.names) or "none"
        raise brief(KeyError(f"the job has no file {name!r}; there are: {there}"))

    @property
    def names(self) -> list[str]:
        """Name of each file, in order."""
        return [file.name for file in self]

    def open(self, name: str) -> BinaryIO:
        """Open a file by its name for reading, in binary; raises KeyError."""
        return self[name].open()

    def save(self, to: str | Path) -> list[Path]:
        """Copy all files into a folder, which is made where it is missing.

        Returns
        -------
        list of pathlib.Path
            Where each is now; of two with the same name, the second is ``name (2)``.
        """
        folder = Path(to).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        saved = []
        for file, name in self._placed():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            saved.append(file.save(place))
        return saved

    def zip(self, to: str | Path) -> Path:
        """Write all files into a zip, not compressed; returns where it is.

        Parameters
        ----------
        to : str or pathlib.Path
            A path, or a folder: then it is ``files.zip`` in that.
        """
        place = Path(to).expanduser()
        if place.is_dir():
            place = place / "files.zip"
        with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
            for file, name in self._placed():
                about = zipfile.ZipInfo(name)
                about.external_attr = PRIVATE_FILE << 16
                with archive.open(about, "w", force_zip64=True) as target:
                    file._pour(target)
        return place

    def _placed(self) -> Iterable[tuple[File, str]]:
        used: set[str] = set()
        return [(file, free_name(file.name, used)) for file in self]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(file.name)}</td><td>{shown_size(file.size)}</td>"
            f"<td>{html.escape(file.type)}</td></tr>"
            for file in self
        )
        return f"<table><tr><th>name</th><th>size</th><th>type</th></tr>{rows}</table>"
