"""Pages of jobs: filters, orders, and when their attempts ran."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .db import Transaction
from .wire import STATUS, counts, status_of

# Only what is asked for is in the statement, so that the index of a state or a name
# serves; of both, that of the name (the plus keeps the other's from being taken).
FILTERS = {
    "name": "name = :name",
    "status": "state = :status",
    "chute": "chute = :chute",
    "username": (
        "definition IN (SELECT key FROM definitions WHERE chute = :chute"
        " AND json_extract(options, '$.username') = :username)"
    ),
    "notebook": "notebook = :notebook",
    "tag": "EXISTS (SELECT 1 FROM json_each(tags) WHERE value = :tag)",
    "text": (
        "(instr(lower(name), :text) OR instr(id, :text)"
        " OR (tags <> '[]' AND EXISTS"
        " (SELECT 1 FROM json_each(tags) WHERE instr(lower(value), :text))))"
    ),
}


class Order(NamedTuple):
    """How a list is sorted, and what follows a row in it."""

    sorting: str
    after: str


# A page begins behind a row of the last one, which the cursor names by its seq.
SPENT = "coalesce(coalesce(finished_at, :now) - started_at, -1)"
ORDERS = {
    "newest": Order("seq DESC", "seq < :before"),
    "oldest": Order("seq", "seq > :before"),
    "name": Order(
        "name, seq",
        "(name, seq) > (SELECT name, seq FROM jobs WHERE seq = :before)",
    ),
    "longest": Order(
        f"{SPENT} DESC, seq DESC",
        f"({SPENT}, seq) < (SELECT {SPENT}, seq FROM jobs WHERE seq = :before)",
    ),
}
LIST = """
SELECT {status}
  FROM jobs
 WHERE {filters}
 ORDER BY {sorting}
 LIMIT :limit
"""
# Of several states, a page of each: their rows, in order, are those of the index.
OF_A_STATE = """
SELECT seq
  FROM (SELECT seq
          FROM jobs
         WHERE {filters}
         ORDER BY {sorting}
         LIMIT :limit)
"""
SPANS = """
SELECT job, number, started_at, finished_at, state
  FROM attempts
 WHERE job IN (SELECT value FROM json_each(:jobs))
 ORDER BY job, number
"""


def listed(
    tx: Transaction,
    *,
    status: str | Iterable[str] | None = None,
    name: str | None = None,
    chute: str | None = None,
    username: str | None = None,
    notebook: str | None = None,
    tag: str | None = None,
    text: str | None = None,
    order: str = "newest",
    limit: int = 100,
    before: int | None = None,
) -> tuple[list[dict[str, Any]], int | None]:
    """Page of jobs, newest first or as asked, and the cursor of the next page.

    Parameters
    ----------
    status : str or iterable of str, optional
        A state, or several of which each will do.
    username : str, optional
        Of the chute, where several have chutes of one name; it goes with ``chute``.
    text : str, optional
        Part of a name, of an id or of a tag.
    order : {"newest", "oldest", "name", "longest"}
    before : int, optional
        Cursor of the page: the jobs behind it in the order.
    """
    states = [status] if isinstance(status, str) else sorted(set(status or ()))
    wanted = {"name": name, "chute": chute, "tag": tag, "notebook": notebook}
    wanted["username"] = username
    wanted["text"] = text.lower() if text else None
    wanted["status"] = states[0] if len(states) == 1 else None
    bounds: dict[str, Any] = {"before": before, "limit": limit, "now": time.time()}
    has_cursor = before is not None
    if len(states) > 1:
        statement = page_of_states(len(states), wanted, order, has_cursor=has_cursor)
        bounds |= {f"status{n}": state for n, state in enumerate(states)}
    else:
        statement = page(wanted, order, has_cursor=has_cursor)
    rows = tx.all(statement, wanted | bounds)
    cursor = rows[-1]["seq"] if rows and len(rows) == limit else None
    return [status_of(row) for row in rows], cursor


def how_many(
    tx: Transaction, status: Iterable[str] | None = None, **wanted: str | None
) -> int:
    """Count the jobs that filters let through, as in :func:`listed`.

    Parameters
    ----------
    status : iterable of str, optional
        States of which each will do.
    """
    where = _filters(wanted, "newest", has_cursor=False)
    if status is not None:
        where += "\n   AND state IN (SELECT value FROM json_each(:states))"
    states = json.dumps(None if status is None else list(status))
    row = tx.one(
        f"SELECT count(*) FROM jobs WHERE {where}", wanted | {"states": states}
    )
    return 0 if row is None else int(row[0])


def answer(
    tx: Transaction, *, attempts: bool = False, **filters: Any
) -> dict[str, Any]:
    """Page of jobs as both front doors answer it; ``filters`` as in :func:`listed`.

    Parameters
    ----------
    attempts : bool
        Say also when the attempts of each job ran.
    """
    found, cursor = listed(tx, **filters)
    said: dict[str, Any] = {"jobs": found, "next": cursor, "counts": counts(tx)}
    if attempts:
        said["attempts"] = spans(tx, [job["job_id"] for job in found])
    return said


def page(
    wanted: Mapping[str, Any], order: str = "newest", *, has_cursor: bool = True
) -> str:
    """Statement of a page of jobs, with the filters that are not None."""
    where = _filters(wanted, order, has_cursor=has_cursor)
    return LIST.format(status=STATUS, filters=where, sorting=ORDERS[order].sorting)


def page_of_states(
    states: int,
    wanted: Mapping[str, Any],
    order: str = "newest",
    *,
    has_cursor: bool = True,
) -> str:
    """Statement of a page of jobs in any of so many states, ``:status0`` and on."""
    sorting = ORDERS[order].sorting
    where = _filters({**wanted, "status": True}, order, has_cursor=has_cursor)
    parts = [
        OF_A_STATE.format(
            filters=where.replace(":status", f":status{n}"), sorting=sorting
        )
        for n in range(states)
    ]
    found = f"seq IN ({'UNION ALL'.join(parts)})"
    return LIST.format(status=STATUS, filters=found, sorting=sorting)


def _filters(wanted: Mapping[str, Any], order: str, *, has_cursor: bool) -> str:
    clauses = {
        name: clause for name, clause in FILTERS.items() if wanted.get(name) is not None
    }
    if {"name", "status"} <= clauses.keys():
        clauses["status"] = f"+{clauses['status']}"
    after = [ORDERS[order].after] if has_cursor else []
    return "\n   AND ".join([*after, *clauses.values()]) or "1"


def spans(tx: Transaction, jobs: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return when the attempts of some jobs ran, by job."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in tx.all(SPANS, {"jobs": json.dumps(list(jobs))}):
        span = {"number": row["number"], "started_at": row["started_at"]}
        span |= {"finished_at": row["finished_at"]}
        span |= {"status": row["state"] or "running"}
        found.setdefault(row["job"], []).append(span)
    return found
