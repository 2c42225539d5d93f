"""The write gate keeps what SQLite's "WAL-reset bug" would lose without a word.

A checkpointer is held a few instructions behind its lock, where it has read that
there is something to move, and has not looked yet how much was moved. A writer that
commits just then begins the log anew. The checkpointer notes down for the new log how
far it came in the old one, and what is written up to there is never moved: it is gone
with the next end of the log. ``PRAGMA integrity_check`` finds nothing to say.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from chutes_nb.store.db import Database

from .stepping import Stepped
from .verdict import Verdict

# The byte that stands for the right to checkpoint, in the shared memory's file
# (SQLite's wal.c and os_unix.c: UNIX_SHM_BASE + WAL_CKPT_LOCK).
CHECKPOINT_LOCK = 121
ROWS_BEFORE, ROWS_AFTER = 100, 38
SCHEMA = ["CREATE TABLE rows (number INTEGER PRIMARY KEY, body TEXT) STRICT;"]
ADD = "INSERT INTO rows VALUES (?, ?)"
# 3.7.0 to 3.51.2 have the bug, but for two that were mended.
FIRST_SOUND, MENDED = (3, 51, 3), ((3, 50, 7), (3, 44, 6))

CHECKPOINTER = """
    import sqlite3, sys
    from pathlib import Path
    from chutes_nb.store.db import Database
    from proofs.wal_reset import SCHEMA
    path, has_gate = Path(sys.argv[1]), sys.argv[2] == "True"
    if has_gate:
        database = Database(path, SCHEMA, page_bytes=1024).open()
        step = lambda: database.checkpoint(0)
    else:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("SELECT count(*) FROM rows").fetchone()
        step = lambda: connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    print("ready", flush=True)
    sys.stdin.readline()
    step()
    print("done", flush=True)
    sys.stdin.readline()
"""
COUNT = """
    import sqlite3, sys
    found = sqlite3.connect(sys.argv[1])
    print(found.execute("PRAGMA integrity_check").fetchone()[0])
    print(found.execute("SELECT count(*) FROM rows").fetchone()[0])
"""


class Loss(NamedTuple):
    """What a fresh process misses, and what SQLite says of the file."""

    rows: int
    check: str


def is_exposed(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Whether a SQLite has the bug."""
    mended = any(version[:2] == one[:2] and version >= one for one in MENDED)
    return version < FIRST_SOUND and not mended


def interleaved(instructions: int, *, has_gate: bool) -> Loss:
    """Hold a checkpointer so many instructions behind its lock, and commit then."""
    with tempfile.TemporaryDirectory(prefix="wal-") as folder:
        path = Path(folder, "store.db")
        writer = Gated(path) if has_gate else Bare(path)
        writer.write(ROWS_BEFORE)
        command = [sys.executable, "-c", dedented(CHECKPOINTER), path, str(has_gate)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, cwd=Path(__file__).parents[1], **pipes) as other:
            assert other.stdout.readline() == "ready\n"
            writer.before()
            with Stepped(other.pid) as held:
                other.stdin.write("go\n")
                other.stdin.flush()
                held.go_on_until_locked(CHECKPOINT_LOCK)
                held.step(instructions)
                wait = writer.write_while_held()
            assert other.stdout.readline() == "done\n"
            wait()
            writer.write(ROWS_AFTER)
            acknowledged = writer.acknowledged
            writer.close()
        command = [sys.executable, "-c", dedented(COUNT), path]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        check, found = run.stdout.split("\n")[:2]
        return Loss(acknowledged - int(found), check)


def dedented(code: str) -> str:
    return "\n".join(line[4:] for line in code.splitlines())


class Bare:
    """A writer as anybody would write it: no gate, no connection checkpoints."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        self._connection.execute("PRAGMA page_size = 1024")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA wal_autocheckpoint = 0")
        self._connection.executescript(SCHEMA[0])
        self.acknowledged = 0

    def write(self, rows: int) -> None:
        for _ in range(rows):
            self._connection.execute(ADD, (self.acknowledged, "x" * 300))
            self.acknowledged += 1

    def before(self) -> None:
        """Move all that there is, so that the next commit begins the log anew."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def write_while_held(self) -> Callable[[], None]:
        self.write(1)
        return lambda: None

    def close(self) -> None:
        self._connection.close()


class Gated:
    """A writer as the store is one."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA, page_bytes=1024).open()
        self.acknowledged = 0

    def write(self, rows: int) -> None:
        for _ in range(rows):
            with self._database.writing() as tx:
                tx.seat.connection.execute(ADD, (self.acknowledged, "x" * 300))
            self.acknowledged += 1

    def before(self) -> None:
        pass

    def write_while_held(self) -> Callable[[], None]:
        """Write at the same moment: the gate lets nobody in."""
        assert not self._database.gate().try_enter()
        thread = threading.Thread(target=self.write, args=(1,))
        thread.start()
        return thread.join

    def close(self) -> None:
        self._database.close()


def losses(count: int, widest: int, *, has_gate: bool) -> list[Loss]:
    """So many interleavings, spread over a number of instructions."""
    step = max(1, widest // count)
    return [interleaved(step * n, has_gate=has_gate) for n in range(count)]


def prove(count: int) -> Verdict:
    """So many interleavings with the gate and as many without."""
    without = losses(count, 460, has_gate=False)
    with_gate = losses(count, 4 * count, has_gate=True)
    lossy = [one for one in without if one.rows]
    silent = sum(one.check == "ok" for one in lossy)
    kept = not any(one.rows or one.check != "ok" for one in with_gate)
    rows = max((one.rows for one in lossy), default=0)
    return Verdict(
        kept and bool(lossy) == is_exposed(),
        f"SQLite {sqlite3.sqlite_version}: without the gate {len(lossy)} of {count} "
        f"interleavings lost up to {rows} rows ({silent} of them with integrity_check "
        f"ok), with it {sum(bool(one.rows) for one in with_gate)} of {count}",
    )
