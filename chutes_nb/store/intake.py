"""What others than an executor put into the store: jobs by name, and their keys."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import JobNotFound, MoveRefused
from ..processes import Identity, is_held
from ..states import ENDED, State
from . import fleet, following, jobs, kernel, runs
from .db import Row, Transaction
from .ids import new_id
from .journal import DEFINITION

# A definition that is made again is the newest again, with the options it has now (who
# submits by name has no others) and the number that its cell has now.
PUBLISH = f"""
{jobs.ADD_DEFINITION.replace("OR IGNORE", "")}
ON CONFLICT (key) DO UPDATE
   SET created_at = excluded.created_at, options = excluded.options,
       sources = excluded.sources
"""
# A chute is known by its username and its name; the former is among the options.
# With max() SQLite takes the other columns from the row that has it.
NEWEST_BY_CHUTE = """
SELECT key, chute, name, schema, options, python, max(created_at),
       json_extract(options, '$.username') AS username
  FROM definitions
 WHERE name = :name
 GROUP BY chute, username
"""
ALL_NEWEST = """
SELECT key, chute, name, options, max(created_at),
       json_extract(options, '$.username') AS username
  FROM definitions
 GROUP BY chute, username, name
 ORDER BY chute, name, username
"""
NEWEST_LIKE = """
SELECT n.key, n.options, n.python
  FROM jobs j
  JOIN definitions d ON d.key = j.definition
  JOIN definitions n ON n.chute = d.chute AND n.name = d.name
 WHERE j.id = :job
   AND json_extract(n.options, '$.username') IS json_extract(d.options, '$.username')
 ORDER BY n.created_at DESC, n.rowid DESC
 LIMIT 1
"""
OF_JOB = """
SELECT d.chute, d.name, d.options, d.python,
       json_extract(d.options, '$.username') AS username
  FROM jobs j JOIN definitions d ON d.key = j.definition
 WHERE j.id = :job
"""
# The living first, and of these a kernel before a host; then whoever died last.
EXECUTORS = """
SELECT id, lease, ended_at
  FROM executors
 WHERE python IN (SELECT value FROM json_each(:names))
 ORDER BY ended_at IS NOT NULL, kind = 'host', started_at DESC
"""
KEY = "SELECT job, digest FROM request_keys WHERE key = :key"
ADD_KEY = "INSERT INTO request_keys (key, job, digest) VALUES (:key, :job, :digest)"
SET_REASON = """
UPDATE jobs
   SET reason = :reason, rev = :rev
 WHERE id = :job AND state = 'queued'
"""
FILE = "SELECT * FROM files WHERE job = :job AND n = :n"


class Place(NamedTuple):
    """Who a job is queued for.

    Attributes
    ----------
    executor : str
    is_alive : bool
    """

    executor: str
    is_alive: bool


class Queued(NamedTuple):
    """What became of a request.

    Attributes
    ----------
    job : str
    is_new : bool
        False where an earlier request with the same key had queued it.
    is_alive : bool
        Whether somebody lives who runs it.
    """

    job: str
    is_new: bool
    is_alive: bool


class KeyTaken(Exception):
    """Another request has the same key; ``job`` is what that one queued."""

    def __init__(self, job: str) -> None:
        self.job = job
        super().__init__(job)


def publish(tx: Transaction, definition: jobs.NewDefinition) -> None:
    """Keep a definition as the newest of its name."""
    fields = asdict(definition)
    tx.run(PUBLISH, fields)
    tx.facts.append((DEFINITION, definition.key, fields))


def newest_definitions(tx: Transaction, name: str) -> list[Row]:
    """Return the newest definition of a name in each chute that has one."""
    return tx.all(NEWEST_BY_CHUTE, {"name": name})


def all_newest(tx: Transaction) -> list[Row]:
    """Return the newest definition of each name of each chute."""
    return tx.all(ALL_NEWEST)


def definition_of(tx: Transaction, job: str) -> Row | None:
    """Return chute, name, options and interpreter of a job's definition."""
    return tx.one(OF_JOB, {"job": job})


def names_of(tx: Transaction, job: str) -> tuple[str, str, str | None]:
    """Return what a job is of: chute, name of the function, and username."""
    row = definition_of(tx, job)
    assert row is not None  # held by a foreign key
    return row["chute"], row["name"], row["username"]


def newest_like(tx: Transaction, job: str) -> Row | None:
    """Return key, options and interpreter of what a job's name stands for now."""
    return tx.one(NEWEST_LIKE, {"job": job})


def file(tx: Transaction, job: str, n: int) -> Row | None:
    """Return a file of a job by its number."""
    return tx.one(FILE, {"job": job, "n": n})


def place_for(tx: Transaction, python: str, leases: Path) -> Place:
    """Choose whose queue a job of an interpreter joins.

    A living executor of it where there is one. Should that one die a moment later,
    its heir finds the job, as it does where nobody lives: then the job is left to
    the one that died last, who counts as not ended again.
    """
    last: str | None = None
    names = json.dumps(fleet.names_of(tx, python))
    for row in tx.each(EXECUTORS, {"names": names}):
        last = last or row["id"]
        if row["ended_at"] is not None:
            break
        if is_held(Path(row["lease"])):
            return Place(row["id"], True)
    if last is None:
        last = _nobody(tx, python, leases)
    fleet.reopen(tx, last)
    return Place(last, False)


def _nobody(tx: Transaction, python: str, leases: Path) -> str:
    """Record an executor that never lived, for its heirs to find a first job."""
    name = new_id()
    fleet.add_executor(
        tx,
        name,
        kind="host",
        who=Identity(0, 0, ""),
        python=python,
        lease=str(leases / f"{name}.executor"),
        sqlite=sqlite3.sqlite_version,
        now=time.time(),
    )
    return name


def queue(
    tx: Transaction,
    job: jobs.NewJob,
    python: str,
    leases: Path,
    key: str | None = None,
    digest: str = "",
) -> Queued:
    """Queue a job for whoever runs jobs of an interpreter.

    Parameters
    ----------
    leases : pathlib.Path
        The store's folder of leases.
    key : str, optional
        The request's own name: the same request is queued once.
    digest : str
        Stands for all that the request says.

    Raises
    ------
    KeyTaken
        If another request has the same key.
    """
    if key is not None:
        row = tx.one(KEY, {"key": key})
        if row is not None:
            if row["digest"] != digest:
                raise KeyTaken(row["job"])
            return Queued(row["job"], False, True)
    place = place_for(tx, python, leases)
    if job.lane == "kernel":
        home = kernel.living_home(tx, job.definition)
        place = Place(home or place.executor, home is not None)
    found = jobs.add(tx, replace(job, executor=place.executor))
    if key is not None:
        tx.run(ADD_KEY, {"key": key, "job": found, "digest": digest})
    return Queued(found, found == job.id, place.is_alive)


def queue_again(
    tx: Transaction,
    job_id: str,
    leases: Path,
    now: float,
    resume: bool,
    key: str | None = None,
    changed: Mapping[str, Any] | None = None,
) -> Queued:
    """Queue a new job of an ended one, with the same input.

    Parameters
    ----------
    key : str, optional
        The request's own name: the same request is queued once.
    changed : mapping, optional
        Fields of ``NewJob`` that are not those of the old one: ``definition``,
        ``reuse_key`` and its options, where the code of now is wanted.

    Raises
    ------
    JobNotFound
    KeyTaken
        If another request has the same key.
    MoveRefused
        If the job has not ended.
    KernelGone
        If it needs what was in a kernel only, and that has ended.
    """
    row = jobs.get(tx, job_id)
    if State(row["state"]) not in ENDED:
        raise MoveRefused(job_id, to="queued again", found=row["state"])
    kernel.refuse_unstored(row)
    if row["lane"] == "kernel" and kernel.living_home(tx, row["definition"]) is None:
        kernel.refuse_foreign(row)
    following.refuse_without_input(row)
    names = jobs.NewJob.__dataclass_fields__.keys() & set(row.keys())
    old = jobs.NewJob(**{name: row[name] for name in names})
    span = None if old.deadline_at is None else old.deadline_at - old.submitted_at
    facts = {"deadline_at": None if span is None else now + span} | dict(changed or {})
    new = replace(old, id=new_id(), submitted_at=now, retry_of=job_id, **facts)
    definition = tx.one(jobs.GET_DEFINITION, {"key": new.definition})
    assert definition is not None  # held by a foreign key
    digest = f"{job_id} again, resume {resume}, definition {new.definition}"
    queued = queue(tx, new, definition["python"], leases, key, digest)
    if resume and queued.is_new:
        runs.copy_checkpoint(tx, job_id, queued.job)
    return queued


def say_why(tx: Transaction, job: str, reason: str) -> None:
    """Say of a queued job why it waits."""
    tx.run(SET_REASON, {"job": job, "reason": reason, "rev": tx.rev})


def answers_to(row: Row, scope: str) -> bool:
    """Whether a definition's chute is meant by ``USERNAME-CHUTE`` or its name."""
    return scope.casefold() in (one.casefold() for one in _names(row))


def answering(rows: Iterable[Row], scope: str) -> list[Row]:
    """Give the definitions of the chute that is meant.

    Capitals make no difference, as in the name of a host, unless two chutes differ
    in nothing else.
    """
    found = [row for row in rows if answers_to(row, scope)]
    return [row for row in found if scope in _names(row)] or found


def _names(row: Row) -> tuple[str, str]:
    return row["chute"], f"{row['username']}-{row['chute']}"


def filters_of(tx: Transaction, scope: str) -> dict[str, str]:
    """Return what a list is narrowed by for ``USERNAME-CHUTE`` or a plain name.

    Raises
    ------
    JobNotFound
    """
    for row in answering(all_newest(tx), scope):
        found = {"chute": row["chute"], "username": row["username"]}
        is_plain = scope.casefold() == row["chute"].casefold()
        return {"chute": row["chute"]} if is_plain else found
    raise JobNotFound(f"no chute answers to {scope!r}")
