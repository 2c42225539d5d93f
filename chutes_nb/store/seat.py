"""What one thread has of a SQLite file: a connection and a place at its gate."""

from __future__ import annotations

import sqlite3

from .gate import Gate

# For readers, whom only the recovery after a crash keeps waiting.
BUSY_TIMEOUT_MS = 10_000
# For writers. SQLite's waiting cannot be interrupted, so we wait round it.
BEGIN_TIMEOUT_MS = 50


class Seat:
    """What one thread has of a file.

    Attributes
    ----------
    connection : sqlite3.Connection
    gate : Gate
    inode : int
        Which file it is: one that is damaged is put aside, and another is made.
    busy_ms : int
        How long SQLite waits for somebody else's lock.
    """

    __slots__ = ("busy_ms", "connection", "gate", "inode")

    def __init__(self, connection: sqlite3.Connection, gate: Gate, inode: int) -> None:
        self.connection, self.gate, self.inode = connection, gate, inode
        self.busy_ms = BUSY_TIMEOUT_MS

    def be_busy_for(self, ms: int) -> None:
        """Set how long SQLite waits; it cannot be interrupted then."""
        if ms != self.busy_ms:
            self.connection.execute(f"PRAGMA busy_timeout = {ms}")
            self.busy_ms = ms

    def close(self) -> None:
        """Close the connection, under the gate as everything that writes.

        Raises
        ------
        StoreBusy
            If the gate stays taken; nothing is closed then.
        """
        self.gate.enter()
        try:
            self.connection.close()
        finally:
            self.gate.leave()
            self.gate.close()
