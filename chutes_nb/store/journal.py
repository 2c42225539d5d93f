"""The store's second witness: what was committed, appended to plain files.

SQLite can lose the tail of a write-ahead log that was damaged, and says nothing. So
each commit that submits, starts or ends jobs is also one record in a file beside the
store, written after the commit and before anybody is told of it. Records are written
under the store's gate, hence in the order of the commits.

A record is a header (mark, length, CRC-32, revision), the facts, and the length once
more, so that the last one is found from the end. The facts are plain values written
by ``marshal``, which takes a seventh of the time of JSON, and JSON has no bytes; its
version 4 is read by every Python from 3.4 on.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import re
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .. import failpoints
from ..paths import PRIVATE_FILE
from ..processes import above_streams
from .disk import sync
from .ids import new_id

Fact = tuple[Any, ...]

# What the facts of a record are about; their values are in ``witness``.
DEFINITION, JOB, ATTEMPT, END, END_WAITING, DELETED = "djaewx"
PARTIAL, FILE = "pf"
EXECUTOR, EXECUTOR_GONE, EXECUTOR_REOPENED, INHERITED = "Enoh"
WORKER, BORN, WORKER_GONE = "Wbk"
PAUSE = "P"
RELEASED = "r"

SEGMENT_BYTES = 8 << 20
# What a loss of power may cost; a kill costs nothing.
SYNC_INTERVAL_S = 0.2
SYNC_IDLE_S = 2.0

FLAGS = os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC
MARSHAL_VERSION = 4
MARK = b"chN1"
_NUMBER = re.compile("[0-9]+")
HEADER = struct.Struct("<4sIIQ")
TRAILER = struct.Struct("<I")


class Record(NamedTuple):
    """What one commit did.

    Attributes
    ----------
    rev : int
        The store's revision once it was done.
    facts : list
        Each a kind and its values, as :mod:`chutes_nb.store.witness` has them.
    """

    rev: int
    facts: list[Fact]


class Journal:
    """The records of one store, in numbered files of one folder.

    Parameters
    ----------
    folder : pathlib.Path
    is_synced : bool
        Whether every record reaches the disk before :meth:`append` returns.
    """

    def __init__(self, folder: Path, is_synced: bool = False) -> None:
        self.folder = folder
        self._is_synced = is_synced
        self._number = -1
        self._fd = -1
        self._unwritten: list[bytes] = []
        self._full: list[int] = []  # files that are full, and perhaps not on the disk
        self._dirty = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def append(self, record: bytes) -> None:
        """Write what a commit did; the caller holds the store's gate.

        A disk without room keeps nobody from going on, since the commit is there:
        the record stays in memory until it can be written.
        """
        failpoints.hit("journal.before_append")
        self._unwritten.append(record)
        with contextlib.suppress(OSError):
            self.flush()
        failpoints.hit("journal.after_append")

    def flush(self) -> None:
        """Write what could not be written before.

        Raises
        ------
        OSError
            If there is still no room.
        """
        with self._lock:
            while self._unwritten:
                size = self._open_last()
                record = self._unwritten[0]
                try:
                    if os.write(self._fd, record) != len(record):
                        raise OSError("a record was cut short")
                except OSError:
                    os.ftruncate(self._fd, size)
                    raise
                del self._unwritten[0]
            if self._is_synced:
                sync(self._fd)
                return
        if not self._dirty.is_set():
            self._dirty.set()
            self._keep_syncing()

    @property
    def is_behind(self) -> bool:
        """Whether records wait for room on the disk."""
        return bool(self._unwritten)

    def _open_last(self) -> int:
        """Open the file to append to, and return its size.

        Another process may have begun a new one meanwhile.
        """
        number = -1
        if self._fd >= 0:
            found = os.fstat(self._fd)
            if found.st_nlink and found.st_size < SEGMENT_BYTES:
                return found.st_size
            if found.st_nlink:  # else it was rewritten, and its name is another's
                number = self._number + 1
            if self._is_synced:  # records that had waited for room may be its last
                _let_go(self._fd)
            else:
                self._full.append(self._fd)
            self._fd = -1
        if number < 0:
            number = max(self.numbers(), default=0)
        self._fd = above_streams(os.open(self.path(number), FLAGS, PRIVATE_FILE))
        self._number = number
        sync_folder(self.folder)
        return self._open_last()

    # -- reading -----------------------------------------------------------------
    def path(self, number: int) -> Path:
        """File of a number."""
        return self.folder / f"{number:08}.journal"

    def numbers(self) -> list[int]:
        """Return the numbers of the files there are."""
        stems = [one.stem for one in self.folder.glob("*.journal")]
        # What else lies there (a copy that a sync program made) is none of them.
        return sorted(int(one) for one in stems if _NUMBER.fullmatch(one))

    def records(self) -> Iterator[Record]:
        """Every record, oldest first; stretches that were damaged are passed over."""
        for number in self.numbers():
            with contextlib.suppress(FileNotFoundError):
                yield from parsed(self.path(number).read_bytes())

    def last_rev(self) -> int:
        """Revision of the newest record, 0 where there is none."""
        for number in reversed(self.numbers()):
            path = self.path(number)
            found = _last(path) or max(
                (r.rev for r in parsed(path.read_bytes())), default=0
            )
            if found:
                return found
        return 0

    def rewrite(self, number: int, is_needed: Callable[[Fact], bool]) -> None:
        """Leave out facts from a file, which appears whole or stays as it was.

        The caller holds the store's gate where the file is the newest one; nobody
        appends to the others.
        """
        path = self.path(number)
        aside = path.with_suffix(f".{new_id()}.new")  # two may do so at once
        fd = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE)
        try:
            with os.fdopen(fd, "wb") as file:
                rev = 0
                for rev, facts in parsed(path.read_bytes()):
                    if kept := [one for one in facts if is_needed(one)]:
                        file.write(packed(rev, kept))
                file.write(packed(rev, []))  # the newest revision stays known
                file.flush()
                os.fsync(fd)
            failpoints.hit("journal.before_replace")
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        sync_folder(self.folder)

    # -- reaching the disk -------------------------------------------------------
    def _keep_syncing(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._sync_often, name="chutes-journal", daemon=True
            )
            self._thread.start()

    def _sync_often(self) -> None:
        while self._dirty.wait(SYNC_IDLE_S):
            time.sleep(SYNC_INTERVAL_S)  # whatever comes meanwhile goes along
            self._dirty.clear()
            with self._lock:
                fds, self._full = self._full, []
                with contextlib.suppress(OSError):  # no descriptor is left
                    fds += [os.dup(self._fd)] if self._fd >= 0 else []
            for fd in fds:
                failpoints.hit("journal.before_sync")
                _let_go(fd)
        self._thread = None
        if self._dirty.is_set():  # set between the last look and here
            self._keep_syncing()

    def close(self) -> None:
        """Let everything reach the disk, and close the file."""
        with self._lock:
            fds = [*self._full, *([self._fd] if self._fd >= 0 else [])]
            self._full, self._fd = [], -1
            for fd in fds:
                _let_go(fd)


def _let_go(fd: int) -> None:
    """Let a file reach the disk, as far as it can, and close it."""
    try:
        with contextlib.suppress(OSError):
            sync(fd)
    finally:
        os.close(fd)


def packed(rev: int, facts: list[Fact]) -> bytes:
    """Return a record as it lies in the file."""
    try:
        body = marshal.dumps(facts, MARSHAL_VERSION)
    except ValueError:  # a subclass of a plain type, such as a State
        body = marshal.dumps([tuple(map(_plain, one)) for one in facts])
    length = HEADER.size + len(body) + TRAILER.size
    header = HEADER.pack(MARK, length, zlib.crc32(body), rev)
    return b"".join((header, body, TRAILER.pack(length)))


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    kinds = (str, bytes, bool, int, float)
    kind: Any = next((one for one in kinds if isinstance(value, one)), None)
    return value if kind is None else kind(value)


def parsed(content: bytes) -> Iterator[Record]:
    """Every sound record in a file's content."""
    at = content.find(MARK)
    while at >= 0:
        found = _at(content, at)
        if found is None:  # torn by a kill, or damaged: look for the next one
            at = content.find(MARK, at + 1)
            continue
        rev, body = found
        yield Record(rev, marshal.loads(body))
        at = content.find(MARK, at + HEADER.size + len(body))


def _at(content: bytes, at: int) -> tuple[int, bytes] | None:
    """Revision and body of the record that begins at an offset, if it is sound."""
    if at < 0 or at + HEADER.size > len(content):
        return None
    mark, length, crc, rev = HEADER.unpack_from(content, at)
    if mark != MARK or length < HEADER.size + TRAILER.size:
        return None
    body = content[at + HEADER.size : at + length - TRAILER.size]
    is_whole = len(body) == length - HEADER.size - TRAILER.size
    return (rev, body) if is_whole and zlib.crc32(body) == crc else None


def _last(path: Path) -> int:
    """Revision of a file's last record, 0 where that one is not sound."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < HEADER.size + TRAILER.size:
            return 0
        file.seek(size - TRAILER.size)
        (length,) = TRAILER.unpack(file.read(TRAILER.size))
        if length > size:
            return 0
        file.seek(size - length)
        found = _at(file.read(length), 0)
    return 0 if found is None else found[0]


def sync_folder(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
