"""How a connection to a SQLite file is opened, and a new file is set up."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

from ..paths import PRIVATE_FILE
from . import room
from .faults import decoded
from .gate import Gate
from .seat import BUSY_TIMEOUT_MS

# What fullfsync asks of the drive only macOS has; see ``disk.sync``.
PRAGMAS = """
PRAGMA wal_autocheckpoint = 0;
PRAGMA synchronous = {synchronous};
PRAGMA fullfsync = ON;
PRAGMA busy_timeout = {busy_ms};
PRAGMA cache_size = -16000;
PRAGMA foreign_keys = ON;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = FAST;
"""


class Opener(NamedTuple):
    """What connections to one file are like.

    Attributes
    ----------
    path : pathlib.Path
    synchronous : {"NORMAL", "FULL"}
    page_bytes : int
        Page size of a new file.
    gives_back : bool
        Whether a new file gives the room of deleted rows back by pages.
    """

    path: Path
    synchronous: str
    page_bytes: int
    gives_back: bool

    @decoded()
    def connect(self, gate: Gate, is_read_only: bool) -> tuple[sqlite3.Connection, int]:
        """Open a connection; gives it, and which file it is."""
        target = str(self.path)
        if is_read_only:
            target = f"{self.path.as_uri()}?mode=ro"
        elif not self.path.exists():
            os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, PRIVATE_FILE))
        inode = self.path.stat().st_ino  # first: an old number is found out, not a new
        connection = sqlite3.connect(
            target,
            timeout=BUSY_TIMEOUT_MS / 1000,
            isolation_level=None,
            check_same_thread=False,  # close() may come from another thread
            cached_statements=256,
            uri=is_read_only,
        )
        connection.row_factory = sqlite3.Row
        try:
            # No gate where the file is set up: who only reads must not wait for it.
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            if mode != "wal" and not is_read_only:
                self._set_up(connection, gate)
            script = PRAGMAS.format(
                synchronous=self.synchronous, busy_ms=BUSY_TIMEOUT_MS
            )
            for pragma in script.strip().splitlines():
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        return connection, inode

    def _set_up(self, connection: sqlite3.Connection, gate: Gate) -> None:
        with gate.taken():
            connection.execute(f"PRAGMA page_size = {self.page_bytes}")
            if self.gives_back:
                connection.execute(room.BY_PAGES)
            connection.execute("PRAGMA journal_mode = WAL")
