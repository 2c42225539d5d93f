"""All that a card shows of one job, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

from ..wide import for_page
from . import jobs, moving, runs
from .db import Row, Transaction
from .wire import error_of, loaded, move_of, status


def detail(tx: Transaction, job: str, most_points: int | None = None) -> dict[str, Any]:
    """Everything a card shows of a job except its log.

    Parameters
    ----------
    most_points : int, optional
        Most points of one metric, at least 2; no curve is wider than a page.
    """
    row = jobs.get(tx, job)
    definition = tx.one(jobs.GET_DEFINITION, {"key": row["definition"]})
    assert definition is not None  # held by a foreign key
    state = runs.run_state(tx, job)
    return {
        "status": status(tx, job),
        "attempts": [_attempt(found) for found in tx.all(jobs.ATTEMPTS, {"job": job})],
        "moves": [move_of(found) for found in moving.of_job(tx, job)],
        "inputs": json.loads(row["inputs"]),
        "after": row["after"],
        "source": definition["source"],
        "source_first_line": definition["first_line"],
        "state": {} if state is None else json.loads(state["body"]),
        "metrics": {
            name: [(_finite(step), _finite(value)) for step, value in points]
            for name, points in _curves(tx, job, most_points)
        },
        "stages": [dict(found) for found in runs.stages(tx, job)],
        "checkpoint": runs.checkpoint_facts(tx, job),
        "files": [_file(found) for found in runs.files(tx, job)],
        "result": result(tx, job),
    }


def _curves(
    tx: Transaction, job: str, most_points: int | None
) -> Iterator[tuple[str, list[Any]]]:
    for name, points in runs.metrics(tx, job).items():
        yield name, thinned(points, most_points)


def _finite(value: float | None) -> float | None:
    """JSON has no words for infinities."""
    return value if value is None or isfinite(value) else None


def thinned(points: list[Any], keep: int | None) -> list[Any]:
    """Drop points evenly; both ends stay."""
    if keep is None or len(points) <= keep:
        return points
    step = (len(points) - 1) / (keep - 1)
    return [points[round(i * step)] for i in range(keep)]


def _attempt(row: Row) -> dict[str, Any]:
    return {
        "number": row["number"],
        "started_at": row["started_at"],
        "finished_at": row["finished_at"],
        "status": row["state"] or "running",
        "error": error_of(row["error"]),
        "reason": row["reason"],
    }


def _file(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("n", "name", "size", "type", "sha256")}


def result(tx: Transaction, job: str) -> dict[str, Any] | None:
    """Type and view of what a job returned; None for one that has returned nothing."""
    row = tx.one(jobs.RESULT, {"job": job})
    if row is None:
        return None
    view = loaded(row["view"])
    if view is None:  # small exact JSON is its own view
        value = json.loads(row["body"])
        view = {"application/json": for_page(value), "text/plain": repr(value)}
    return {"type": row["type"], "exact": row["kind"] == "json", "view": view}
