"""Jobs that run in their kernel: claimed by name or definition, ended with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ..errors import KernelGone
from ..processes import is_held
from ..states import State
from . import claiming, jobs
from .db import Row, Transaction

PAYLOAD = "payload"  # input that whoever defines the name can bind
NOT_STORED = b"null"  # the input of a job that was given what cannot be stored

# For a thread of this kernel: only what this kernel has the function of. A job that
# was submitted by name from outside may have any function of the name.
CLAIM = claiming.statement(
    "jobs INDEXED BY jobs_beside",
    f"""
    lane <> 'process' AND lane = 'kernel'
    AND (definition IN (SELECT value FROM json_each(:keys))
         OR input_kind = '{PAYLOAD}'
        AND chute || char(31) || name IN (SELECT value FROM json_each(:names)))
    """,
)
SET_DEFINITION = "UPDATE jobs SET definition = :definition WHERE id = :job"
WAITING = """
SELECT id, name, input_kind, definition
  FROM jobs
 WHERE executor = :executor AND state IN ('queued', 'retrying')
   AND lane <> 'process' AND lane = 'kernel'
"""
SAY_WHY = """
UPDATE jobs
   SET reason = :reason, rev = :rev
 WHERE id = :job AND reason IS NOT :reason
"""
HOME = """
SELECT e.id, e.lease, e.ended_at
  FROM definitions d JOIN executors e ON e.id = json_extract(d.options, '$.home')
 WHERE d.key = :definition
"""


def claim(
    tx: Transaction,
    executor: str,
    worker: str,
    output: str,
    now: float,
    keys: Iterable[str],
    names: Iterable[str],
) -> Row | None:
    """Take the next job that this kernel can run, with a new attempt's number."""
    known = {"keys": json.dumps(list(keys)), "names": json.dumps(list(names))}
    return claiming.take(tx, CLAIM, executor, worker, output, now, **known)


def run_by(tx: Transaction, job: str, definition: jobs.NewDefinition) -> None:
    """Note the definition that a job submitted by name runs with."""
    jobs.add_definition(tx, definition)
    tx.run(SET_DEFINITION, {"job": job, "definition": definition.key})


def end_orphans(
    tx: Transaction, executor: str, keys: Iterable[str], reason: str, now: float
) -> list[str]:
    """End the waiting jobs of kernels that are gone; returns their ids.

    Those that were submitted by name wait on, for a kernel that defines the name.

    Parameters
    ----------
    executor : str
        Who has inherited them.
    keys : iterable of str
        Definitions that this process can run.
    """
    known, ended = set(keys), []
    for job, name, input_kind, definition in tx.all(WAITING, {"executor": executor}):
        if definition in known:
            continue
        if input_kind == PAYLOAD:
            place = {"job": job, "reason": waits_for(name), "rev": tx.rev}
            tx.run(SAY_WHY, place)
        elif jobs.end_waiting(tx, job, State.CANCELLED, reason, now):
            ended.append(job)
    return ended


def waits_for(name: str) -> str:
    """Say what a job submitted by name waits for, where its kernel is gone."""
    return (
        f"waits for a kernel that defines {name}: it shares that kernel's variables "
        '(executor="kernel")'
    )


def living_home(tx: Transaction, definition: str) -> str | None:
    """Return the executor of the kernel that has a function, while it lives."""
    row = tx.one(HOME, {"definition": definition})
    if row is None or row["ended_at"] is not None or not is_held(Path(row["lease"])):
        return None
    return str(row["id"])


def refuse_unstored(row: Row) -> None:
    """Raise KernelGone where a job's input was never stored, so nobody has it."""
    if row["lane"] == "kernel" and row["input"] == NOT_STORED:
        raise KernelGone(
            row["id"],
            "was given what could not be stored, and that is gone; submit it anew",
        )


def refuse_foreign(row: Row) -> None:
    """Raise KernelGone: the function of a job is in no kernel that could run it."""
    raise KernelGone(
        row["id"],
        f'ran on variables of a kernel (executor="kernel") that are not here; run the '
        f'cell of {row["name"]} and retry with code="current", or submit it anew',
    )
