"""Content by its SHA-256: each distinct content is one file, kept once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .. import failpoints
from ..paths import PRIVATE_FILE, private_dir

PIECE_BYTES = 1 << 20


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
    private_dir(blobs)
    digest, size = hashlib.sha256(), 0
    fd, name = tempfile.mkstemp(prefix="new-", dir=blobs)
    aside = Path(name)
    try:
        with os.fdopen(fd, "wb") as target:
            os.fchmod(fd, PRIVATE_FILE)
            while piece := source.read(PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
                target.write(piece)
            target.flush()
            failpoints.hit("blob.tmp_written")
            os.fsync(fd)
        sha256 = digest.hexdigest()
        final = blob_path(blobs, sha256)
        private_dir(final.parent)
        failpoints.hit("blob.before_replace")
        os.replace(aside, final)
        failpoints.hit("blob.after_replace")
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return Blob(sha256, size)


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
