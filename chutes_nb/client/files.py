"""Files to a server and from it: in pieces, gone on with after a cut."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from ..errors import ServerError, ServerUnreachable, ValidationFailed
from ..files_in import below_text, clean_name, file_type, refuse_special
from .flows import Ask, Flow, Outcome, Pause
from .link import Link
from .refusals import error_of, is_gateway

PIECE_BYTES = 4 << 20  # hashed and read on the event loop: some 20 ms each
PART_BYTES = 4 << 20
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}
# A piece did not fit, or the one before it is still being written: the server knows
# where to go on.
LOST_PLACE = (409, 423)
MOST_LOST_PLACES = 50  # one after the other, with nothing gained
LOST_PAUSE_S = 0.02
OnProgress = Callable[[int, int], object]


@dataclass(frozen=True)
class Source:
    """Something to be sent: an open file from where it stands."""

    stream: BinaryIO
    start: int
    size: int
    name: str
    type: str


class RemoteUpload:
    """A file that is on the server, to be named in payloads.

    No dataclass, which pydantic would write into a payload field by field.

    Attributes
    ----------
    uid, name, type, sha256 : str
    size : int
        Bytes.
    """

    def __init__(self, uid: str, source: Source, sha256: str) -> None:
        self.uid, self.sha256 = uid, sha256
        self.name, self.size, self.type = source.name, source.size, source.type

    def __repr__(self) -> str:
        return f"<RemoteUpload {self.name}, {self.size} bytes, {self.type}>"


def is_content(value: Any) -> bool:
    """Tell whether a value can only be meant as a file: bytes, or an open file."""
    return isinstance(value, bytes | bytearray | memoryview) or hasattr(value, "read")


def opened(
    value: Any, name: str | None, parameter: str = "file"
) -> tuple[Source, AbstractContextManager[Any]]:
    """Open a path, bytes or an open file for sending, with what closes it.

    Raises
    ------
    ValidationFailed
        If it is no file, or cannot be read.
    """
    closing: AbstractContextManager[Any] = nullcontext()
    try:
        if isinstance(value, bytes | bytearray | memoryview):
            stream: BinaryIO = io.BytesIO(value)
            said = parameter
        elif isinstance(value, str | os.PathLike):
            path = Path(os.fsdecode(value)).expanduser()
            refuse_special(path)
            closing = stream = path.open("rb")
            said = path.name
        elif hasattr(value, "read") and isinstance(
            (stream := below_text(value)).read(0), bytes
        ):
            said = str(getattr(value, "name", parameter))
            if not stream.seekable():
                closing = stream = _held(stream)
        else:
            raise _refused(parameter, 'takes a path, bytes, or a file opened by "rb"')
        start = stream.tell()
        size = stream.seek(0, os.SEEK_END) - start
    except OSError as error:
        raise _refused(parameter, f"cannot be read here: {error}") from error
    name = clean_name(name or said)
    kind = file_type(name)
    return Source(stream, start, size, name, kind), closing


def _held(pipe: BinaryIO) -> BinaryIO:
    """Keep what comes but once, so that it can be sent twice."""
    held = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who sends it
    while piece := pipe.read(PIECE_BYTES):
        held.write(piece)
    held.seek(0)
    return held


def _refused(parameter: str, said: str) -> ValidationFailed:
    details: list[dict[str, object]] = [{"loc": [parameter], "msg": said}]
    return ValidationFailed(f"{parameter} {said}", details)


def send(
    link: Link, source: Source, on_progress: OnProgress | None
) -> Flow[RemoteUpload]:
    """Send a file by tus; goes on where it was cut.

    Raises
    ------
    UploadTooLarge, StoreFull
        Before a byte is sent.
    """
    told = {"filename": source.name, "filetype": source.type}
    pairs = [f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in told.items()]
    headers = {**TUS, "Upload-Length": str(source.size)}
    headers["Upload-Metadata"] = ",".join(pairs)
    begun = yield from link.found("POST", "uploads", headers=headers)
    uid = begun.json()["upload"]
    digest, hashed, offset, lost = hashlib.sha256(), 0, 0, 0
    if on_progress is not None:
        on_progress(0, source.size)
    while offset < source.size:
        source.stream.seek(source.start + offset)
        piece = source.stream.read(min(PIECE_BYTES, source.size - offset))
        if not piece:
            raise _refused(source.name, "became shorter while it was sent")
        digest.update(piece[max(0, hashed - offset) :])
        hashed = max(hashed, offset + len(piece))
        # Sent once: a piece that was cut off would not fit where it began any more.
        outcome = yield _piece(uid, offset, piece)
        if not (isinstance(outcome, httpx.Response) and outcome.status_code == 204):
            if lost >= MOST_LOST_PLACES:
                raise ServerUnreachable(f"{source.name} is cut off again and again")
            outcome = yield from _place(link, uid, outcome)
        before, offset = offset, int(outcome.headers["Upload-Offset"])
        lost = 0 if offset > before else lost + 1
        if on_progress is not None:
            on_progress(offset, source.size)
    last = yield from link.found("HEAD", f"uploads/{uid}", headers=TUS)
    sha256 = digest.hexdigest()
    if last.headers.get("Upload-Sha256") != sha256:
        raise ServerError(
            f"{source.name} arrived with another content than it was sent with; did "
            "it change meanwhile?"
        )
    return RemoteUpload(uid, source, sha256)


def _place(link: Link, uid: str, outcome: Outcome) -> Flow[httpx.Response]:
    """Ask where to go on after a piece that was cut off, or did not fit.

    Raises
    ------
    ChutesError
        If the piece was refused for another reason.
    """
    if isinstance(outcome, httpx.Response) and not is_gateway(outcome):
        if outcome.status_code not in LOST_PLACE:
            raise error_of(outcome)
        yield Pause(LOST_PAUSE_S)
    return (yield from link.found("HEAD", f"uploads/{uid}", headers=TUS))


def _piece(uid: str, offset: int, piece: bytes) -> Ask:
    # No checksum of its own: then what came of a piece that is cut counts, and a line
    # on which none comes whole does for a large file too. The whole is compared.
    headers = {**PIECE, "Upload-Offset": str(offset)}
    return Ask("PATCH", f"uploads/{uid}", headers=headers, content=piece)


class RemoteFile:
    """A file that a job left, on the server.

    Attributes
    ----------
    name, type, sha256 : str
    size : int
        Bytes.
    """

    def __init__(self, link: Link, job_id: str, told: dict[str, Any]) -> None:
        self._link, self._path = link, f"jobs/{job_id}/files/{told['n']}"
        self.name: str = told["name"]
        self.size: int = told["size"]
        self.type: str = told["type"]
        self.sha256: str = told["sha256"]

    def open(self) -> BinaryIO:
        """Open the content for reading, in binary; it is fetched first."""
        held = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            self._pour(held)
            held.seek(0)
        except BaseException:
            held.close()
            raise
        return held

    def read(self) -> bytes:
        """Fetch the whole content."""
        held = io.BytesIO()
        self._pour(held)
        return held.getvalue()

    def save(self, to: str | Path) -> Path:
        """Fetch the content to a path, or into a folder under the file's name.

        Returns
        -------
        pathlib.Path
            Where it is now; nothing is there before it is whole.
        """
        place = Path(to).expanduser()
        if place.is_dir():
            place = place / clean_name(self.name)
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as held:
            aside = Path(held.name)
            try:
                self._pour(held)
            except BaseException:
                aside.unlink()
                raise
        return aside.replace(place)

    def _pour(self, target: Any) -> None:
        digest, at = hashlib.sha256(), 0
        while at < self.size:
            last = min(self.size, at + PART_BYTES) - 1
            part = self._link.run(
                self._link.found(
                    "GET", self._path, headers={"Range": f"bytes={at}-{last}"}
                )
            ).content
            if not part:
                break
            digest.update(part)
            target.write(part)
            at += len(part)
        if digest.hexdigest() != self.sha256:
            raise ServerError(f"{self.name} did not arrive as it is on the server")

    def __repr__(self) -> str:
        return f"<RemoteFile {self.name}, {self.size} bytes, {self.type}>"
