"""Compares what a store holds, value by value, with what its journal was told.

SQLite keeps no checksum of a page: a byte that was changed within a value is found by
``PRAGMA integrity_check`` only where it breaks the structure of the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..states import ENDED
from . import jobs, runs
from .claiming import output_name
from .db import Row, Transaction
from .faults import is_passing
from .journal import ATTEMPT, DEFINITION, END, FILE, JOB, Record
from .witness import ENDING, HAS_FILE

# What never changes once it is written. Others move: limits are extended, jobs change
# hands, times follow a clock that was set.
GIVEN = ("chute", "name", "definition", "max_attempts", "grace_s", "priority", "policy")
INPUT = ("input_kind", "input")
DEFINED = ("chute", "name", "code", "setup", "source", "sources", "schema", "options")
ENDED_AS = {
    "state": "state",
    "now": "finished_at",
    "reason": "reason",
    "error": "error",
    "reported_failure": "reported_failure",
}
AN_ATTEMPT = """
SELECT worker, output, state, error
  FROM attempts
 WHERE job = :job AND number = :number
"""
FOREIGN_KEYS = "PRAGMA foreign_key_check"
# A value of another type, or that is no text any more, cannot even be read; where the
# schema was hit, a column has another name.
UNREADABLE = (sqlite3.DatabaseError, ValueError, TypeError, LookupError)
Look = Callable[[Transaction, list[Any]], str | None]


def differences(
    tx: Transaction, records: Iterable[Record]
) -> Iterator[tuple[str, str]]:
    """Find what a store has otherwise than its journal, which was read first.

    Yields
    ------
    tuple of str
        The job or the definition, and what of it is wrong. A job that is not in the
        store at all is none of it: it may have been deleted. What belongs to a job
        goes with it only, so of a job that is there nothing may be missing.

    Raises
    ------
    sqlite3.DatabaseError
        If a row could not be read for another reason than damage.
    """
    looks = {JOB: _job, ATTEMPT: _attempt, END: _end, FILE: _file}
    defined = {}
    for record in records:
        for kind, *values in record.facts:
            if kind == DEFINITION:
                defined[values[0]] = values  # the last word counts
            elif kind in looks:
                yield from _found(looks[kind], tx, values)
    for values in defined.values():
        yield from _found(_definition, tx, values)


def _found(look: Look, tx: Transaction, values: list[Any]) -> Iterator[tuple[str, str]]:
    try:
        what = look(tx, values)
    except UNREADABLE as error:
        if is_passing(error):
            raise
        what = f"its row ({error})"
    if what is not None:
        yield str(values[0]), what


def _differs(row: Row | None, told: Mapping[str, Any], names: Iterable[str]) -> bool:
    # An earlier version may have told less.
    return row is not None and any(
        row[one] != told[one] for one in names if one in told
    )


def _job(tx: Transaction, values: list[Any]) -> str | None:
    told = values[1]
    # The payload of one that follows another comes with the end of that one.
    names = GIVEN if told.get("after") is not None else (*GIVEN, *INPUT)
    row = tx.one(jobs.GET, {"job": values[0]})
    return "what it was given" if _differs(row, told, names) else None


def _definition(tx: Transaction, values: list[Any]) -> str | None:
    row = tx.one(jobs.GET_DEFINITION, {"key": values[0]})
    return "its code" if _differs(row, values[1], DEFINED) else None


def _attempt(tx: Transaction, values: list[Any]) -> str | None:
    job, number, worker, _, output = values
    row = tx.one(AN_ATTEMPT, {"job": job, "number": number})
    told = {"worker": worker, "output": output_name(output)}
    is_lost = row is None and jobs.state(tx, job) is not None
    return f"attempt {number}" if is_lost or _differs(row, told, told) else None


def _file(tx: Transaction, values: list[Any]) -> str | None:
    names = ("job", "attempt", *runs.KeptFile._fields)
    place = dict(zip(names, values, strict=True))
    if place["origin"].startswith(runs.SHOWN):
        return None  # another one may be shown in its place since
    if tx.one(HAS_FILE, place) is not None or jobs.state(tx, values[0]) is None:
        return None
    return f"its file {place['name']!r}"


def _end(tx: Transaction, values: list[Any]) -> str | None:
    told = dict(zip((*ENDING, "reported_failure"), values, strict=False))
    own_end, result = values[len(ENDING) + 1 :]
    number = told["attempt"]
    row = tx.one(AN_ATTEMPT, {"job": values[0], "number": number})
    if _differs(row, {"state": own_end, "error": told["error"]}, ("state", "error")):
        return f"the end of attempt {number}"
    row = tx.one(jobs.GET, {"job": values[0]})
    if row is None or told["state"] not in ENDED:
        return None
    if any(row[there] != told[here] for here, there in ENDED_AS.items()):
        return "its end"
    if result is not None:
        row = tx.one(jobs.RESULT, {"job": values[0]})
        names = jobs.RESULT_FIELDS
        if row is None or any(
            row[name] != value for name, value in zip(names, result, strict=True)
        ):
            return "its result"
    return None
