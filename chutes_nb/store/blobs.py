"""Content by its SHA-256: each distinct content is one file, kept once."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from .. import failpoints
from ..errors import StoreFull
from ..paths import PRIVATE_FILE, private_dir

PIECE_BYTES = 1 << 20
LARGE_PIECE_BYTES = 8 << 20
PAST_CACHE_BYTES = 512 << 20


class Blob(NamedTuple):
    """One kept content."""

    sha256: str
    size: int


def blob_path(blobs: Path, sha256: str) -> Path:
    """Where a content lies, whether or not it does."""
    return blobs / sha256[:2] / sha256


def keep(source: BinaryIO, blobs: Path) -> Blob:
    """Copy a stream into the store, with flat memory.

    The file appears whole under its name or not at all: written aside, synced,
    renamed.

    Parameters
    ----------
    source : binary file
        Read from where it stands to its end.
    blobs : pathlib.Path
        The store's folder of contents.
    """
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        while piece := source.read(PIECE_BYTES):
            digest.update(piece)
            yield piece

    return _written(pieces(), digest.hexdigest, blobs)


def keep_memory(raw: memoryview, blobs: Path) -> Blob:
    """Copy memory into the store, hashed by a second thread while it is written.

    Parameters
    ----------
    raw : memoryview of bytes
    blobs : pathlib.Path
        The store's folder of contents.

    Raises
    ------
    StoreFull
    """
    size, step = raw.nbytes, LARGE_PIECE_BYTES
    pieces = (raw[at : at + step] for at in range(0, size, step))
    with (
        ThreadPoolExecutor(1, "chutes-hash") as other,
        mmap.mmap(-1, step) as aligned,
    ):
        digest = other.submit(lambda: hashlib.sha256(raw).hexdigest())
        write = _write_all
        if size >= PAST_CACHE_BYTES:
            write = partial(_write_past_cache, aligned)
        try:
            return _written(pieces, digest.result, blobs, size, write)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise StoreFull(
                f"no room for {size:,} bytes in {blobs}; nothing was queued: free "
                "space on its disk and try again"
            ) from error


def still_kept(sha256: str, size: int, blobs: Path) -> bool:
    """Whether a content is there, whole; it counts as young again.

    What refers to it is about to be written, and nobody may tidy it away before.
    """
    path = blob_path(blobs, sha256)
    try:
        os.utime(path)
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def _written(
    pieces: Iterable[bytes | memoryview],
    digest: Callable[[], str],
    blobs: Path,
    expected: int | None = None,
    write: Callable[[int, Any], None] | None = None,
) -> Blob:
    """Write a content aside, sync it, give it its name.

    Parameters
    ----------
    digest : callable
        Gives the SHA-256 of the pieces once they are written.
    expected : int, optional
        Bytes in all, where a file of that content is to stay as it is: workers that
        have mapped it share memory only with those that map the very same file.
    write : callable, optional
        Writes a piece to a descriptor.
    """
    private_dir(blobs)
    size = 0
    fd, name = tempfile.mkstemp(prefix="new-", dir=blobs)
    aside = Path(name)
    try:
        with os.fdopen(fd, "wb", buffering=0):
            os.fchmod(fd, PRIVATE_FILE)
            if expected is not None:
                _make_room(fd, expected)
            for piece in pieces:
                size += len(piece)
                (write or _write_all)(fd, piece)
            failpoints.hit("blob.tmp_written")
            os.fsync(fd)
        sha256 = digest()
        if expected is not None and still_kept(sha256, size, blobs):
            aside.unlink()
            return Blob(sha256, size)
        final = blob_path(blobs, sha256)
        private_dir(final.parent)
        failpoints.hit("blob.before_replace")
        os.replace(aside, final)
        failpoints.hit("blob.after_replace")
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return Blob(sha256, size)


def _make_room(fd: int, size: int) -> None:
    """Ask for all room at once: writing is three times as fast on ext4 then."""
    try:
        if sys.platform != "darwin":  # which has no such call
            os.posix_fallocate(fd, 0, size)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise


def _write_all(fd: int, piece: bytes | memoryview) -> None:
    rest = memoryview(piece)
    while rest.nbytes:  # a disk that is nearly full takes a part
        rest = rest[os.write(fd, rest) :]


def _write_past_cache(aligned: mmap.mmap, fd: int, piece: memoryview) -> None:
    """Write to the disk itself (O_DIRECT, open(2)), where system and folder can.

    Parameters
    ----------
    aligned : mmap.mmap
        Memory of whole pages to write from, as long as a piece may be.

    Notes
    -----
    The page cache would need as much memory as what is written. A system that has to
    find it first (a virtual machine that gave it back) takes six seconds for 2 GB.
    """
    whole, done = len(piece) - len(piece) % mmap.PAGESIZE, 0
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    with memoryview(aligned) as view:
        view[:whole] = piece[:whole]
        try:
            if sys.platform != "darwin":  # which has no O_DIRECT
                fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT)
                while done < whole:
                    done += os.write(fd, view[done:whole])
        except OSError as error:
            if (
                error.errno != errno.EINVAL
            ):  # refused here, or for more than whole pages
                raise
        finally:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
    _write_all(fd, piece[done:])


def take_over(path: Path, blobs: Path, digest: str | None = None) -> Blob:
    """Move a file of the same file system into the store, without a copy.

    Parameters
    ----------
    path : pathlib.Path
        Gone from its place afterwards.
    digest : str, optional
        Its SHA-256 where that is known; read from the file where it is not.
    """
    with path.open("rb") as source:
        os.fchmod(source.fileno(), PRIVATE_FILE)
        os.fsync(source.fileno())
        size = os.fstat(source.fileno()).st_size
        sha256 = digest or hashlib.file_digest(source, "sha256").hexdigest()
    final = blob_path(blobs, sha256)
    private_dir(blobs)
    private_dir(final.parent)
    os.utime(path)  # young: nothing refers to it yet, and nobody may tidy it away
    os.replace(path, final)
    return Blob(sha256, size)


def keep_file(path: Path, blobs: Path) -> Blob:
    """Copy a file's content into the store."""
    with path.open("rb") as source:
        return keep(source, blobs)
