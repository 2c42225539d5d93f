"""How processes that a job started tell of the same run: through files, not a line.

A record is appended to one file for each worker, and the newest progress has a place
of its own; the worker's pulse reads both. So nobody waits for anybody, whoever may be
killed: a child that forks, is started anew, or outlives its parent for a moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from ..paths import PRIVATE_FILE
from ..store import Store
from ..store.runs import SHOWN
from .frames import Telling
from .keeping import kept, kept_body, named_files, slimmed

_HEADER = struct.Struct("<4sQI")  # a mark, the body's length, its checksum
_MARK = b"told"
READ_BYTES = 4 << 20  # most that one look takes in, but for a larger record
EMPTIED_BYTES = 16 << 20
SLOT_BYTES = 4096


class Origin(NamedTuple):
    """Which attempt a record is of."""

    job: str
    attempt: int


def _packed(message: object) -> bytes:
    body = pickle.dumps(message, protocol=5)
    return _HEADER.pack(_MARK, len(body), zlib.crc32(body)) + body


def _unpacked(data: bytes, at: int) -> tuple[Any, int] | None:
    """Read the record at an offset; gives it and where it ends, None where it is cut.

    Raises
    ------
    ValueError
        If there is none: whoever wrote it was killed on the way.
    """
    if len(data) - at < _HEADER.size:
        return None
    mark, size, checksum = _HEADER.unpack_from(data, at)
    if mark != _MARK:
        raise ValueError("no record begins here")
    end = at + _HEADER.size + size
    if end > len(data):
        return None
    body = data[at + _HEADER.size : end]
    if zlib.crc32(body) != checksum:
        raise ValueError("the record is damaged")
    return pickle.loads(body), end


class TellingFile:
    """What offspring has told, as the worker reads it.

    Parameters
    ----------
    path : pathlib.Path
        The file of records; the newest progress lies beside it.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._slot = str(path), slot_of(str(path))
        self._offset = 0
        self._is_there = False
        self._last_slot = b""

    def begin(self) -> None:
        """Forget what an earlier attempt's offspring has told."""
        if self._is_there:
            for path in (self._path, self._slot):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        self._offset, self._is_there, self._last_slot = 0, False, b""

    def read(self, origin: Origin) -> list[Telling]:
        """Take what was told since the last time, by offspring of one attempt."""
        found = self._progress(origin)
        if not os.access(self._path, os.F_OK):
            return found
        try:
            size = os.stat(self._path).st_size
        except OSError:
            return found
        self._is_there = True
        if size <= self._offset:
            return found
        with open(self._path, "r+b", buffering=0) as file:
            found += self._records(file, origin)
        return found

    def _records(self, file: Any, origin: Origin) -> list[Telling]:
        data = os.pread(file.fileno(), READ_BYTES, self._offset)
        found: list[Telling] = []
        at = 0
        while at < len(data):
            try:
                record = _unpacked(data, at)
            except ValueError:
                following = data.find(_MARK, at + 1)
                at = len(data) if following < 0 else following
                continue
            if record is None:
                more = self._whole(file, data, at)
                if more is None:
                    break
                data = more
                continue
            (kind, said), at = record
            if kind == origin:
                found.append(Telling(*said))
        self._offset += at
        self._empty(file)
        return found

    def _whole(self, file: Any, data: bytes, at: int) -> bytes | None:
        """Read on where a record is longer than one look; None where it is cut off."""
        size = os.fstat(file.fileno()).st_size - self._offset
        if size <= len(data):
            return None
        return data + os.pread(
            file.fileno(), size - len(data), self._offset + len(data)
        )

    def _empty(self, file: Any) -> None:
        """Give the disk back what has been read, when that is much."""
        if self._offset < EMPTIED_BYTES:
            return
        fcntl.flock(file, fcntl.LOCK_EX)  # nobody is on the way with a record
        if os.fstat(file.fileno()).st_size == self._offset:
            os.ftruncate(file.fileno(), 0)
            self._offset = 0

    def _progress(self, origin: Origin) -> list[Telling]:
        if not os.access(self._slot, os.F_OK):  # of most jobs: no exception for them
            return []
        try:
            with open(self._slot, "rb", buffering=0) as file:
                data = file.read(SLOT_BYTES)
        except OSError:
            return []
        self._is_there = True
        if data == self._last_slot:
            return []
        try:
            record = _unpacked(data, 0)
        except ValueError:
            return []  # read while it was written: the next look has it
        if record is None:
            return []
        self._last_slot = data
        (kind, said), _ = record
        return [Telling(*said)] if kind == origin else []


def slot_of(path: str) -> str:
    """Name the file that has the newest progress."""
    return f"{path}.progress"


class OffspringOutlet:
    """Where the tellings of a process go that a job started.

    Parameters
    ----------
    path : str
        The worker's file.
    home : pathlib.Path
        Of the store.
    """

    def __init__(self, path: str, origin: Origin, home: Path) -> None:
        self._path, self._origin, self._home = path, origin, home

    def tell(self, telling: Telling) -> None:
        """Write a telling where the worker finds it; nowhere once the run is over."""
        try:
            self._write(telling)
        except FileNotFoundError:
            return
        except OSError:  # a full disk takes no progress, but nothing that was given
            if telling.kind in ("partial", "file"):
                raise

    def _write(self, telling: Telling) -> None:
        telling = slimmed(telling, self._home / "blobs")
        record = _packed((tuple(self._origin), tuple(telling)))
        if telling.kind != "progress":
            self._append(record)
        elif len(record) <= SLOT_BYTES:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
            fd = os.open(slot_of(self._path), flags, PRIVATE_FILE)
            try:
                os.pwrite(fd, record.ljust(SLOT_BYTES, b"\0"), 0)
            finally:
                os.close(fd)

    def _append(self, record: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(self._path, flags, PRIVATE_FILE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)  # a long record takes more than one write
            left = memoryview(record)
            while left:
                left = left[os.write(fd, left) :]
        finally:
            os.close(fd)

    def save_checkpoint(self, step: float | None, kind: str, body: bytes) -> None:
        """Keep a checkpoint; durable when it returns."""
        job, attempt = self._origin
        Store.open(self._home).save_checkpoint(job, attempt, step, kind, body)

    def load_checkpoint(self) -> tuple[str, bytes] | None:
        """Return the newest checkpoint of the job."""
        return Store.open(self._home).load_checkpoint(self._origin.job)

    def keep_file(self, path: Path, name: str | None) -> None:
        """Keep a file's content with the job."""
        blobs = self._home / "blobs"
        named = named_files(path, name, blobs)
        found = [kept(one, label, blobs) for one, label in named]
        for one in found:
            self.tell(Telling("file", tuple(one)))

    def keep_body(self, body: bytes, name: str) -> None:
        """Keep a content with the job that is no file yet."""
        blobs = self._home / "blobs"
        self.tell(
            Telling("file", tuple(kept_body(body, name, f"{SHOWN}{name}", blobs)))
        )
