"""Who runs jobs, and jobs that nobody runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..paths import interpreter_of
from ..processes import is_held
from ..store import Store, fleet
from ..store.db import Row
from ..waking import host_lock, is_needed, wake_host
from .findings import NOTE, OK, PROBLEM, Finding


def findings(store: Store, *, mend: bool) -> Iterator[Finding]:
    """Name the living, and what the dead have left."""
    rows = [row for row in fleet.live_executors(store.reader) if not row["is_nested"]]
    for row in rows:
        if is_held(Path(row["lease"])):
            text = f"{row['kind']} {row['pid']} of {row['python']}"
            yield Finding("runs jobs", OK, text)
    pythons = dict.fromkeys(interpreter_of(row["python"]) for row in rows)
    alive = [python for python in pythons if _lives(store, rows, python)]
    if not alive:
        yield Finding("runs jobs", OK, "nobody now; a submit starts the detached host")
    for python in pythons:
        yield from _orphans(store, python, mend=mend)
    yield from _alone(store, rows)


def _lives(store: Store, rows: list[Row], python: str) -> bool:
    return is_held(host_lock(store, python)) or any(
        interpreter_of(row["python"]) == python and is_held(Path(row["lease"]))
        for row in rows
    )


def _orphans(store: Store, python: str, *, mend: bool) -> Iterator[Finding]:
    """Find jobs that wait for somebody who will not come by himself."""
    if not is_needed(store, python) or is_held(host_lock(store, python)):
        return
    text = f"jobs of {python} wait, and nobody lives who runs them"
    if not Path(python).exists():
        yield Finding(
            "orphans",
            PROBLEM,
            f"{text}; that Python is gone",
            "chutes-nb cancel them, and submit them anew from another environment",
        )
        return
    if mend:
        wake_host(store, python)
        yield Finding("mended", OK, f"started the detached host of {python}")
        return
    fix = (
        "chutes-nb doctor --mend starts the detached host; so does %load_ext chutes_nb"
    )
    yield Finding("orphans", PROBLEM, text, fix)


def _alone(store: Store, rows: list[Row]) -> Iterator[Finding]:
    """Find workers that go on without whoever started them."""
    for row in rows:
        if is_held(Path(row["lease"])):
            continue
        leases = fleet.leases_of_running(store.reader, row["id"])
        living = sum(is_held(Path(lease)) for lease in leases)
        if living:
            yield Finding(
                "orphans",
                NOTE,
                f"the {row['kind']} {row['pid']} has ended, and {living} of its jobs "
                "run on: their workers write to the store by themselves",
            )
