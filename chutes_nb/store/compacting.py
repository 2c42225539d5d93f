"""Leaves out of the journal what tells of jobs that were deleted.

What is left must never tell of a job and not of its deletion: whoever mends a store by
it would run the job once more. So all of its files are written by the same jobs, by
one process at a time, and never while somebody reads them: who has the submit from a
file of before would not find the deletion in one of after.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator

from ..errors import StoreBusy
from ..paths import PRIVATE_FILE
from ..processes import above_streams, forget_own, keep_from_children
from . import witness
from .db import Database, Transaction
from .gate import GATE_TIMEOUT_S
from .journal import Journal

LOCK = "compacting.lock"
PAUSE_S = 0.002
# The lock file cannot be made. Then nobody else has it, or it is another user's.
NO_LOCK = (
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOENT, errno.ENOSPC, errno.EDQUOT),
)


def compact(journal: Journal, database: Database) -> None:
    """Write the journal anew without the jobs that are gone.

    Where another process does that already, or reads it, nothing is done: it is an
    economy, and the next prune comes.
    """
    with _lock_file(journal) as fd:
        if _is_had(fd, fcntl.LOCK_EX):
            _compact(journal, database)


@contextlib.contextmanager
def held_back(journal: Journal) -> Iterator[None]:
    """Have nobody write the journal anew for as long as it is read.

    It is entered before the gate, by all: who writes the journal anew waits at the gate
    and has this. One who has it already may enter it once more.

    Raises
    ------
    StoreBusy
        If somebody writes it for longer than anybody may keep the gate.
    """
    with contextlib.ExitStack() as held:
        try:
            fd = held.enter_context(_lock_file(journal))
        except OSError as error:
            if error.errno not in NO_LOCK:
                raise
        else:
            _wait(fd)
        yield


@contextlib.contextmanager
def _lock_file(journal: Journal) -> Iterator[int]:
    # A file object: wherever an interrupt comes it is closed, and the lock goes too.
    with open(journal.folder / LOCK, "ab", opener=_private) as file:
        fd = file.fileno()
        try:
            keep_from_children(fd)
            yield fd
        finally:
            forget_own(fd)
            # A child that is being started may still have the file.
            fcntl.flock(fd, fcntl.LOCK_UN)


def _private(path: str, flags: int) -> int:
    return above_streams(os.open(path, flags, PRIVATE_FILE))


def _is_had(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(fd: int) -> None:
    """Wait for who writes the journal, which takes about as long as to read it."""
    end = time.monotonic() + GATE_TIMEOUT_S
    while not _is_had(fd, fcntl.LOCK_SH):
        if time.monotonic() > end:
            raise StoreBusy(
                f"another process has written the journal for {GATE_TIMEOUT_S:g} s; it "
                "may be stopped or stuck: %chute_doctor names who uses the store"
            )
        time.sleep(PAUSE_S)


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
    with database.gate().taken():
        if journal.numbers() != numbers:
            return  # it is not the last one any more: what is new would tell too little
        database.is_in_place()
        reader = database.reader
        if reader.seat.connection is not connection:
            return  # the new file's jobs are others than those that were known
        # A job that was deleted since is told of by the files before.
        known |= _known(reader)
        journal.rewrite(numbers[-1], lambda fact: witness.is_needed(fact, known))


def _known(reader: Transaction) -> set[str]:
    return {row["id"] for row in reader.each(witness.STANDS)}
