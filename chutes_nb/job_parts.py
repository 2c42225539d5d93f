"""Parts of a job that are values of their own: its files and its attempts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from .files_in import clean_name
from .model import ErrorInfo


class JobFile:
    """A file that stays with a job, also after the original is gone.

    Attributes
    ----------
    name, type, sha256 : str
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
            place = place / clean_name(self.name)
        with self.open() as source, place.open("wb") as target:
            while piece := source.read(1 << 20):
                target.write(piece)
        return place

    def __repr__(self) -> str:
        return f"<JobFile {self.name}, {self.size} bytes, {self.type}>"


class AttemptInfo:
    """One attempt of a job: number, times (seconds since 1970), status, cause."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.number: int = facts["number"]
        self.started_at: float = facts["started_at"]
        self.finished_at: float | None = facts["finished_at"]
        self.status: str = facts["status"]
        self.reason: str | None = facts["reason"]
        error = facts["error"]
        self.error: ErrorInfo | None = None if error is None else ErrorInfo(**error)

    def __repr__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"<attempt {self.number}, {self.status}{why}>"
