"""The rows of a long table as one file, from which a page is read without the rest.

A line of JSON for each ``PAGE_ROWS`` rows, then one that says where each begins, then
the place of that line in sixteen digits.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .cells import holds, rank
from .tables import rows_of

PAGE_ROWS = 500
MOST_ROWS = 100_000
MOST_BYTES = 64 << 20
_PLACE_DIGITS = 16


def packed(value: Any, most_s: float = 2.0) -> tuple[bytes, int] | None:
    """Write the rows of a frame or a list of dicts.

    Parameters
    ----------
    most_s : float
        Seconds after which what there is has to do.

    Returns
    -------
    bytes and int, or None
        The file, and how many rows it has; None where the value is no table.
    """
    end = time.monotonic() + most_s
    lines: list[bytes] = []
    starts: list[int] = []
    size = count = 0
    while count < MOST_ROWS and size < MOST_BYTES and time.monotonic() < end:
        rows = rows_of(value, count, PAGE_ROWS)
        if not rows:
            break
        line = json.dumps(rows, allow_nan=False, ensure_ascii=False).encode() + b"\n"
        starts.append(size)
        lines.append(line)
        size, count = size + len(line), count + len(rows)
    if not lines:
        return None
    index = json.dumps({"rows": count, "starts": starts}).encode() + b"\n"
    return b"".join([*lines, index, b"%0*d" % (_PLACE_DIGITS, size)]), count


class Pages:
    """A file of rows, read.

    Parameters
    ----------
    path : pathlib.Path
        As :func:`packed` has made it.

    Raises
    ------
    ValueError
        If it is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _PLACE_DIGITS:
                raise ValueError(f"{path} has no rows")
            file.seek(size - _PLACE_DIGITS)
            place = int(file.read())
            file.seek(place)
            index = json.loads(file.read(size - _PLACE_DIGITS - place))
        self.rows = int(index["rows"])
        self._starts: list[int] = [*index["starts"], place]

    def read(self, offset: int, limit: int) -> list[list[Any]]:
        """Give so many rows from a row on."""
        found: list[list[Any]] = []
        for number in range(offset // PAGE_ROWS, len(self._starts) - 1):
            page = self._page(number)
            skipped = max(0, offset - number * PAGE_ROWS)
            found += page[skipped : skipped + limit - len(found)]
            if len(found) >= limit:
                break
        return found

    def all(self) -> Iterator[list[Any]]:
        """Give every row."""
        for number in range(len(self._starts) - 1):
            yield from self._page(number)

    def _page(self, number: int) -> list[list[Any]]:
        start, stop = self._starts[number : number + 2]
        with self._path.open("rb") as file:
            file.seek(start)
            rows: list[list[Any]] = json.loads(file.read(stop - start))
        return rows


def wanted(
    rows: Iterator[list[Any]],
    text: str,
    column: int | None,
    kind: str,
    *,
    is_down: bool,
) -> list[list[Any]]:
    """Give the rows in which a text occurs, sorted by a column of a kind.

    Empty cells and what is no number (NaN) come last, whichever way it is sorted.
    """
    found = list(rows)
    if text:
        needle = text.casefold()
        found = [row for row in found if any(holds(cell, needle) for cell in row)]
    if column is None:
        return found
    ranked = [(rank(row[column], kind), row) for row in found]
    full = [(place, row) for place, row in ranked if place is not None]
    full.sort(key=lambda one: one[0], reverse=is_down)
    return [row for _, row in full] + [row for place, row in ranked if place is None]
