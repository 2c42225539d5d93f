"""Executors and workers: who runs jobs, and who inherits from the dead."""

from __future__ import annotations

from ..paths import interpreter_of
from ..processes import Identity
from .db import Row, Transaction
from .holding import IS_PAUSED
from .journal import (
    BORN,
    EXECUTOR,
    EXECUTOR_GONE,
    EXECUTOR_REOPENED,
    INHERITED,
    WORKER,
    WORKER_GONE,
)

ADD_EXECUTOR = """
INSERT INTO executors (id, kind, pid, boot_id, python, lease, sqlite, max_workers,
       is_nested, started_at)
VALUES (:id, :kind, :pid, :boot_id, :python, :lease, :sqlite, :max_workers,
       :is_nested, :now)
ON CONFLICT (id) DO NOTHING
"""
SET_MAX_WORKERS = "UPDATE executors SET max_workers = :most WHERE id = :id"
END_EXECUTOR = (
    "UPDATE executors SET ended_at = :now WHERE id = :id AND ended_at IS NULL"
)
LIVE_EXECUTORS = "SELECT * FROM executors WHERE ended_at IS NULL"
UNENDED = """
SELECT *
  FROM executors
 WHERE ended_at IS NULL
 ORDER BY started_at
"""
PYTHONS = "SELECT DISTINCT python FROM executors"
REOPEN = "UPDATE executors SET ended_at = NULL WHERE id = :id"
ADD_WORKER = """
INSERT INTO workers (id, executor, lease, socket, folder, started_at)
VALUES (:id, :executor, :lease, :socket, :folder, :now)
ON CONFLICT (id) DO NOTHING
"""
SET_BORN = """
UPDATE workers
   SET pid = :pid, start_ticks = :start_ticks, boot_id = :boot_id
 WHERE id = :id
"""
# Not while it has an attempt: nobody would look for that one any more.
END_WORKER = """
UPDATE workers
   SET ended_at = :now
 WHERE id = :id AND ended_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND worker = :id)
"""
LIVE_WORKERS = "SELECT * FROM workers WHERE executor = :executor AND ended_at IS NULL"
OWNER = "SELECT executor FROM workers WHERE id = :id"
# An attempt has the name of its output, which lies beside its worker's folder.
RUNNING_ON = """
SELECT j.id, j.chute, j.name, j.definition, j.attempt, j.max_attempts, j.timeout_s,
       j.grace_s, j.deadline_at, j.policy, j.input_kind, j.input, j.cancel_by,
       j.concurrency IS NOT NULL OR j.resources IS NOT NULL AS is_limited,
       j.fresh, a.started_at,
       rtrim(w.folder, replace(w.folder, '/', '')) || a.output AS output
  FROM jobs j
  JOIN attempts a ON a.job = j.id AND a.number = j.attempt
  JOIN workers w ON w.id = j.worker
 WHERE j.state = 'running' AND j.worker = :worker
"""
HERITAGE = """
SELECT 1 FROM jobs WHERE executor = :id AND state IN ('queued', 'retrying')
UNION ALL
SELECT 1 FROM jobs WHERE executor = :id AND state = 'running'
UNION ALL
SELECT 1 FROM workers WHERE executor = :id AND ended_at IS NULL
LIMIT 1
"""
# What could be begun one day without anybody's leave.
WAITING = f"""
SELECT 1
  FROM jobs
 WHERE executor = :id AND state IN ('queued', 'retrying') AND lane <> 'kernel'
   AND waits = 0
   AND NOT {IS_PAUSED}
 LIMIT 1
"""
RUNNING = """
SELECT w.lease
  FROM jobs j JOIN workers w ON w.id = j.worker
 WHERE j.state = 'running' AND j.executor = :id
"""
# Two statements, since each of the two states has an index of its own: the whole
# table would be read for both at once.
INHERIT_WAITING = """
UPDATE jobs
   SET executor = :heir, rev = :rev
 WHERE executor = :dead AND state IN ('queued', 'retrying')
"""
INHERIT_RUNNING = """
UPDATE jobs
   SET executor = :heir, rev = :rev
 WHERE executor = :dead AND state = 'running'
"""
INHERIT_WORKERS = """
UPDATE workers
   SET executor = :heir
 WHERE executor = :dead AND ended_at IS NULL
RETURNING *
"""


def add_executor(
    tx: Transaction,
    executor: str,
    *,
    kind: str,
    who: Identity,
    python: str,
    lease: str,
    sqlite: str,
    now: float,
    max_workers: int | None = None,
    is_nested: bool = False,
) -> None:
    """Record an executor; it holds its lease already."""
    place = {"id": executor, "kind": kind, "pid": who.pid, "boot_id": who.boot_id}
    place |= {"python": python, "lease": lease, "sqlite": sqlite, "now": now}
    place |= {"max_workers": max_workers, "is_nested": is_nested}
    tx.run(ADD_EXECUTOR, place)
    tx.facts.append((EXECUTOR, executor, place))


def set_max_workers(tx: Transaction, executor: str, most: int) -> None:
    """Record how many workers an executor may start, for whoever inherits."""
    tx.run(SET_MAX_WORKERS, {"id": executor, "most": most})


def end_executor(tx: Transaction, executor: str, now: float) -> None:
    """Record that an executor is no more."""
    tx.run(END_EXECUTOR, {"id": executor, "now": now})
    tx.facts.append((EXECUTOR_GONE, executor, now))


def has_heritage(tx: Transaction, executor: str) -> bool:
    """Whether an executor has jobs or workers that somebody could take over."""
    return tx.one(HERITAGE, {"id": executor}) is not None


def live_executors(tx: Transaction) -> list[Row]:
    """Executors not recorded as ended; their leases tell whether they live."""
    return tx.all(LIVE_EXECUTORS)


def unended_executors(tx: Transaction, python: str) -> list[Row]:
    """Executors of an interpreter that may have left something, oldest first."""
    own = interpreter_of(python)
    return [row for row in tx.all(UNENDED) if interpreter_of(row["python"]) == own]


def names_of(tx: Transaction, python: str) -> list[str]:
    """Return all names by which executors of an interpreter have known it."""
    own = interpreter_of(python)
    return [row[0] for row in tx.all(PYTHONS) if interpreter_of(row[0]) == own]


def reopen(tx: Transaction, executor: str) -> None:
    """Let jobs be left to an executor that has ended: its heirs look there again."""
    tx.run(REOPEN, {"id": executor})
    tx.facts.append((EXECUTOR_REOPENED, executor))


def has_waiting(tx: Transaction, executor: str) -> bool:
    """Whether jobs of an executor wait that could start, now or at their time."""
    return tx.one(WAITING, {"id": executor}) is not None


def leases_of_running(tx: Transaction, executor: str) -> list[str]:
    """Lease files of the workers that hold an executor's running jobs."""
    return [row[0] for row in tx.all(RUNNING, {"id": executor})]


def add_worker(
    tx: Transaction,
    worker: str,
    executor: str,
    *,
    lease: str,
    socket: str,
    folder: str,
    now: float,
) -> None:
    """Record a worker before it is born."""
    place = {"id": worker, "executor": executor, "lease": lease, "socket": socket}
    tx.run(ADD_WORKER, place | {"folder": folder, "now": now})
    tx.facts.append((WORKER, *place.values(), folder, now))


def born(tx: Transaction, worker: str, who: Identity) -> None:
    """Record which process a worker is."""
    tx.run(SET_BORN, who._asdict() | {"id": worker})
    tx.facts.append((BORN, worker, who.pid, who.start_ticks, who.boot_id))


def end_worker(tx: Transaction, worker: str, now: float) -> None:
    """Record that a worker is no more."""
    tx.run(END_WORKER, {"id": worker, "now": now})
    tx.facts.append((WORKER_GONE, worker, now))


def live_workers(tx: Transaction, executor: str) -> list[Row]:
    """Workers of an executor which are not recorded as ended."""
    return tx.all(LIVE_WORKERS, {"executor": executor})


def running_on(tx: Transaction, worker: str) -> Row | None:
    """Return the running job that a worker holds, with its live attempt."""
    return tx.one(RUNNING_ON, {"worker": worker})


def inherit(tx: Transaction, dead: str, heir: str, now: float) -> tuple[int, list[Row]]:
    """Give a dead executor's jobs and workers to a living one.

    Returns
    -------
    int
        How many jobs changed hands.
    list of sqlite3.Row
        The workers that did; none where another heir was faster.
    """
    names = {"dead": dead, "heir": heir, "rev": tx.rev}
    workers = tx.all(INHERIT_WORKERS, {"dead": dead, "heir": heir})
    jobs = tx.run(INHERIT_WAITING, names) + tx.run(INHERIT_RUNNING, names)
    tx.facts.append((INHERITED, dead, heir, now))
    end_executor(tx, dead, now)
    return jobs, workers
