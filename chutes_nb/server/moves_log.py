"""Every move of every job as a line of JSON in a file, for log collectors.

The file itself says how far it is: after a restart it is gone on with from the
revision of its last line, so no move is left out and none is written twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import ChutesError
from ..paths import PRIVATE_FILE
from ..store import Store

log = logging.getLogger(__name__)

VARIABLE = "CHUTES_NB_MOVES_LOG"
LOOK_S = 1.0
PAUSE_S = 5.0
PAGE_MOVES = 1000
LAST_LINES_BYTES = 64 << 10


class MovesLog:
    """Follows the store and writes its moves, in a thread of its own.

    Parameters
    ----------
    path : pathlib.Path
        Appended to; made for its owner alone where it is missing. A file that was
        renamed or removed is made anew. Of several servers that are given the same
        file, one writes.
    store : callable
        Gives the store.
    """

    def __init__(self, path: Path, store: Callable[[], Store]) -> None:
        self._path, self._store = path, store
        self._since: int | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="chutes-moves-log", daemon=True
        )

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write no more."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                with self._opened() as fd:
                    self._follow(fd)
            except (ChutesError, sqlite3.Error, OSError) as error:
                log.warning("chutes_nb: %s cannot be written: %s", self._path, error)
                self._closed.wait(PAUSE_S)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the file as the only one that writes to it."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self._path, flags, PRIVATE_FILE)
        try:
            while not self._closed.is_set():
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                self._closed.wait(PAUSE_S)
            yield fd
        finally:
            os.close(fd)

    def _follow(self, fd: int) -> None:
        store = self._store()
        last = last_revision(fd)
        # A file that was begun anew goes on where the one before it ended.
        since = self._since if last is None else last
        since = store.rev() if since is None else min(since, store.rev())
        self._since = since  # from here on nothing is left out, whatever fails
        while not self._closed.is_set() and self._is_in_place(fd):
            newest = store.wait(since, LOOK_S)
            while since < newest and not self._closed.is_set():
                found = store.changes(since, PAGE_MOVES)
                jobs = {one["job_id"]: one for one in found["jobs"]}
                lines = [_line(move, jobs) for move in found["moves"]]
                _write(fd, "".join(lines).encode())
                since = self._since = found["rev"]

    def _is_in_place(self, fd: int) -> bool:
        try:
            return os.fstat(fd).st_ino == self._path.stat().st_ino
        except FileNotFoundError:
            return False


def last_revision(fd: int) -> int | None:
    """Return the revision up to which a file has all moves; None where it is empty.

    Where a crash has cut the last line, it is taken away, and with it those of the
    revision before it, which may not all be there.
    """
    size = os.fstat(fd).st_size
    start = max(0, size - LAST_LINES_BYTES)
    tail = os.pread(fd, size - start, start)
    lines = tail.splitlines(keepends=True)
    revisions = [_revision(line) for line in lines]
    if not lines or lines[-1].endswith(b"\n"):
        return next((rev for rev in reversed(revisions) if rev is not None), None)
    lines.pop()
    last = next((rev for rev in reversed(revisions) if rev is not None), None)
    while lines and revisions[len(lines) - 1] in (last, None):
        lines.pop()
    os.ftruncate(fd, start + sum(map(len, lines)))
    return None if last is None else last - 1


def _revision(line: bytes) -> int | None:
    try:
        return int(json.loads(line)["rev"])
    except (ValueError, KeyError, TypeError):
        return None


def _line(move: dict[str, Any], jobs: dict[str, dict[str, Any]]) -> str:
    job = jobs.get(move["job_id"], {})
    when = datetime.fromtimestamp(move["at"], UTC).isoformat()
    said = {"time": when, "event": "job.move", **move}
    said |= {name: job.get(name) for name in ("name", "chute", "notebook", "cell")}
    return json.dumps(said) + "\n"


def _write(fd: int, body: bytes) -> None:
    left = memoryview(body)
    while left:
        left = left[os.write(fd, left) :]


def moves_log(store: Callable[[], Store]) -> MovesLog | None:
    """Make the log that ``CHUTES_NB_MOVES_LOG`` names; None where it names none.

    Raises
    ------
    ChutesError
        If it is no absolute path.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise ChutesError(f"{VARIABLE}={text!r} must be an absolute path of a file")
    return MovesLog(path, store)
