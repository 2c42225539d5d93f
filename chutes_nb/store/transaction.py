"""What one write transaction may do, and what it tells the second witness."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

from .journal import Fact
from .seat import Seat

Row = sqlite3.Row
Params = Mapping[str, Any]
NONE: Params = {}

LAST_REV = "SELECT rev FROM clock"
TICK = "UPDATE clock SET rev = ?"  # a RETURNING takes longer than both
# A name of a parameter; or a text or a comment, in which a colon is a colon.
NAME = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|:(\w+)")


@lru_cache(maxsize=1024)
def placed(statement: str) -> tuple[str, Callable[[Params], tuple[Any, ...]]]:
    """Write a statement with places for names, and how its values are ordered.

    :mod:`sqlite3` looks up each name anew at each run, which takes as long as all
    else that it does with a value.
    """
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        names.append(found[1])
        return "?"

    text = NAME.sub(place, statement)
    if len(names) > 1:
        return text, itemgetter(*names)
    if not names:
        return text, lambda params: ()
    return text, lambda params: (params[names[0]],)


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

    __slots__ = ("_rev", "ended_too", "facts", "has_released", "seat")

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self._rev: int | None = None
        self.facts: list[Fact] = []
        self.ended_too: list[str] = []
        self.has_released = False

    @property
    def rev(self) -> int:
        """The store's next revision, counted on once a transaction."""
        if self._rev is None:
            with self.seat.in_use:
                connection = self.seat.connection
                self._rev = int(connection.execute(LAST_REV).fetchone()[0]) + 1
                connection.execute(TICK, (self._rev,))
        return self._rev

    @property
    def known_rev(self) -> int:
        """The revision that was made, 0 where none was needed."""
        return self._rev or 0

    def run(self, statement: str, params: Params = NONE) -> int:
        """Run a statement; returns how many rows it touched."""
        text, values = placed(statement)
        seat = self.seat
        with seat.in_use:
            return seat.connection.execute(text, values(params)).rowcount

    def one(self, query: str, params: Params = NONE) -> Row | None:
        """First row of a query or of a RETURNING clause, or None."""
        text, values = placed(query)
        seat = self.seat
        with seat.in_use:
            row: Row | None = seat.connection.execute(text, values(params)).fetchone()
        return row

    def all(self, query: str, params: Params = NONE) -> list[Row]:
        """Every row of a query."""
        text, values = placed(query)
        seat = self.seat
        with seat.in_use:
            return seat.connection.execute(text, values(params)).fetchall()

    def each(self, query: str, params: Params = NONE) -> Iterator[Row]:
        """Rows of a query one by one, as many as are taken."""
        text, values = placed(query)
        seat = self.seat
        with seat.in_use:
            rows = seat.connection.execute(text, values(params))
        while True:
            with seat.in_use:
                row: Row | None = rows.fetchone()
            if row is None:
                return
            yield row
