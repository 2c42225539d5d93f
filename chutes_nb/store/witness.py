"""Facts for the journal, and the way back: rows out of a journal's facts.

Each fact is a kind and its values. Playing facts back is idempotent: what the store
has already is left as it is, so the same code fills an empty store and mends one that
lost its newest commits.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ..paths import interpreter
from ..states import ENDED, State
from . import claiming, fleet, following, holding, intake, jobs, moving, runs
from .db import Transaction
from .journal import (
    ATTEMPT,
    BORN,
    DEFINITION,
    DELETED,
    END,
    END_WAITING,
    EXECUTOR,
    EXECUTOR_GONE,
    EXECUTOR_REOPENED,
    FILE,
    INHERITED,
    JOB,
    PARTIAL,
    PAUSE,
    RELEASED,
    WORKER,
    WORKER_GONE,
    Fact,
    Record,
)

REPLAY_ATTEMPT = f"""
UPDATE jobs
   SET state = 'running', move = {moving.NEXT},
       attempt = :attempt, worker = :worker,
       started_at = coalesce(started_at, :now), changed_at = :now,
       reason = NULL, error = NULL, rev = :rev
 WHERE id = :job AND attempt < :attempt AND state IN ('queued', 'retrying')
RETURNING id
"""
ABOUT_JOBS = {JOB, ATTEMPT, END, END_WAITING, DELETED, PARTIAL, FILE, RELEASED}
STANDS = "SELECT id, attempt, state FROM jobs"
HAS_PARTIAL = """
SELECT 1 FROM partials WHERE job = :job AND attempt = :attempt AND at = :at
 AND body = :body
"""
HAS_FILE = """
SELECT 1 FROM files WHERE job = :job AND attempt = :attempt AND name = :name
   AND sha256 = :sha256
"""
# A count is kept by triggers; one that is wrong was damaged, like any other value.
RECOUNT = """
UPDATE clock
   SET {state} = (SELECT count(*) FROM jobs WHERE state = '{state}')
 WHERE {state} <> (SELECT count(*) FROM jobs WHERE state = '{state}')
"""
RAISE_REV = "UPDATE clock SET rev = max(rev, :rev)"
# Progress, metrics and lost commits have used revisions that no record names.
REV_MARGIN = 1_000_000


def missing(tx: Transaction, records: Iterable[Record]) -> dict[str, str]:
    """Compare a store with its journal, which was read first.

    Returns
    -------
    dict of str to str
        Id of each job that the store should have, or has too little of, and what.
    """
    wanted: dict[str, tuple[int, str | None]] = {}
    for record in records:
        for kind, *values in record.facts:
            job = values[0]
            if kind == JOB:
                wanted[job] = (0, None)
            elif kind == DELETED:
                wanted.pop(job, None)
            elif job in wanted and kind == ATTEMPT:
                wanted[job] = (values[1], None)
            elif job in wanted and kind in (END, END_WAITING):
                state = values[3] if kind == END else values[1]
                ended = state if state in ENDED else None
                wanted[job] = (wanted[job][0], ended)
    stands = {row["id"]: row for row in tx.each(STANDS)}
    found = {}
    for job, (attempt, end) in wanted.items():
        row = stands.get(job)
        if row is None:
            found[job] = "the job"
        elif row["attempt"] < attempt:
            found[job] = f"attempt {attempt}"
        elif end is not None and row["state"] != end:
            found[job] = f"its end ({end})"
    return found


def recount(tx: Transaction) -> int:
    """Count the jobs anew; returns how many counts were wrong."""
    return sum(tx.run(RECOUNT.format(state=state)) for state in State)


def is_needed(fact: Fact, known: Container[str]) -> bool:
    """Whether a fact still tells of something; ``known`` are the jobs there are."""
    return fact[0] not in ABOUT_JOBS or fact[1] in known


def play(tx: Transaction, records: Iterable[Record], rev: int) -> set[str]:
    """Bring a store to where its journal says it was.

    Parameters
    ----------
    rev : int
        The newest revision that anybody may have seen.

    Returns
    -------
    set of str
        Ids of the jobs that were changed or added.
    """
    tx.run(RAISE_REV, {"rev": rev + REV_MARGIN})
    changed = set()
    for record in records:
        for kind, *values in record.facts:
            player = _PLAYERS.get(kind)  # a later version may know more kinds
            # One that refers to a lost record, or that a later version wrote in
            # another way, must not cost the others.
            with contextlib.suppress(sqlite3.IntegrityError, ValueError, TypeError):
                if player is not None and player(tx, values):
                    changed.add(values[0])
            if kind == DELETED:
                changed.discard(values[0])
    tx.facts.clear()  # the journal has them
    return changed


def _definition(tx: Transaction, values: Sequence[Any]) -> None:
    intake.publish(tx, jobs.NewDefinition(**values[1]))


def _job(tx: Transaction, values: Sequence[Any]) -> bool:
    if jobs.state(tx, values[0]) is not None:
        return False
    params = asdict(jobs.NewJob(**values[1])) | {"rev": tx.rev}
    try:
        tx.run(jobs.ADD, params)
    except sqlite3.IntegrityError:  # its executor's record is gone
        _executor_of_nobody(tx, str(params["executor"]))
        tx.run(jobs.ADD, params)
    return True


# What a journal of an earlier version has not.
NEW_EXECUTOR = {"max_workers": None, "is_nested": False}
WORKER_FIELDS = "id executor lease socket folder now"


def _executor_of_nobody(tx: Transaction, executor: str) -> None:
    """Add an executor that is dead, so that a living one takes its jobs over."""
    place = {"id": executor, "kind": "kernel", "pid": 0, "boot_id": "", "now": 0.0}
    place |= {"python": interpreter(), "lease": f"/gone/{executor}", "sqlite": ""}
    _executor(tx, [executor, place])


def _executor(tx: Transaction, values: Sequence[Any]) -> None:
    tx.run(fleet.ADD_EXECUTOR, NEW_EXECUTOR | values[1])


def _pause(tx: Transaction, values: Sequence[Any]) -> None:
    holding.set_pause(tx, *values)


def _released(tx: Transaction, values: Sequence[Any]) -> bool:
    place = dict(zip(("job", "input", "inputs"), values, strict=True))
    return bool(tx.run(following.RELEASE, place | {"rev": tx.rev}))


def _worker_of_nobody(tx: Transaction, worker: str, output: str) -> None:
    _executor_of_nobody(tx, worker)
    folder = f"{output.rpartition('/')[0]}/{worker}"  # an output lies beside it
    facts = [worker, worker, f"/gone/{worker}", f"/gone/{worker}", folder, 0.0]
    tx.run(fleet.ADD_WORKER, dict(zip(WORKER_FIELDS.split(), facts, strict=True)))


def _attempt(tx: Transaction, values: Sequence[Any]) -> bool:
    names = ("job", "attempt", "worker", "now", "output")
    place = dict(zip(names, values, strict=True))
    params = place | {"rev": tx.rev}
    try:
        row = tx.one(REPLAY_ATTEMPT, params)
    except sqlite3.IntegrityError:  # its worker's record is gone
        _worker_of_nobody(tx, str(place["worker"]), str(place["output"]))
        row = tx.one(REPLAY_ATTEMPT, params)
    if row is None:
        return False
    claiming.add_attempt(tx, *values)
    return True


ENDING = ("job", "attempt", "worker", "state", "not_before", "now", "reason", "error")


def _end(tx: Transaction, values: Sequence[Any]) -> bool:
    place = dict(zip((*ENDING, "reported_failure"), values, strict=False))
    own_end, result = values[len(ENDING) + 1 :]
    ended = State(place["state"]).is_ended
    if not tx.run(jobs.FINISH, place | {"ended": ended, "rev": tx.rev}):
        return False
    jobs.end_attempt(tx, place | {"state": own_end}, result)
    return True


def _end_waiting(tx: Transaction, values: Sequence[Any]) -> bool:
    names = ("job", "state", "reason", "by", "now")
    place = dict(zip(names, values, strict=True)) | {"rev": tx.rev}
    return tx.one(jobs.END_QUEUED, place) is not None


def _deleted(tx: Transaction, values: Sequence[Any]) -> None:
    jobs.delete(tx, values[0])


def _partial(tx: Transaction, values: Sequence[Any]) -> None:
    names = ("job", "attempt", "kind", "body", "at")
    place = dict(zip(names, values, strict=True))
    is_known = jobs.state(tx, place["job"]) is not None
    if is_known and tx.one(HAS_PARTIAL, place) is None:
        tx.run(runs.ADD_PARTIAL, place)


def _file(tx: Transaction, values: Sequence[Any]) -> None:
    place = dict(zip(("job", "attempt", *runs.KeptFile._fields), values, strict=True))
    is_known = jobs.state(tx, place["job"]) is not None
    if is_known and tx.one(HAS_FILE, place) is None:
        runs.keep_file(tx, place)


def _row(statement: str, names: str) -> Callable[[Transaction, Sequence[Any]], None]:
    fields = names.split()

    def play_row(tx: Transaction, values: Sequence[Any]) -> None:
        tx.run(statement, dict(zip(fields, values, strict=True)))

    return play_row


def _inherited(tx: Transaction, values: Sequence[Any]) -> None:
    dead, heir, now = values
    fleet.inherit(tx, dead, heir, now)


_PLAYERS: dict[str, Callable[[Transaction, Sequence[Any]], bool | None]] = {
    DEFINITION: _definition,
    JOB: _job,
    ATTEMPT: _attempt,
    END: _end,
    END_WAITING: _end_waiting,
    DELETED: _deleted,
    PARTIAL: _partial,
    FILE: _file,
    EXECUTOR: _executor,
    EXECUTOR_REOPENED: _row(fleet.REOPEN, "id"),
    PAUSE: _pause,
    RELEASED: _released,
    EXECUTOR_GONE: _row(fleet.END_EXECUTOR, "id now"),
    INHERITED: _inherited,
    WORKER: _row(fleet.ADD_WORKER, WORKER_FIELDS),
    BORN: _row(fleet.SET_BORN, "id pid start_ticks boot_id"),
    WORKER_GONE: _row(fleet.END_WORKER, "id now"),
}
