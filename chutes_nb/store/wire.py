"""Rows of the store as the one JSON shape that leaves Python."""

from __future__ import annotations

import json
from typing import Any

from ..errors import AttemptNotFound
from . import holding, jobs, logs
from .db import Row, Transaction

# That a waiting job is held back is the chute's row, not the job's: pausing touches
# one row, however many jobs wait. So is how much there is of a token.
# In the order of FIELDS, so that a row becomes JSON without a look-up for each name;
# what follows them stays inside.
STATUS = f"""
id, name, chute, state, attempt, max_attempts, progress, stage, submitted_at,
started_at, finished_at, iif(state = 'retrying', not_before, NULL), NULL, error,
CASE WHEN state NOT IN ('queued', 'retrying') THEN reason
     WHEN {holding.IS_PAUSED} THEN 'paused' || coalesce('; ' || reason, '')
     ELSE coalesce({holding.LACKS}, reason) END,
timeout_s, deadline_at, lane, priority, tags, notebook, cell, retry_of,
cancel_by IS NOT NULL, reported_failure,
iif(state = 'running', quiet_since, NULL), log_end, rev, executor AS held_by, seq,
waits
"""
FIELDS = (
    *("job_id", "name", "chute", "status", "attempt", "max_attempts", "progress"),
    *("stage", "submitted_at", "started_at", "finished_at", "next_attempt_at"),
    *("queue_position", "error", "reason", "timeout_s", "deadline_at", "executor"),
    *("priority", "tags", "notebook", "cell", "retry_of", "cancel_requested"),
    *("reported_failure", "quiet_since", "log_end", "rev"),
)
ONE = f"SELECT {STATUS} FROM jobs WHERE id = :job"
MOVES_AFTER = """
SELECT *
  FROM moves
 WHERE seq >= (:since + 1) << 20 AND seq < (:upto + 1) << 20
 ORDER BY seq
 LIMIT :limit
"""
# A row changes with a move, or while it runs; so the feed needs no index on rev,
# which every step of every job would have to keep.
MOVED = f"SELECT {STATUS} FROM jobs WHERE id IN (SELECT value FROM json_each(:ids))"
RUNNING = f"SELECT {STATUS} FROM jobs WHERE state = 'running' AND rev > :since"
HELD_BACK = f"""
SELECT {STATUS}
  FROM jobs
 WHERE state IN ('queued', 'retrying')
   AND chute IN (SELECT chute FROM pauses WHERE rev > :since)
 ORDER BY seq DESC
 LIMIT :limit
"""
REV = "SELECT rev FROM clock"
ENDED_SINCE = """
SELECT job
  FROM moves
 WHERE seq >= (:since + 1) << 20
   AND target IN ('completed', 'failed', 'timeout', 'cancelled', 'interrupted')
"""
COUNTS = "SELECT state, n FROM counts"
UNENDED = """
SELECT id
  FROM jobs
 WHERE id IN (SELECT value FROM json_each(:ids)) AND finished_at IS NULL
"""
INPUTS = """
SELECT id, name, inputs
  FROM jobs
 WHERE id IN (SELECT value FROM json_each(:ids))
"""
RESULTS = "SELECT * FROM results WHERE job IN (SELECT value FROM json_each(:ids))"
OLDEST_WAITING = """
SELECT submitted_at
  FROM jobs
 WHERE state = 'queued'
 ORDER BY seq
 LIMIT 1
"""
_BEFORE = """
(SELECT count(*)
   FROM jobs INDEXED BY {index}
  WHERE executor IS :executor AND state IN ('queued', 'retrying') AND {lane}
    AND waits = 0 AND priority > :priority)
+ (SELECT count(*)
     FROM jobs INDEXED BY {index}
    WHERE executor IS :executor AND state IN ('queued', 'retrying') AND {lane}
      AND waits = 0 AND priority = :priority AND seq < :seq)
"""
_ALL = _BEFORE.format(index="jobs_ready", lane="TRUE")
_BESIDE = _BEFORE.format(index="jobs_beside", lane="lane <> 'process'")
_OF_LANE = _BEFORE.format(
    index="jobs_beside", lane="lane <> 'process' AND lane = :lane"
)
# Most jobs are of the lane that has no index of its own: the others are counted off.
AHEAD = f"SELECT 1 + iif(:lane = 'process', {_ALL} - ({_BESIDE}), {_OF_LANE})"
# An error as whoever died without a word leaves it lacks what only a frame tells.
ERROR: dict[str, Any] = {"type": "", "message": "", "traceback": ""}
ERROR |= {"function": None, "line": None, "cell": None, "file": None}
ERROR |= {"source": []}
TAIL_WINDOW_BYTES = 1 << 20  # as far back as a tail looks


def status_of(row: Row) -> dict[str, Any]:
    """StatusInfo of a row, as JSON."""
    found = dict(zip(FIELDS, row, strict=False))
    found["progress"] = loaded(found["progress"])
    found["error"] = error_of(found["error"])
    found["tags"] = [] if found["tags"] == "[]" else json.loads(found["tags"])
    found["cancel_requested"] = bool(found["cancel_requested"])
    found["reported_failure"] = bool(found["reported_failure"])
    return found


def loaded(text: str | None) -> Any:
    """Read a column that has JSON, or nothing."""
    return None if text is None else json.loads(text)


def error_of(text: str | None) -> dict[str, Any] | None:
    """Every field of ``model.ErrorInfo``: a page has no defaults for those it lacks."""
    return None if text is None else ERROR | json.loads(text)


def status(tx: Transaction, job: str) -> dict[str, Any]:
    """StatusInfo of one job, with its place in the queue.

    Raises
    ------
    JobNotFound
    """
    row = tx.one(ONE, {"job": job})
    if row is None:
        row = jobs.get(tx, job)  # raises, saying which id
    found = status_of(row)
    if row["state"] == "queued" and not row["waits"]:
        place = {name: row[name] for name in ("lane", "priority", "seq")}
        place["executor"] = row["held_by"]
        ahead = tx.one(AHEAD, place)
        found["queue_position"] = ahead[0] if ahead else None
    return found


def some(tx: Transaction, ids: list[str]) -> dict[str, dict[str, Any]]:
    """StatusInfo of jobs by their ids, as far as they are there."""
    rows = tx.all(MOVED, {"ids": json.dumps(ids)})
    return {row["id"]: status_of(row) for row in rows}


def inputs(tx: Transaction, ids: list[str]) -> dict[str, tuple[str, Any]]:
    """Names and inputs of jobs by their ids, as far as they are there."""
    rows = tx.all(INPUTS, {"ids": json.dumps(ids)})
    return {row["id"]: (row["name"], json.loads(row["inputs"])) for row in rows}


def unended(tx: Transaction, ids: list[str]) -> set[str]:
    """Those of some jobs that have not ended; one that is gone has."""
    return {row[0] for row in tx.all(UNENDED, {"ids": json.dumps(ids)})}


def results(tx: Transaction, ids: list[str]) -> dict[str, Row]:
    """Results of jobs by their ids, as far as they are there."""
    return {row["job"]: row for row in tx.each(RESULTS, {"ids": json.dumps(ids)})}


def revision(tx: Transaction) -> int:
    """Return the store's newest revision."""
    row = tx.one(REV)
    return int(row[0]) if row else 0


def ended_since(tx: Transaction, since: int) -> list[str]:
    """Jobs whose end is newer than a revision."""
    return [row[0] for row in tx.all(ENDED_SINCE, {"since": since})]


def counts(tx: Transaction) -> dict[str, int]:
    """How many jobs are in each state."""
    return {row["state"]: row["n"] for row in tx.all(COUNTS)}


def oldest_waiting(tx: Transaction) -> float | None:
    """When the job that waits longest was submitted; None where none waits."""
    row = tx.one(OLDEST_WAITING)
    return None if row is None else float(row[0])


def changes(tx: Transaction, since: int, limit: int) -> dict[str, Any]:
    """Everything that changed after a revision; ``more`` where a page is full.

    Parameters
    ----------
    limit : int
        Most moves of a page; one revision is never cut in two.
    """
    upto = revision(tx)  # first: what is committed from here on is for the next call
    bounds = {"since": since, "upto": upto, "limit": limit}
    moves = tx.all(MOVES_AFTER, bounds)
    newest, more = upto, len(moves) == limit
    if more:
        upto = (moves[-1]["seq"] >> 20) - 1
        if upto <= since:
            upto += 1
            moves = tx.all(MOVES_AFTER, bounds | {"upto": upto, "limit": -1})
        moves = [move for move in moves if move["seq"] >> 20 <= upto]
        more = upto < newest
    ids = dict.fromkeys(move["job"] for move in moves)
    rows = {row["id"]: row for row in tx.all(MOVED, {"ids": json.dumps(list(ids))})}
    if not more:
        rows |= {row["id"]: row for row in tx.all(RUNNING, {"since": since})}
        if holding.has_changed(tx, since):
            held = tx.all(HELD_BACK, {"since": since, "limit": limit})
            rows = {row["id"]: row for row in held} | rows
    found = sorted(rows.values(), key=lambda row: (row["rev"], row["seq"]))
    return {
        "rev": upto,
        "jobs": [status_of(row) for row in found],
        "moves": [move_of(move) for move in moves],
        "more": more,
    }


def move_of(row: Row) -> dict[str, Any]:
    """One state move, as JSON."""
    return {
        "rev": row["seq"] >> 20,
        "job_id": row["job"],
        "from": row["source"],
        "to": row["target"],
        "at": row["at"],
        "attempt": row["attempt"],
        "reason": row["reason"],
    }


def numbered_attempt(row: Row, attempt: int | None) -> int:
    """Return which attempt's log is meant: the newest where none is named.

    One that may still come has an empty log, and so has the first of a job that
    ended before it.

    Raises
    ------
    AttemptNotFound
    """
    newest, is_over = row["attempt"] or 1, row["finished_at"] is not None
    if attempt is None:
        return int(newest)
    last = newest if is_over else row["max_attempts"]
    if not 1 <= attempt <= last:
        count = f"{last} attempt{'s' if last > 1 else ''}"
        ended = f"it ended after {count}" if is_over else f"it has {count} at most"
        raise AttemptNotFound(f"job {row['id']} has no attempt {attempt}: {ended}")
    return attempt


def log(
    tx: Transaction,
    log_tx: Transaction,
    job: str,
    attempt: int | None,
    offset: int,
    limit: int,
    numbered: bool,
) -> dict[str, Any]:
    """Stretch of an attempt's log; ``end`` when nothing will follow.

    Parameters
    ----------
    numbered : bool
        Say as well how many lines ended before it, as ``line``.
    """
    row = jobs.get(tx, job)
    number = numbered_attempt(row, attempt)
    piece = logs.read(log_tx, job, number, offset, limit)
    is_over = row["finished_at"] is not None or number < row["attempt"]
    rest = _rest_of_a_character(log_tx, job, number, piece)
    found = {
        "attempt": number,
        "offset": piece.offset + rest,
        "next_offset": piece.next_offset,
        "text": piece.body[rest:].decode("utf-8", "replace"),
        "end": is_over and piece.next_offset >= logs.end(log_tx, job, number),
        "skipped": piece.skipped + rest,
    }
    return found | {"line": piece.line} if numbered else found


def _rest_of_a_character(
    log_tx: Transaction, job: str, attempt: int, piece: logs.Piece
) -> int:
    """Count the bytes at a piece's beginning that belong to what lies before it.

    Somebody's own offset, and the end of a gap, may lie within a character. What is
    no text at all begins as its rest would, and is not to be left out.
    """
    rest = logs.cut_off(piece.body) if piece.offset else 0
    if not rest or piece.skipped:
        return rest
    start = max(0, piece.offset - 3)
    length = piece.offset - start
    around = logs.read(log_tx, job, attempt, start, length + rest).body
    if len(around) < length:
        return rest
    before = b" " + around[:length]
    return rest if len(logs.whole_characters(before)) < len(before) else 0


def log_tail(
    tx: Transaction, log_tx: Transaction, job: str, attempt: int | None, lines: int
) -> dict[str, Any]:
    """Last lines of an attempt's log, as :func:`log` gives a stretch of it."""
    row = jobs.get(tx, job)
    number = numbered_attempt(row, attempt)
    stop = logs.end(log_tx, job, number)
    start = max(0, stop - TAIL_WINDOW_BYTES)
    piece = logs.read(log_tx, job, number, start, TAIL_WINDOW_BYTES)
    body = piece.body[logs.cut_off(piece.body) if start else 0 :]
    kept = b"".join(body.splitlines(keepends=True)[-lines:]) if lines else b""
    is_over = row["finished_at"] is not None or number < row["attempt"]
    return {
        "attempt": number,
        "offset": piece.next_offset - len(kept),
        "next_offset": piece.next_offset,
        "text": kept.decode("utf-8", "replace"),
        "end": is_over and piece.next_offset >= stop,
        "skipped": 0,
    }
