"""Rows for the store's tests: a definition, jobs of it, and who runs them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from chutes_nb import processes
from chutes_nb.policy import Ending, Verdict
from chutes_nb.processes import Identity
from chutes_nb.states import ENDED, State
from chutes_nb.store import Store, Transaction, fleet, jobs
from chutes_nb.store.ids import new_id

NOW = 1_000.0
EXECUTOR = "executor-1"
WORKER = "worker-1"
NOBODY = Identity(pid=1, start_ticks=0, boot_id="")

DEFINITION = jobs.NewDefinition(
    key="d1",
    chute="tests",
    name="work",
    code=b"",
    setup=b"",
    source="def work(): ...\n",
    first_line=1,
    sources="{}",
    schema="{}",
    options="{}",
    python="3.11",
    created_at=NOW,
)


def add_crew(tx: Transaction, executor: str = EXECUTOR, *workers: str) -> None:
    """An executor and its workers."""
    facts = {"kind": "kernel", "python": "", "lease": "", "sqlite": "3"}
    fleet.add_executor(tx, executor, who=NOBODY, now=NOW, **facts)
    for worker in workers:
        fleet.add_worker(tx, worker, executor, lease="", socket="", folder="", now=NOW)


def new_job(**facts: Any) -> jobs.NewJob:
    """Make a job that is in no store yet; ``facts`` are fields of ``NewJob``."""
    known = {
        "chute": "tests",
        "name": "work",
        "definition": DEFINITION.key,
        "max_attempts": 3,
        "grace_s": 1.0,
        "input_kind": "json",
        "input": b"{}",
        "inputs": "{}",
        "submitted_at": NOW,
        "executor": EXECUTOR,
    }
    return jobs.NewJob(**known | facts)


def queue(store: Store, job: str | None = None, **facts: Any) -> str:
    """Queue a job; ``facts`` are fields of ``NewJob``."""
    with store.writing() as tx:
        return jobs.add(tx, new_job(id=job or new_id(), **facts))


def claim(
    store: Store, worker: str = WORKER, now: float = NOW, executor: str = EXECUTOR
) -> str | None:
    """Claim the next job; its id, or None."""
    with store.writing() as tx:
        row = jobs.claim(tx, executor, worker, "out", now)
    return None if row is None else str(row["id"])


def finish(
    store: Store,
    job: str,
    state: State,
    attempt: int = 1,
    worker: str = WORKER,
    result: jobs.NewResult | None = None,
) -> None:
    """End an attempt so that its job is in ``state``."""
    ending = Ending(State.FAILED if state is State.RETRYING else state)
    if state is State.COMPLETED and result is None:
        result = jobs.NewResult("json", b"1", "int")
    with store.writing() as tx:
        jobs.finish(tx, job, attempt, worker, ending, Verdict(state), NOW + 1, result)


def bring(store: Store, state: State) -> str:
    """A job in a state, brought there by legal moves alone."""
    job = queue(store)
    if state is State.QUEUED:
        return job
    assert claim(store) == job
    if state is State.RUNNING:
        return job
    assert state in ENDED | {State.RETRYING}
    finish(store, job, state)
    return job


def until(condition: Any, deadline_s: float = 30.0) -> Any:
    """What ``condition()`` gives once it is true; fails after ``deadline_s``.

    That is when to give up, and no promise: a worker takes 0.1 s to start, and many
    times that on a machine with more to do than it has cores.
    """
    end = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end, f"{deadline_s:g} s passed"
        time.sleep(0.005)  # a pause between two looks, never a wait by itself
    return found


def is_gone(pid: int) -> bool:
    """Whether a process has ended."""
    return processes.start_ticks(pid) == 0 or processes.is_zombie(pid)


def pid_in(path: Path) -> int:
    """The process number in a file, once somebody has written it."""
    return int(until(lambda: path.exists() and path.read_text()))
