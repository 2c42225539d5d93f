"""What one write transaction may do, and what it tells the second witness."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from .journal import Fact
from .seat import Seat

Row = sqlite3.Row
Params = Mapping[str, Any]
NONE: Params = {}

# Whatever moves a job says so in the job's row, and a trigger tells the move and counts
# the store's revision on. The revision times 2^20, counted on: it orders the moves, and
# finds those of a revision without an index of its own.
NEXT = "max(:rev << 20, (SELECT coalesce(max(seq), 0) + 1 FROM moves))"
LAST_REV = "SELECT rev FROM clock"
TICK = "UPDATE clock SET rev = max(rev, ?)"  # a RETURNING takes longer than both
# A name of a parameter; or a text or a comment, in which a colon is a colon.
NAME = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|:(\w+)")


class Placed(NamedTuple):
    """A statement with places for names, and how its values are ordered."""

    text: str
    values: Callable[[Params], tuple[Any, ...]]
    moves: bool  # a job, where it finds one


@lru_cache(maxsize=1024)
def placed(statement: str) -> Placed:
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

    text, moves = NAME.sub(place, statement), NEXT in statement
    if len(names) > 1:
        return Placed(text, itemgetter(*names), moves)
    if not names:
        return Placed(text, lambda params: (), moves)
    return Placed(text, lambda params: (params[names[0]],), moves)


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

    __slots__ = ("_is_counted", "_rev", "ended_too", "facts", "has_released", "seat")

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self._rev: int | None = None
        self._is_counted = False
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
        return self._rev

    def count_on(self) -> None:
        """Keep the revision that was made, where no move of a job has done so.

        The last thing before the commit.
        """
        if self._rev is not None and not self._is_counted:
            self.seat.connection.execute(TICK, (self._rev,))

    @property
    def known_rev(self) -> int:
        """The revision that was made, 0 where none was needed."""
        return self._rev or 0

    def run(self, statement: str, params: Params = NONE) -> int:
        """Run a statement; returns how many rows it touched."""
        text, values, moves = placed(statement)
        seat = self.seat
        with seat.in_use:
            touched = seat.connection.execute(text, values(params)).rowcount
        if moves and touched:
            self._is_counted |= params["rev"] == self._rev
        return touched

    def one(self, query: str, params: Params = NONE) -> Row | None:
        """First row of a query or of a RETURNING clause, or None."""
        text, values, moves = placed(query)
        seat = self.seat
        with seat.in_use:
            row: Row | None = seat.connection.execute(text, values(params)).fetchone()
        if moves and row is not None:
            self._is_counted |= params["rev"] == self._rev
        return row

    def all(self, query: str, params: Params = NONE) -> list[Row]:
        """Every row of a query."""
        text, values, _ = placed(query)
        seat = self.seat
        with seat.in_use:
            return seat.connection.execute(text, values(params)).fetchall()

    def each(self, query: str, params: Params = NONE) -> Iterator[Row]:
        """Rows of a query one by one, as many as are taken."""
        text, values, _ = placed(query)
        seat = self.seat
        with seat.in_use:
            rows = seat.connection.execute(text, values(params))
        while True:
            with seat.in_use:
                row: Row | None = rows.fetchone()
            if row is None:
                return
            yield row
