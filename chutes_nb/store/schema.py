"""Brings a file's schema up to date, each step with a copy of what it was."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from .. import failpoints
from ..paths import PRIVATE_FILE


def copy(connection: sqlite3.Connection, path: Path) -> None:
    """Write a copy of what is committed to a new file, for its owner alone.

    Raises
    ------
    FileExistsError
    """
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, PRIVATE_FILE))
    try:
        connection.execute("VACUUM INTO ?", (str(path),))
    except BaseException:
        path.unlink()
        raise


def advance(connection: sqlite3.Connection, path: Path, migrations: list[str]) -> None:
    """Bring a schema up to date; the caller holds the gate.

    Before each step of a file that was there, ``<path>.before-<version>`` is a copy.
    """
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for version in range(found + 1, len(migrations) + 1):
        if found > 0:
            before = path.with_name(f"{path.name}.before-{version}")
            before.unlink(missing_ok=True)  # of a step that was cut short
            copy(connection, before)
        failpoints.hit("migrate.before_step")
        _step(connection, migrations[version - 1], version)
        failpoints.hit("migrate.after_step")


def _step(connection: sqlite3.Connection, script: str, version: int) -> None:
    # A table that is made anew is dropped first, and must take no row of others along;
    # within a transaction the setting does not change.
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {version};\nCOMMIT;"
        )
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")
