"""Uploads in pieces: chunks onto one file each, resumable across restarts.

An upload is two files: ``UID.json`` says what it is, ``UID.part`` holds what has
come, so its size is the offset. A third one, ``UID.unsure``, is there while a piece
with a checksum comes in: it says where that piece began.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from . import failpoints
from .errors import ChutesError, StoreFull
from .files_in import clean_name
from .paths import PRIVATE_FILE, private_dir
from .sizes import shown_size
from .store.blobs import blob_path, take_over
from .store.ids import new_id

HALF_LIVES_S = 24 * 3600.0
WHOLE_LIVES_S = 30 * 24 * 3600.0
LIMIT_BYTES = 8 << 30
UPLOADS = "uploads"  # their folder in the store's home
LIMIT_FILE = "limit"
SPARE_BYTES = 64 << 20  # what an upload leaves free on the disk

_UID = re.compile(r"[0-9a-z]{16}")


class UploadError(ChutesError):
    """An upload cannot go on as it was asked to."""


class UploadNotFound(UploadError):
    """There is no such upload (any more)."""


class UploadConflict(UploadError):
    """A piece does not begin where the last one ended."""


class UploadBusy(UploadError):
    """Another request writes to the upload."""


class UploadTooLarge(UploadError):
    """An upload is larger than it may be, or than it was said to be."""


class ChecksumWrong(UploadError):
    """A piece is not what its checksum says; it was left out."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What is known of an upload.

    Attributes
    ----------
    uid : str
    name, type : str
        File name for show, and media type.
    length : int
        Bytes it will have.
    created_at : float
        Seconds since 1970.
    sha256 : str or None
        Of the whole content; None until all is there.
    """

    uid: str
    name: str
    type: str
    length: int
    created_at: float
    sha256: str | None = None

    def ref(self) -> dict[str, object]:
        """Return the file as a payload names it."""
        names = ("name", "type", "sha256")
        return {name: getattr(self, name) for name in names} | {"size": self.length}


def upload_limit(folder: Path) -> int:
    """Most bytes of one upload.

    What was configured for the store last, else ``CHUTES_NB_UPLOAD_LIMIT``, else 8 GiB.

    Parameters
    ----------
    folder : pathlib.Path
        The store's folder of uploads, which need not be there.

    Raises
    ------
    ChutesError
        If the variable is no whole number.
    """
    with contextlib.suppress(FileNotFoundError, ValueError):
        return int((folder / LIMIT_FILE).read_text())
    text = os.environ.get("CHUTES_NB_UPLOAD_LIMIT", "")
    if text and not text.isdigit():
        raise ChutesError(
            f"CHUTES_NB_UPLOAD_LIMIT={text!r} must be a whole number of bytes"
        )
    return int(text) if text else LIMIT_BYTES


def set_upload_limit(folder: Path, limit: int) -> None:
    """Set the most bytes of one upload, for every kernel and server of the store."""
    _write_private(private_dir(folder) / LIMIT_FILE, str(limit))


class Uploads:
    """The uploads of one store.

    Parameters
    ----------
    folder : pathlib.Path
        Theirs alone, on the file system of ``blobs``.
    blobs : pathlib.Path
        The store's folder of contents.
    """

    def __init__(self, folder: Path, blobs: Path) -> None:
        self._folder, self._blobs = private_dir(folder), blobs

    @property
    def limit(self) -> int:
        """Most bytes of one upload, as it is set now."""
        return upload_limit(self._folder)

    def create(self, length: int, name: str = "", kind: str = "") -> Upload:
        """Begin an upload.

        Raises
        ------
        UploadTooLarge
            If it is larger than may be.
        StoreFull
            If the disk has no room for it.
        """
        limit = self.limit
        if length > limit:
            raise UploadTooLarge(
                f"the file has {shown_size(length)}, and an upload may have "
                f"{shown_size(limit)}; chutes_nb.configure(upload_limit=...) or "
                "CHUTES_NB_UPLOAD_LIMIT sets this limit"
            )
        free = shutil.disk_usage(self._folder).free
        if length + SPARE_BYTES > free:
            raise StoreFull(
                f"the file has {shown_size(length)}, and the store's disk has "
                f"{shown_size(free)} left; nothing was kept"
            )
        name = clean_name(name)
        kind = kind or "application/octet-stream"
        upload = Upload(new_id(), name, kind, length, time.time())
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        os.close(os.open(self._part(upload.uid), flags, PRIVATE_FILE))
        self._write(upload)
        return upload if length else self.finish(upload)

    def get(self, uid: str) -> Upload:
        """Return what is known of an upload.

        Raises
        ------
        UploadNotFound
        """
        try:
            if not _UID.fullmatch(uid):
                raise FileNotFoundError(uid)
            found = Upload(**json.loads(self._about(uid).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError) as error:
            raise UploadNotFound(
                f"there is no upload {uid[:40]!r}; one that is not finished is "
                f"forgotten after {HALF_LIVES_S / 3600:g} hours"
            ) from error
        if found.sha256 is None and not self._part(uid).exists():
            raise UploadNotFound(f"upload {uid} has lost its content: begin it again")
        return found

    def finished(self, uid: str) -> Upload:
        """Return an upload that is all there.

        Raises
        ------
        UploadNotFound
            If it is not.
        """
        found = self.get(uid)
        if found.sha256 is None:
            has = shown_size(self.offset(found))
            raise UploadNotFound(
                f"upload {uid} is not finished: it has {has} of "
                f"{shown_size(found.length)}"
            )
        return found if self._is_moved(found) else self.finish(found)

    def offset(self, upload: Upload) -> int:
        """Bytes of an upload that are there for good."""
        if upload.sha256 is not None:
            return upload.length
        try:
            return int(self._unsure(upload.uid).read_text())
        except (FileNotFoundError, ValueError):
            return self._part(upload.uid).stat().st_size

    def writer(
        self, upload: Upload, offset: int, checksum: bytes | None = None
    ) -> Writer:
        """Open an upload for its next piece.

        Parameters
        ----------
        checksum : bytes, optional
            SHA-256 of the piece.

        Raises
        ------
        UploadBusy, UploadConflict
        """
        fd = os.open(self._part(upload.uid), os.O_WRONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            there = self.offset(upload)
            if offset != there:
                raise UploadConflict(
                    f"the piece begins at byte {offset}, and upload {upload.uid} has "
                    f"{there} bytes; ask where to go on with HEAD"
                )
            os.ftruncate(fd, there)  # a piece whose checksum was never compared
            os.lseek(fd, there, os.SEEK_SET)
            unsure = self._unsure(upload.uid)
            unsure.unlink(missing_ok=True)
            if checksum is not None:
                unsure.write_text(str(there))
        except BlockingIOError as error:
            os.close(fd)
            raise UploadBusy(
                f"another request writes to upload {upload.uid}"
            ) from error
        except BaseException:
            os.close(fd)
            raise
        return Writer(fd, there, upload.length, checksum, unsure)

    def finish(self, upload: Upload) -> Upload:
        """Move what has come in whole to where the store keeps contents."""
        part = self._part(upload.uid)
        if upload.sha256 is None:
            with part.open("rb") as source:
                digest = hashlib.file_digest(source, "sha256").hexdigest()
            upload = replace(upload, sha256=digest)
            failpoints.hit("upload.before_finish")
            self._write(upload)  # first: a server that dies here finds it and goes on
        if part.exists():
            take_over(part, self._blobs, upload.sha256)
        failpoints.hit("upload.after_finish")
        return upload

    def delete(self, uid: str) -> None:
        """Forget an upload; jobs that were given a finished one keep its content."""
        self.get(uid)
        self._remove(uid)

    def sweep(self, now: float) -> int:
        """Forget uploads that nobody goes on with; returns how many."""
        gone = 0
        for about in self._folder.glob("*.json"):
            uid, part = about.stem, self._part(about.stem)
            try:
                is_half = part.exists()
                last = max(one.stat().st_mtime for one in (about, part) if one.exists())
            except (FileNotFoundError, ValueError):  # another server was faster
                continue
            if now - last > (HALF_LIVES_S if is_half else WHOLE_LIVES_S):
                self._remove(uid)
                gone += 1
        return gone

    def expires_at(self, upload: Upload) -> float:
        """When an upload is forgotten if nothing more comes; seconds since 1970."""
        part = self._part(upload.uid)
        return (part.stat().st_mtime if part.exists() else time.time()) + HALF_LIVES_S

    def count(self) -> int:
        """How many uploads have begun and are not finished."""
        return sum(1 for _ in self._folder.glob("*.part"))

    def _remove(self, uid: str) -> None:
        for path in (self._about(uid), self._part(uid), self._unsure(uid)):
            path.unlink(missing_ok=True)

    def _is_moved(self, upload: Upload) -> bool:
        return blob_path(self._blobs, upload.sha256 or "").is_file()

    def _write(self, upload: Upload) -> None:
        _write_private(self._about(upload.uid), json.dumps(asdict(upload)))

    def _about(self, uid: str) -> Path:
        return self._folder / f"{uid}.json"

    def _part(self, uid: str) -> Path:
        return self._folder / f"{uid}.part"

    def _unsure(self, uid: str) -> Path:
        return self._folder / f"{uid}.unsure"


class Writer:
    """The one request that writes to an upload now."""

    def __init__(
        self, fd: int, start: int, length: int, checksum: bytes | None, unsure: Path
    ) -> None:
        self._fd, self._start, self._length = fd, start, length
        self._checksum, self._unsure = checksum, unsure
        self._digest = hashlib.sha256()
        self.offset = start

    def write(self, body: bytes) -> None:
        """Append bytes.

        Raises
        ------
        UploadTooLarge
            If there are more than the upload was said to have.
        StoreFull
        """
        if self.offset + len(body) > self._length:
            raise UploadTooLarge(
                f"the piece passes byte {self._length}, where the upload ends"
            )
        left = memoryview(body)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
                failpoints.hit("upload.mid_chunk")
        except OSError as error:
            raise StoreFull(f"the upload cannot be written: {error}") from error
        self.offset += len(body)
        if self._checksum is not None:
            self._digest.update(body)

    def close(self, *, is_whole: bool) -> None:
        """Let go of the upload; a piece that was cut off counts without a checksum.

        Raises
        ------
        ChecksumWrong
            If the piece is not what its checksum says.
        """
        try:
            if self._checksum is None:
                return
            is_right = is_whole and self._digest.digest() == self._checksum
            if not is_right:
                os.ftruncate(self._fd, self._start)
                self.offset = self._start
            self._unsure.unlink(missing_ok=True)
            if is_whole and not is_right:
                found = base64.b64encode(self._digest.digest()).decode()
                raise ChecksumWrong(
                    f"the piece at byte {self._start} has the SHA-256 {found}; it was "
                    "left out: send it again"
                )
        finally:
            os.close(self._fd)


def _write_private(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    fd = os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, PRIVATE_FILE)
    with os.fdopen(fd, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    os.replace(aside, path)
