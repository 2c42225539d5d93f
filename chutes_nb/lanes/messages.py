"""What an executor sends to a worker, made of rows."""

from __future__ import annotations

from typing import Any

from ..store.db import Row
from ..worker.frames import Task

DEFINITION_FIELDS = ("key", "code", "setup", "sources")


def define_message(definition: Row) -> tuple[Any, ...]:
    """Return the message that gives a worker a definition."""
    return ("define", *(definition[name] for name in DEFINITION_FIELDS))


def task_of(row: Row, output: str) -> Task:
    """Return the attempt of a claimed row, as it is sent."""
    return Task(
        row["id"],
        row["attempt"],
        row["max_attempts"],
        row["name"],
        row["definition"],
        row["input_kind"],
        row["input"],
        row["timeout_s"],
        row["grace_s"],
        output,
        bool(row["fresh"]),
    )
