"""Leaves out of the journal what tells of jobs that were deleted.

What is left must never tell of a job and not of its deletion: whoever mends a store by
it would run the job once more. So all of its files are written by the same jobs, and by
one process at a time.
"""

from __future__ import annotations

import os

from ..processes import take_lease
from . import witness
from .db import Database
from .journal import Journal

LOCK = "compacting.lock"


def compact(journal: Journal, database: Database) -> None:
    """Write the journal anew without the jobs that are gone.

    Where another process does that already, nothing is done.
    """
    try:
        lock = take_lease(journal.folder / LOCK)
    except BlockingIOError:
        return
    try:
        _compact(journal, database)
    finally:
        os.close(lock)


def _compact(journal: Journal, database: Database) -> None:
    numbers = journal.numbers()
    if not numbers:
        return
    known = _known(database)  # read after the list: every job of those files is there
    for number in numbers[:-1]:
        journal.rewrite(number, lambda fact: witness.is_needed(fact, known))
    gate = database.gate()
    gate.enter()
    try:
        if journal.numbers() != numbers:
            return  # it is not the last one any more: what is new would tell too little
        # A job that was deleted since is told of by the files before.
        known |= _known(database)
        journal.rewrite(numbers[-1], lambda fact: witness.is_needed(fact, known))
    finally:
        gate.leave()


def _known(database: Database) -> set[str]:
    return {row["id"] for row in database.reader.each(witness.STANDS)}
