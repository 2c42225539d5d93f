"""Routes for uploads: tus 1.0 with creation, termination and checksum (tus.io)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
from email.utils import formatdate
from typing import ClassVar

from jupyter_server.auth.decorator import allow_unauthenticated

from ..errors import StoreFull
from ..uploads import Upload, Uploads, UploadTooLarge, Writer
from .base import ChutesHandler
from .desk import Desk
from .faults import Refusal

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,checksum,expiration"
OFFSET_STREAM = "application/offset+octet-stream"
HELD_BYTES = 1 << 20
MOST_METADATA = 4 << 10
_NUMBER = re.compile(r"\d{1,100}\Z")


class Tus(ChutesHandler):
    """What both routes of the protocol share."""

    def set_default_headers(self) -> None:
        """Say which version is spoken."""
        super().set_default_headers()
        self.set_header("Tus-Resumable", VERSION)

    @allow_unauthenticated
    def options(self, *_args: str, **_kwargs: str) -> None:
        """Say what is spoken, as for every preflight without credentials."""
        super().options()
        self.set_header("Tus-Version", VERSION)
        self.set_header("Tus-Extension", EXTENSIONS)
        self.set_header("Tus-Max-Size", str(self.desk.upload_limit))
        self.set_header("Tus-Checksum-Algorithm", "sha256")
        self.set_status(204)

    def check_version(self) -> None:
        """Refuse clients that speak another version.

        Raises
        ------
        Refusal
        """
        if self.request.headers.get("Tus-Resumable") != VERSION:
            raise Refusal(
                412,
                "TusVersion",
                f"the header 'Tus-Resumable: {VERSION}' is wanted",
                headers={"Tus-Version": VERSION},
            )

    def number(self, header: str) -> int:
        """Read a header that has to be a whole number.

        Raises
        ------
        Refusal
        """
        text = self.request.headers.get(header, "")
        if not _NUMBER.match(text):
            raise Refusal(400, "BadHeader", f"{header} has to be a whole number")
        return int(text)

    def say_expiry(self, upload: Upload, at: float) -> None:
        """Say when an upload is forgotten if nothing more comes."""
        if upload.sha256 is None:
            self.set_header("Upload-Expires", formatdate(at, usegmt=True))
        else:
            self.set_header("Upload-Sha256", upload.sha256)


class NewUpload(Tus):
    """``POST uploads``."""

    async def post(self) -> None:
        """Begin an upload; its size is known, and refused here if too large."""
        self.check_version()
        length = self.number("Upload-Length")
        said = metadata(self.request.headers.get("Upload-Metadata", ""))
        name = said.get("filename") or said.get("name") or "file"
        kind = said.get("filetype") or said.get("type") or ""
        uploads = await self.desk.ask(self.desk.swept_uploads)
        upload = await self.desk.ask(uploads.create, length, name, kind[:200])
        at = await self.desk.ask(uploads.expires_at, upload)
        self.say_expiry(upload, at)
        self.set_header("Location", f"{self.base_url}chutes/uploads/{upload.uid}")
        self.answer({"upload": upload.uid, "length": length}, 201)


class KnownUpload(Tus):
    """``HEAD``, ``PATCH`` and ``DELETE uploads/UID``."""

    # The one request of this server that writes to an upload, by its id.
    _writing: ClassVar[dict[str, KnownUpload]] = {}
    _closing: ClassVar[set[asyncio.Task[None]]] = set()  # the loop itself keeps none
    _writer: Writer | None = None
    _is_gone = False
    _uploads: Uploads
    _upload: Upload

    def initialize(self, desk: Desk) -> None:
        """Have one thread at a time work for this request, in the order asked."""
        super().initialize(desk)
        self._turn = asyncio.Lock()

    def most_bytes(self) -> int:
        """Only a piece of an upload has a body."""
        return self.desk.upload_limit if self.request.method == "PATCH" else 0

    async def before_body(self) -> None:
        """Find the upload, and open it for a piece that comes."""
        if self.request.method == "OPTIONS":
            return
        self.check_version()
        self._uploads = await self.desk.ask(self.desk.uploads)
        uid = self.path_kwargs["uid"]
        before = self._writing.get(uid)
        if before is not None:
            # Its client has come back on a new connection, so the old one is dead.
            await before.give_way()
        self._upload = await self.desk.ask(self._uploads.found, uid)
        if self.request.method == "PATCH":
            await self._open()

    async def _open(self) -> None:
        kind = self.request.headers.get("Content-Type", "")
        if kind != OFFSET_STREAM:
            raise Refusal(415, "UnsupportedMediaType", f"{OFFSET_STREAM} is wanted")
        offset, upload = self.number("Upload-Offset"), self._upload
        checksum = checksum_of(self.request.headers.get("Upload-Checksum"))
        length = self.request.headers.get("Content-Length", "")
        if length.isdigit() and offset + int(length) > upload.length:
            raise Refusal(
                413,
                "UploadTooLarge",
                f"the piece passes byte {upload.length}, where the upload ends",
            )
        if upload.sha256 is not None:
            if offset == upload.length and length == "0":
                return  # who sends nothing more is told again that all is there
            text = f"upload {upload.uid} is finished"
            raise Refusal(409, "UploadConflict", text)
        self._writer = await self.desk.ask(
            self._uploads.writer, upload, offset, checksum
        )
        self._writing[upload.uid] = self
        if self._is_gone:
            await self._let_go(is_whole=False)

    async def take(self, chunk: bytes) -> None:
        """Write a part of the piece to disk."""
        self._body += chunk
        if len(self._body) >= HELD_BYTES:
            await self._write()

    async def _write(self) -> None:
        try:
            async with self._turn:
                await self._flush()
        except Exception as error:
            await self._let_go(is_whole=False)
            self.refuse(error)

    async def _flush(self) -> None:
        body = bytes(self._body)
        self._body.clear()
        if self._writer is not None and body:
            await self.desk.ask(self._writer.write, body)

    async def patch(self, uid: str) -> None:
        """Take a piece; answers where the next one begins."""
        await self._write()
        upload = self._upload
        if self._finished or (self._writer is None and upload.sha256 is None):
            return
        offset = upload.length
        if upload.sha256 is None:
            offset = await self._let_go(is_whole=True)
        if offset == upload.length and upload.sha256 is None:
            upload = await self.desk.ask(self._uploads.finish, upload)
        self.say_expiry(upload, await self.desk.ask(self._uploads.expires_at, upload))
        self.set_header("Upload-Offset", str(offset))
        self._nothing()

    async def head(self, uid: str) -> None:
        """Say how much of an upload has come."""
        upload = self._upload
        offset = await self.desk.ask(self._uploads.offset, upload)
        self.set_header("Upload-Offset", str(offset))
        self.set_header("Upload-Length", str(upload.length))
        self.say_expiry(upload, await self.desk.ask(self._uploads.expires_at, upload))
        self.set_status(200)
        self.finish()

    async def delete(self, uid: str) -> None:
        """Forget an upload."""
        await self.desk.ask(self._uploads.delete, uid)
        self._nothing()

    def _nothing(self) -> None:
        self.set_status(204)
        self.finish()
        self.clear_header("Content-Type")

    # -- letting go ------------------------------------------------------------
    async def _let_go(self, *, is_whole: bool) -> int:
        async with self._turn:
            writer = self._writer
            if writer is None:
                return 0
            try:
                await self.desk.ask(lambda: writer.close(is_whole=is_whole))
            finally:
                # Not earlier: who finds nobody here takes it that all is on the disk.
                self._writer = None
                if self._writing.get(self._upload.uid) is self:
                    del self._writing[self._upload.uid]
            return writer.offset

    async def give_way(self) -> None:
        """Keep what has come and hang up: another request goes on."""
        await self._keep()
        with contextlib.suppress(Exception):
            self.request.connection.stream.close()  # type: ignore[union-attr]

    async def _keep(self) -> None:
        try:
            async with self._turn:
                await self._flush()
        except (StoreFull, UploadTooLarge):
            pass  # its client is gone, and will ask how much is there
        finally:
            await self._let_go(is_whole=False)

    def on_connection_close(self) -> None:
        """Keep what has come when the client goes away in the middle of a piece."""
        super().on_connection_close()
        self._is_gone = True
        if self._writer is not None:
            task = asyncio.get_running_loop().create_task(self._keep())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def metadata(header: str) -> dict[str, str]:
    """Read the Upload-Metadata header: names, each with a text in base 64.

    Raises
    ------
    Refusal
    """
    if len(header) > MOST_METADATA:
        raise Refusal(400, "BadHeader", "Upload-Metadata is too long")
    found = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = pair.partition(" ")
        try:
            text = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError) as error:
            raise Refusal(
                400, "BadHeader", f"Upload-Metadata: {name[:50]!r} is no base 64"
            ) from error
        found[name] = text
    return found


def checksum_of(header: str | None) -> bytes | None:
    """Read the Upload-Checksum header.

    Raises
    ------
    Refusal
    """
    if header is None:
        return None
    algorithm, _, value = header.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if algorithm != "sha256" or len(digest) != 32:
        raise Refusal(
            400, "BadHeader", "Upload-Checksum has to be 'sha256 ' and base 64"
        )
    return digest
