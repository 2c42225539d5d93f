"""The room that deleted rows leave in a SQLite file, and how the disk gets it back."""

from __future__ import annotations

import sqlite3

from .. import failpoints

FREE_PAGES = "PRAGMA freelist_count"
BY_PAGES = "PRAGMA auto_vacuum = INCREMENTAL"
FOLD = "PRAGMA wal_checkpoint(TRUNCATE)"
SPARE_PAGES = 32  # serve what comes next


def unused_bytes(connection: sqlite3.Connection) -> int:
    """Room of deleted rows in the file."""
    pages: int = connection.execute(FREE_PAGES).fetchone()[0]
    size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return pages * size


def fold(connection: sqlite3.Connection, by_pages: bool) -> bool:
    """Move the write-ahead log into its file; False where a reader needs it still.

    Parameters
    ----------
    by_pages : bool
        Whether the file gives back single pages.
    """
    failpoints.hit("ckpt.before")
    if by_pages:
        give_back(connection)
    row = connection.execute(FOLD).fetchone()
    failpoints.hit("ckpt.after")
    return not row[0]


def give_back(connection: sqlite3.Connection) -> None:
    """Let the next checkpoint make the file smaller by its free pages.

    It takes a file that was set up so (:data:`BY_PAGES`); of others nothing changes.
    """
    free: int = connection.execute(FREE_PAGES).fetchone()[0] - SPARE_PAGES
    if free > 0:  # by a script: execute() makes one step, which is one page
        connection.executescript(f"PRAGMA incremental_vacuum({free})")


def shrink(connection: sqlite3.Connection, by_pages: bool) -> None:
    """Write the file anew without the room of deleted rows.

    Parameters
    ----------
    by_pages : bool
        Whether it shall give back single pages from now on; it may be older than that.
    """
    if by_pages:
        connection.execute(BY_PAGES)
    connection.execute("VACUUM")
    connection.execute(FOLD)
