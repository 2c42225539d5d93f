"""Routes for the files of a job: the list, one of them, all as a zip."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from ..answers import files
from ..files_in import free_name
from ..store import Store, intake
from ..store.blobs import blob_path
from .base import ChutesHandler
from .delivery import Span, asked_span, attachment, safe_type
from .faults import Refusal

PIECE_BYTES = 256 << 10


class Files(ChutesHandler):
    """``GET jobs/ID/files``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer which files a job left."""
        self.answer({"files": await self.of_job(scope, job, files)})


class Kept(NamedTuple):
    """A file of a job, open."""

    source: BinaryIO
    size: int
    name: str
    type: str
    sha256: str


def opened(store: Store, job: str, n: int) -> Kept:
    """Open a file of a job by its number.

    Raises
    ------
    JobNotFound
    Refusal
        If there is no such file, or its content is gone.
    """
    store.status(job)  # raises where there is no such job
    row = intake.file(store.reader, job, n)
    if row is None:
        raise Refusal(404, "FileNotFound", f"job {job} has no file number {n}")
    return Kept(
        *open_content(store, row["sha256"]), row["name"], row["type"], row["sha256"]
    )


def open_content(store: Store, sha256: str) -> tuple[BinaryIO, int]:
    """Open a content of the store; never through a link.

    Raises
    ------
    Refusal
        If it is gone.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(blob_path(store.blobs, sha256), flags)
    except OSError as error:
        raise _gone(sha256) from error
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise _gone(sha256)
    return os.fdopen(fd, "rb"), found.st_size


def _gone(sha256: str) -> Refusal:
    return Refusal(410, "ContentGone", f"the content {sha256} is not in the store")


class File(ChutesHandler):
    """``GET jobs/ID/files/N``."""

    async def get(self, job: str, n: str, scope: str | None = None) -> None:
        """Send a file, or the part of it that was asked for."""
        kept = await self.of_job(scope, job, opened, int(n))
        with kept.source:
            span = self._describe(kept)
            if span is not None and not self.wants_headers_alone:
                await self._pour(kept.source, span)
        self.finish(set_content_type=safe_type(kept.type))

    def _describe(self, kept: Kept) -> Span | None:
        """Set status and headers; None where no byte is to be sent."""
        etag, headers = f'"{kept.sha256}"', self.request.headers
        self.set_header("ETag", etag)
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Content-Type", safe_type(kept.type))
        self.set_header("Content-Disposition", attachment(kept.name))
        if headers.get("If-None-Match") in (etag, "*"):
            self.set_status(304)
            return None
        asked = headers.get("Range")
        if headers.get("If-Range", etag) != etag:
            asked = None
        span = asked_span(asked, kept.size)
        if span is not None:
            self.set_status(206)
            last = span.stop - 1
            self.set_header("Content-Range", f"bytes {span.start}-{last}/{kept.size}")
        span = span or Span(0, kept.size)
        self.set_header("Content-Length", str(span.stop - span.start))
        return span

    async def _pour(self, source: BinaryIO, span: Span) -> None:
        source.seek(span.start)
        left = span.stop - span.start
        while left:
            piece = await self.desk.ask(source.read, min(left, PIECE_BYTES))
            if not piece:
                raise OSError("a content of the store became shorter")
            left -= len(piece)
            self.write(piece)
            await self.flush()


class Zip(ChutesHandler):
    """``GET jobs/ID/files.zip``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Send all files of a job, packed while they are sent."""
        found = await self.of_job(scope, job, files)
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", attachment(f"{job}.zip"))
        if self.wants_headers_alone:
            await self.end_headers()
            return
        pieces = packed(self.desk.store, found)
        while piece := await self.desk.ask(next, pieces, b""):
            self.write(piece)
            await self.flush()
        self.finish(set_content_type="application/zip")


class _Sink(io.RawIOBase):
    """Takes what zipfile writes, and gives it away piece by piece."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, body: Any) -> int:
        self._held += body
        return len(body)

    def take(self) -> bytes:
        body = bytes(self._held)
        self._held.clear()
        return body


def packed(store: Any, files: list[dict[str, Any]]) -> Iterator[bytes]:
    """Give a zip of files piece by piece; what is gone is left out.

    Parameters
    ----------
    store : callable
        Gives the store.
    """
    sink, used = _Sink(), set[str]()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            try:
                source, _ = open_content(store(), file["sha256"])
            except Refusal:
                continue
            about = zipfile.ZipInfo(free_name(file["name"], used))
            about.external_attr = 0o600 << 16
            with source, archive.open(about, "w", force_zip64=True) as target:
                while piece := source.read(PIECE_BYTES):
                    target.write(piece)
                    yield sink.take()
    yield sink.take()
