"""What one write transaction may do, and what it tells the second witness."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from .journal import Fact

Row = sqlite3.Row
Params = Mapping[str, Any]

TICK = "UPDATE clock SET rev = rev + 1 RETURNING rev"


class Transaction:
    """One write transaction; :attr:`rev` is the revision it makes.

    Attributes
    ----------
    facts : list
        What the second witness is told of it once it is committed.
    ended_too : list of str
        Jobs that ended because one that they follow did.
    has_released : bool
        Whether a job that followed another may start now.
    """

    __slots__ = ("_rev", "connection", "ended_too", "facts", "has_released")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._rev: int | None = None
        self.facts: list[Fact] = []
        self.ended_too: list[str] = []
        self.has_released = False

    @property
    def rev(self) -> int:
        """The store's next revision, counted on once a transaction."""
        if self._rev is None:
            self._rev = int(self.connection.execute(TICK).fetchone()[0])
        return self._rev

    @property
    def known_rev(self) -> int:
        """The revision that was made, 0 where none was needed."""
        return self._rev or 0

    def run(self, statement: str, params: Params | None = None) -> int:
        """Run a statement; returns how many rows it touched."""
        return self.connection.execute(statement, params or {}).rowcount

    def one(self, query: str, params: Params | None = None) -> Row | None:
        """First row of a query or of a RETURNING clause, or None."""
        row: Row | None = self.connection.execute(query, params or {}).fetchone()
        return row

    def all(self, query: str, params: Params | None = None) -> list[Row]:
        """Every row of a query."""
        return self.connection.execute(query, params or {}).fetchall()

    def each(self, query: str, params: Params | None = None) -> Iterator[Row]:
        """Rows of a query one by one, as many as are taken."""
        yield from self.connection.execute(query, params or {})
