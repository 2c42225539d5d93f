"""Leaves out of the journal what tells of jobs that were deleted.

What is left must never tell of a job and not of its deletion: whoever mends a store by
it would run the job once more. So all of its files are written by the same jobs, and by
one process at a time.
"""

from __future__ import annotations

import os

from ..processes import take_lease
from . import witness
from .db import Database, Transaction
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
    database.is_in_place()  # one that was put aside does not know which jobs there are
    reader = database.reader
    connection = reader.seat.connection
    known = _known(reader)  # read after the list: every job of those files is there
    for number in numbers[:-1]:
        journal.rewrite(number, lambda fact: witness.is_needed(fact, known))
    gate = database.gate()
    try:
        gate.enter()
        if journal.numbers() != numbers:
            return  # it is not the last one any more: what is new would tell too little
        database.is_in_place()
        reader = database.reader
        if reader.seat.connection is not connection:
            return  # the new file's jobs are others than those that were known
        # A job that was deleted since is told of by the files before.
        known |= _known(reader)
        journal.rewrite(numbers[-1], lambda fact: witness.is_needed(fact, known))
    finally:
        if gate.is_entered:
            gate.leave()


def _known(reader: Transaction) -> set[str]:
    return {row["id"] for row in reader.each(witness.STANDS)}
