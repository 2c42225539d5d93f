"""Uploads in pieces: chunks onto one file each, resumable across restarts.

An upload is two files: ``UID.json`` says what it is, ``UID.part`` holds what has
come, so its size is the offset. A third one, ``UID.unsure``, is there while a piece
with a checksum comes in: it says where that piece began.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from .. import failpoints
from ..errors import ChutesError, StoreFull
from ..files_in import clean_name, file_type
from ..paths import PRIVATE_FILE, private_dir
from ..sizes import read_size, shown_size
from ..store import pruning
from ..store.blobs import still_kept, take_over
from ..store.ids import new_id
from . import files
from .faults import (
    ChecksumWrong,
    UploadBusy,
    UploadConflict,
    UploadError,
    UploadNotFound,
    UploadTooLarge,
)
from .given import too_large
from .writer import Writer

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

__all__ = [
    "ChecksumWrong",
    "Upload",
    "UploadBusy",
    "UploadConflict",
    "UploadError",
    "UploadNotFound",
    "UploadTooLarge",
    "Uploads",
    "Writer",
    "set_limit",
    "set_upload_limit",
    "upload_limit",
]

HALF_LIVES_S = 24 * 3600.0
WHOLE_LIVES_S = 30 * 24 * 3600.0
LIMIT_BYTES = 8 << 30
UPLOADS = pruning.UPLOADS
LIMIT_FILE = "limit"
MOST_DIGESTS = 64  # uploads whose digest goes on from piece to piece
SPARE_BYTES = 64 << 20  # what an upload leaves free on the disk
FINISH_S = 20.0  # how long one waits for who is finishing an upload; see found


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
        If the variable is no size.
    """
    limit = set_limit(folder)
    return LIMIT_BYTES if limit is None else limit


def set_limit(folder: Path) -> int | None:
    """Most bytes of one upload where somebody has set it; see :func:`upload_limit`."""
    # Where the home cannot be used at all, its store says so to whoever needs it.
    with contextlib.suppress(OSError, ValueError):
        return int((folder / LIMIT_FILE).read_text())
    text = os.environ.get("CHUTES_NB_UPLOAD_LIMIT", "")
    try:
        return read_size("CHUTES_NB_UPLOAD_LIMIT", text, 1) if text else None
    except ValueError as error:
        raise ChutesError(str(error)) from error


def set_upload_limit(folder: Path, limit: int) -> None:
    """Set the most bytes of one upload, for every kernel and server of the store."""
    files.write_private(private_dir(folder) / LIMIT_FILE, str(limit))


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
        # By upload: an offset, and the digest of the bytes before it. Those never
        # change any more, whoever writes the next.
        self._digests: dict[str, tuple[int, Hash]] = {}

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
            raise UploadTooLarge(too_large(length, limit))
        free = shutil.disk_usage(self._folder).free
        if length + SPARE_BYTES > free:
            raise StoreFull(
                f"the file has {shown_size(length)}, and the store's disk has "
                f"{shown_size(free)} left; nothing was kept"
            )
        name = clean_name(name)
        kind = kind or file_type(name)
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
        found = self._read(uid)
        if found.sha256 is None and not self._part(uid).exists():
            found = self._read(uid)  # another request may have finished it just now
            if found.sha256 is None:
                said = f"upload {uid} has lost its content: begin it again"
                raise UploadNotFound(said)
        return found

    def _read(self, uid: str) -> Upload:
        try:
            if not files.UID.fullmatch(uid):
                raise FileNotFoundError(uid)
            return Upload(**json.loads(self._about(uid).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError) as error:
            raise UploadNotFound(
                f"there is no upload {uid[:40]!r}; one that is not finished is "
                f"forgotten after {HALF_LIVES_S / 3600:g} hours"
            ) from error

    def found(self, uid: str) -> Upload:
        """Return what is known of an upload; one that is all there is finished.

        Its last byte may have come with nobody there to say so: a client that was cut
        off, a server that was killed. Where another request is finishing it, that is
        waited for: its client has come back, and asks whether the content is right.

        Raises
        ------
        UploadNotFound
        """
        known = self.get(uid)
        if known.sha256 is None and self.offset(known) == known.length:
            with contextlib.suppress(UploadBusy):
                return self.finish(known, FINISH_S)
        return known

    def finished(self, uid: str) -> Upload:
        """Return an upload that is all there.

        Raises
        ------
        UploadNotFound
            If it is not.
        """
        found = self.found(uid)
        if found.sha256 is None:
            has = shown_size(self.offset(found))
            raise UploadNotFound(
                f"upload {uid} is not finished: it has {has} of "
                f"{shown_size(found.length)}"
            )
        if not self._is_kept(found) and not self._is_kept(self.finish(found)):
            raise UploadNotFound(f"upload {uid} has lost its content: begin it again")
        return found

    def offset(self, upload: Upload) -> int:
        """Bytes of an upload that are there for good."""
        if upload.sha256 is not None:
            return upload.length
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(self._unsure(upload.uid).read_text())
        try:
            return self._part(upload.uid).stat().st_size
        except FileNotFoundError:  # another request has just finished it
            return self.get(upload.uid).length

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
        try:
            fd = os.open(self._part(upload.uid), os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self.get(upload.uid)
            raise _is_finished(upload.uid) from None
        try:
            files.lock(fd, upload.uid)
            if self.get(upload.uid).sha256 is not None:
                raise _is_finished(upload.uid)
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
        except BaseException:
            os.close(fd)
            raise
        return Writer(
            fd,
            (there, upload.length),
            checksum,
            unsure,
            before=self._seen(upload.uid, there),
            keep=lambda at, digest: self._keep(upload.uid, at, digest),
        )

    def _keep(self, uid: str, offset: int, digest: Hash) -> None:
        self._digests[uid] = (offset, digest)
        for oldest in list(self._digests)[:-MOST_DIGESTS]:
            self._digests.pop(oldest, None)

    def _seen(self, uid: str, offset: int) -> Hash | None:
        """Give the digest of the bytes up to an offset, where this process saw all."""
        at, digest = self._digests.pop(uid, (0, None))
        if offset == 0:
            return hashlib.sha256()
        return digest if at == offset else None

    def finish(self, upload: Upload, patience_s: float = 0.0) -> Upload:
        """Move what has come in whole to where the store keeps contents.

        Raises
        ------
        UploadBusy
        """
        part = self._part(upload.uid)
        try:
            fd = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # another request was faster
            return self.get(upload.uid)
        with os.fdopen(fd, "rb") as source:
            files.lock(fd, upload.uid, patience_s)
            upload = self.get(upload.uid)
            if not part.exists():
                return upload
            return self._finish(upload, source)

    def _finish(self, upload: Upload, source: BufferedReader) -> Upload:
        if upload.sha256 is None:
            digest = self._seen(upload.uid, upload.length)
            if digest is None:  # pieces came to another process, or before a restart
                digest = hashlib.file_digest(source, "sha256")
            upload = replace(upload, sha256=digest.hexdigest())
            failpoints.hit("upload.before_finish")
            self._write(upload)  # first: a server that dies here finds it and goes on
        part = self._part(upload.uid)
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
        for uid, is_whole, last in files.known(self._folder):
            if now - last > (WHOLE_LIVES_S if is_whole else HALF_LIVES_S):
                self._remove(uid)
                gone += 1
        return gone

    def expires_at(self, upload: Upload) -> float:
        """When an upload is forgotten if nothing more comes; seconds since 1970."""
        last = time.time()
        with contextlib.suppress(FileNotFoundError):  # it is finished
            last = self._part(upload.uid).stat().st_mtime
        return last + HALF_LIVES_S

    def count(self) -> int:
        """How many uploads have begun and are not finished."""
        return sum(1 for _ in self._folder.glob("*.part"))

    def _remove(self, uid: str) -> None:
        for path in files.of_upload(self._folder, uid):
            path.unlink(missing_ok=True)

    def _is_kept(self, upload: Upload) -> bool:
        """Whether its content is there; it stays until a job can refer to it."""
        return still_kept(upload.sha256 or "", upload.length, self._blobs)

    def _write(self, upload: Upload) -> None:
        files.write_private(self._about(upload.uid), json.dumps(asdict(upload)))

    def _about(self, uid: str) -> Path:
        return self._folder / f"{uid}.json"

    def _part(self, uid: str) -> Path:
        return self._folder / f"{uid}.part"

    def _unsure(self, uid: str) -> Path:
        return self._folder / f"{uid}.unsure"


def _is_finished(uid: str) -> UploadConflict:
    return UploadConflict(f"upload {uid} is finished")
