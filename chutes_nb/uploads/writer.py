"""One piece of an upload on its way to the disk."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import failpoints
from ..errors import StoreFull
from .faults import ChecksumWrong, UploadTooLarge

if TYPE_CHECKING:
    from hashlib import _Hash as Hash


class Writer:
    """The one request that writes to an upload now.

    Its methods may be called from any thread: a client that comes back has the piece
    of its dead connection closed while a part of that is on its way to the disk.

    Attributes
    ----------
    offset : int
        Bytes of the upload that are there, with those of this piece.
    whole : hash or None
        SHA-256 of all these bytes; None where those before the piece were not seen.
    """

    def __init__(
        self,
        fd: int,
        span: tuple[int, int],
        checksum: bytes | None,
        unsure: Path,
        *,
        before: Hash | None,
        keep: Callable[[int, Hash], None],
    ) -> None:
        self._fd, (self._start, self._length) = fd, span
        self._checksum, self._unsure = checksum, unsure
        self._digest = hashlib.sha256()
        self._before, self._keep = before, keep
        self.whole = before.copy() if before is not None else None
        self.offset = self._start
        self._lock = threading.Lock()
        self._is_closed = False

    def write(self, body: bytes) -> None:
        """Append bytes; when the piece is closed, they are left out.

        Raises
        ------
        UploadTooLarge
            If there are more than the upload was said to have.
        StoreFull
        """
        with self._lock:
            # The descriptor's number may be another file's by now.
            if not self._is_closed:
                self._append(body)

    def _append(self, body: bytes) -> None:
        if self.offset + len(body) > self._length:
            raise UploadTooLarge(
                f"the piece passes byte {self._length}, where the upload ends"
            )
        left = memoryview(body)
        try:
            while left:
                failpoints.hit("upload.before_chunk")
                left = left[os.write(self._fd, left) :]
                failpoints.hit("upload.mid_chunk")
        except OSError as error:
            raise StoreFull(f"the upload cannot be written: {error}") from error
        self.offset += len(body)
        if self._checksum is not None:
            self._digest.update(body)
        if self.whole is not None:
            self.whole.update(body)

    def close(self, *, is_whole: bool) -> None:
        """Let go of the upload; a piece that was cut off counts without a checksum.

        Raises
        ------
        ChecksumWrong
            If the piece is not what its checksum says.
        """
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._end(is_whole=is_whole)

    def _end(self, *, is_whole: bool) -> None:
        try:
            if self._checksum is None:
                return
            is_right = is_whole and self._digest.digest() == self._checksum
            if not is_right:
                os.ftruncate(self._fd, self._start)
                self.offset, self.whole = self._start, self._before
            self._unsure.unlink(missing_ok=True)
            if is_whole and not is_right:
                found = base64.b64encode(self._digest.digest()).decode()
                raise ChecksumWrong(
                    f"the piece at byte {self._start} has the SHA-256 {found}; it was "
                    "left out: send it again"
                )
        finally:
            if self.whole is not None:
                self._keep(self.offset, self.whole)
            os.close(self._fd)  # and with it the lock
