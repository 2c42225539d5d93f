"""What a run tells while it runs: progress, metrics, state, parts, files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from .blobs import blob_path
from .db import Row, Transaction
from .journal import FILE, PARTIAL

# A telling from an attempt that is not the live one any more changes nothing.
NOTE = """
UPDATE jobs
   SET progress = coalesce(:progress, progress), stage = coalesce(:stage, stage),
       log_end = max(log_end, :log_end), rev = :rev,
       quiet_since = CASE WHEN :quiet_since IS NOT NULL THEN :quiet_since
                          WHEN :progress IS NOT NULL OR :log_end > log_end THEN NULL
                          ELSE quiet_since END
 WHERE id = :job AND attempt = :attempt
"""
TAKE_TOLD = """
UPDATE attempts
   SET told = :seq
 WHERE job = :job AND number = :attempt AND told < :seq AND finished_at IS NULL
"""
# The same stage told twice in a row is one.
ADD_STAGE = """
INSERT INTO stages (job, attempt, name, at)
SELECT :job, :attempt, :name, :at
 WHERE :name IS NOT (SELECT name FROM stages
                      WHERE job = :job AND attempt = :attempt
                      ORDER BY seq DESC LIMIT 1)
   AND (SELECT count(*) FROM stages WHERE job = :job) < 1000
"""
GET_STAGES = "SELECT attempt, name, at FROM stages WHERE job = :job ORDER BY seq"
ADD_METRIC = """
INSERT INTO metrics (job, attempt, name, step, value, at)
VALUES (:job, :attempt, :name, :step, :value, :at)
"""
FORGET_METRIC = """
DELETE FROM metrics
 WHERE job = :job AND attempt = :attempt AND name = :name
   AND step IS :step AND value IS :value
"""
SET_STATE = """
INSERT INTO states (job, attempt, body, exact, file, at)
VALUES (:job, :attempt, :body, :exact, :file, :at)
ON CONFLICT (job, attempt) DO UPDATE
   SET body = excluded.body, exact = excluded.exact, file = excluded.file,
       at = excluded.at
"""
GET_STATE = "SELECT * FROM states WHERE job = :job ORDER BY attempt DESC LIMIT 1"
GET_METRICS = """
SELECT name, step, value
  FROM metrics
 WHERE job = :job
   AND attempt = (SELECT max(attempt) FROM metrics WHERE job = :job)
 ORDER BY seq
"""
# A kind that ends so: the body is the hash of the content, which lies in a file.
IN_FILE = "@"
ADD_PARTIAL = """
INSERT INTO partials (job, attempt, kind, body, at)
VALUES (:job, :attempt, :kind, :body, :at)
"""
GET_PARTIALS = "SELECT kind, body FROM partials WHERE job = :job ORDER BY seq"
SET_CHECKPOINT = """
INSERT INTO checkpoints (job, attempt, step, kind, body, file, at)
VALUES (:job, :attempt, :step, :kind, :body, :file, :at)
ON CONFLICT (job) DO UPDATE
   SET attempt = excluded.attempt, step = excluded.step, kind = excluded.kind,
       body = excluded.body, file = excluded.file, at = excluded.at
"""
GET_CHECKPOINT = "SELECT * FROM checkpoints WHERE job = :job"
CHECKPOINT_FACTS = ("attempt", "step", "at")
COPY_CHECKPOINT = """
INSERT INTO checkpoints (job, attempt, step, kind, body, file, at)
SELECT :job, 0, step, kind, body, file, at FROM checkpoints WHERE job = :source
"""
ADD_FILE = """
INSERT INTO files (job, attempt, n, name, origin, size, type, sha256)
SELECT :job, :attempt,
       (SELECT coalesce(max(n), 0) + 1 FROM files WHERE job = :job),
       :name, :origin, :size, :type, :sha256
 WHERE NOT EXISTS (SELECT 1
                     FROM files
                    WHERE job = :job AND attempt = :attempt
                      AND name = :name AND sha256 = :sha256)
"""
# What is shown anew takes the place of what was shown.
REPLACE_FILE = """
UPDATE files
   SET size = :size, type = :type, sha256 = :sha256
 WHERE job = :job AND attempt = :attempt AND origin = :origin AND name = :name
"""
SHOWN = "shown:"
GET_FILES = "SELECT * FROM files WHERE job = :job ORDER BY n"
FIRST_START = "SELECT min(started_at) FROM attempts WHERE job = :job"


def first_start(tx: Transaction, job: str) -> float | None:
    """When the first attempt of a job began, in seconds since 1970."""
    row = tx.one(FIRST_START, {"job": job})
    return None if row is None else row[0]


class KeptFile(NamedTuple):
    """A file that stays with its job.

    Attributes
    ----------
    name : str
        Label for show, never a path to open.
    origin : str
        Where the run left it.
    size : int
        Bytes.
    type : str
        Media type.
    """

    name: str
    origin: str
    size: int
    type: str
    sha256: str


def note(
    tx: Transaction,
    job: str,
    attempt: int,
    *,
    progress: Mapping[str, Any] | None = None,
    stage: str | None = None,
    log_end: int = 0,
    quiet_since: float | None = None,
) -> None:
    """Write how far a job is; what is None stays as it was.

    Parameters
    ----------
    quiet_since : float, optional
        Since when the attempt is silent for longer than is usual for it, in seconds
        since 1970; the next output or progress clears it.
    """
    told = None if progress is None else json.dumps(_finite(progress))
    place = {"job": job, "attempt": attempt, "rev": tx.rev, "quiet_since": quiet_since}
    tx.run(NOTE, place | {"progress": told, "stage": stage, "log_end": log_end})


def _finite(progress: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what no JSON can say: huge counts have an infinite rate."""
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in progress.items()
    }


def take_told(tx: Transaction, job: str, attempt: int, seq: int) -> bool:
    """Take note of a batch of what an attempt tells; False where it is here already.

    Parameters
    ----------
    seq : int
        Number of the batch, counted by the worker; 0 for one that is told once only.
    """
    place = {"job": job, "attempt": attempt, "seq": seq}
    return not seq or bool(tx.run(TAKE_TOLD, place))


def add_stage(tx: Transaction, job: str, attempt: int, name: str, at: float) -> None:
    """Write that an attempt has come to a stage."""
    note(tx, job, attempt, stage=name)
    tx.run(ADD_STAGE, {"job": job, "attempt": attempt, "name": name, "at": at})


def stages(tx: Transaction, job: str) -> list[Row]:
    """Every stage that a job came to, oldest first: attempt, name, at."""
    return tx.all(GET_STAGES, {"job": job})


def add_metrics(
    tx: Transaction,
    job: str,
    attempt: int,
    points: Iterable[tuple[str, float | None, float]],
    at: float,
) -> None:
    """Append metric points: name, step, value; NaN is kept as null by SQLite itself."""
    for name, step, value in points:
        place = {"job": job, "attempt": attempt, "name": name, "step": step}
        tx.run(ADD_METRIC, place | {"value": value, "at": at})


def forget_metrics(
    tx: Transaction,
    job: str,
    attempt: int,
    points: Iterable[tuple[str, float | None, float]],
) -> None:
    """Take metric points away that :func:`add_metrics` has added."""
    for name, step, value in points:
        place = {"job": job, "attempt": attempt, "name": name, "step": step}
        tx.run(FORGET_METRIC, place | {"value": value})


def metrics(
    tx: Transaction, job: str
) -> dict[str, list[tuple[float | None, float | None]]]:
    """Metric curves of the newest attempt that has any: name to (step, value)."""
    found: dict[str, list[tuple[float | None, float | None]]] = {}
    for name, step, value in tx.all(GET_METRICS, {"job": job}):
        found.setdefault(name, []).append((step, value))
    return found


def set_state(
    tx: Transaction,
    job: str,
    attempt: int,
    body: str,
    exact: bytes | None,
    at: float,
    file: str | None = None,
) -> None:
    """Keep the run's state: a JSON preview, and the exact values where they pickle.

    Parameters
    ----------
    file : str, optional
        Where the exact values are, if they are too many for a row.
    """
    place = {"job": job, "attempt": attempt, "body": body, "file": file}
    tx.run(SET_STATE, place | {"exact": exact, "at": at})


def run_state(tx: Transaction, job: str) -> Row | None:
    """State of the newest attempt that set any."""
    return tx.one(GET_STATE, {"job": job})


def add_partial(
    tx: Transaction, job: str, attempt: int, kind: str, body: bytes, at: float
) -> None:
    """Append a partial result."""
    place = {"job": job, "attempt": attempt, "kind": kind, "body": body, "at": at}
    tx.run(ADD_PARTIAL, place)
    tx.facts.append((PARTIAL, *place.values()))


def partials(tx: Transaction, job: str, blobs: Path) -> list[tuple[str, bytes]]:
    """Every partial result, in order, encoded."""
    found = []
    for kind, body in tx.all(GET_PARTIALS, {"job": job}):
        if kind.endswith(IN_FILE):
            kind = kind.removesuffix(IN_FILE)
            body = blob_path(blobs, body.decode()).read_bytes()
        found.append((kind, body))
    return found


def set_checkpoint(
    tx: Transaction,
    job: str,
    attempt: int,
    step: float | None,
    kind: str,
    body: bytes,
    at: float,
    file: str | None = None,
) -> None:
    """Keep the newest checkpoint of a job, in its row or as a file."""
    place = {"job": job, "attempt": attempt, "step": step, "kind": kind}
    tx.run(SET_CHECKPOINT, place | {"body": body, "file": file, "at": at})


def checkpoint(tx: Transaction, job: str) -> Row | None:
    """Return the newest checkpoint: kind, and body or file."""
    return tx.one(GET_CHECKPOINT, {"job": job})


def checkpoint_facts(tx: Transaction, job: str) -> dict[str, Any] | None:
    """Say of which attempt and step the newest checkpoint is; None without one."""
    row = tx.one(GET_CHECKPOINT, {"job": job})
    return None if row is None else {name: row[name] for name in CHECKPOINT_FACTS}


def copy_checkpoint(tx: Transaction, source: str, job: str) -> None:
    """Let a new job resume where an old one stood."""
    tx.run(COPY_CHECKPOINT, {"source": source, "job": job})


def add_files(
    tx: Transaction, job: str, attempt: int, files: Iterable[KeptFile]
) -> None:
    """Keep files with a job; what an attempt has kept already, it keeps once."""
    for file in files:
        if keep_file(tx, file._asdict() | {"job": job, "attempt": attempt}):
            tx.facts.append((FILE, job, attempt, *file))


def keep_file(tx: Transaction, place: Mapping[str, Any]) -> bool:
    """Write one row of a file, or the row anew of what is shown anew.

    Returns
    -------
    bool
        False where the attempt has kept this content by this name.
    """
    if place["origin"].startswith(SHOWN) and tx.run(REPLACE_FILE, place):
        return True
    return tx.run(ADD_FILE, place) > 0


def files(tx: Transaction, job: str) -> list[Row]:
    """Files of a job, in the order they were kept."""
    return tx.all(GET_FILES, {"job": job})
