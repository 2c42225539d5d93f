"""Jobs that follow another: its result is their payload, its bad end is theirs.

A follower is a queued job that nobody may start. What becomes of it is written in the
transaction that ends the job before it, whoever does that: an executor, a worker that
is alone, or who cancels.
"""

from __future__ import annotations

import json
from typing import Any

from ..errors import ChutesError
from ..states import State
from .db import Row, Transaction
from .journal import RELEASED

RESULT_MARK = b"result:"  # begins an input that is another job's result
SHOWN_BYTES = 4_000
MOST_CAUSE_CHARACTERS = 1_000

WAITING = "SELECT id FROM jobs WHERE after = :job AND waits = 1 ORDER BY seq"
BEFORE = """
SELECT state, name, reason
  FROM jobs
 WHERE id = :job
"""
RESULT = "SELECT kind, body, blob, view FROM results WHERE job = :job"
RELEASE = """
UPDATE jobs
   SET waits = 0, input = :input, inputs = :inputs, reason = NULL, rev = :rev
 WHERE id = :job AND waits = 1 AND state = 'queued'
"""
SAY_WHAT = """
UPDATE jobs
   SET reason = :reason
 WHERE id = :job
"""


def waiting(tx: Transaction, job: str) -> list[str]:
    """Jobs that wait for one, in the order of their submits."""
    return [row[0] for row in tx.all(WAITING, {"job": job})]


def say_what_for(tx: Transaction, job: str, before: str) -> None:
    """Say on a follower what it waits for."""
    row = tx.one(BEFORE, {"job": before})
    if row is not None:
        reason = f"waits for the result of job {row['name']} {before[-6:]}"
        tx.run(SAY_WHAT, {"job": job, "reason": reason})


def refuse_without_input(job: Row) -> None:
    """Refuse to run a job again that never got what it takes.

    Raises
    ------
    ChutesError
    """
    if job["after"] is not None and not job["input"]:
        raise ChutesError(
            f"job {job['id']} takes the result of job {job['after']}, which gave none; "
            "retry that one, and follow the new job with .then(...)"
        )


def release(tx: Transaction, job: str, before: str) -> None:
    """Give a follower the result of the job before it: from now on it may start."""
    row = tx.one(BEFORE, {"job": before})
    result = tx.one(RESULT, {"job": before})
    assert row is not None  # it completed a moment ago, and has a result then
    assert result is not None
    facts = {
        "job": job,
        "input": payload(result),
        "inputs": json.dumps({f"result of {row['name']}": _shown(result)}),
    }
    tx.run(RELEASE, facts | {"rev": tx.rev})
    tx.facts.append((RELEASED, *facts.values()))
    tx.has_released = True


def why_not(tx: Transaction, before: str) -> str | None:
    """Return why a follower will never start; None where it may or must wait."""
    row = tx.one(BEFORE, {"job": before})
    if row is None:
        return f"job {before}, whose result it takes, is not there any more"
    state = State(row["state"])
    if not state.is_ended or state is State.COMPLETED:
        return None
    cause = f": {_shortened(row['reason'])}" if row["reason"] else ""
    return (
        f"job {row['name']} {before[-6:]}, whose result it takes, ended {state}{cause}"
    )


def _shortened(cause: str) -> str:
    """Leave out the middle of a cause, which may name a cause itself, and so on.

    Along a chain each end would have those of all before it in it: a thousand jobs,
    as many megabytes. At its end is what it all began with.
    """
    if len(cause) <= MOST_CAUSE_CHARACTERS:
        return cause
    half = MOST_CAUSE_CHARACTERS // 2
    return f"{cause[:half]} ... {cause[-half:]}"


def is_over(tx: Transaction, before: str) -> bool:
    """Whether the job before has ended, or is not there."""
    row = tx.one(BEFORE, {"job": before})
    return row is None or State(row["state"]).is_ended


def payload(result: Row) -> bytes:
    """Write a result as the input of another job; see ``payloads.read``."""
    told = json.dumps({"kind": result["kind"], "blob": result["blob"]})
    return RESULT_MARK + told.encode() + b"\n" + (result["body"] or b"")


def _shown(result: Row) -> Any:
    """Give what a card shows of a result that is an input."""
    body = result["body"]
    if result["kind"] == "json" and body is not None and len(body) <= SHOWN_BYTES:
        return json.loads(body)
    view = json.loads(result["view"] or "{}")
    return str(view.get("text/plain", ""))[:SHOWN_BYTES]
