"""``GET jobs/ID/results/rows``: a page of a table that a job returned."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..store import Store, jobs
from ..store.blobs import blob_path
from ..views import TABLE_MIME, Pages, view, wanted
from . import shapes
from .base import ChutesHandler
from .faults import Refusal

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Rows(ChutesHandler):
    """``GET jobs/ID/results/rows``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer so many rows, perhaps filtered and sorted."""
        asked = self.query(shapes.RowsQuery)
        self.answer(await self.of_job(scope, job, answer_of, asked))


def answer_of(store: Store, job: str, asked: shapes.RowsQuery) -> dict[str, Any]:
    """Make the answer for a job.

    Raises
    ------
    JobNotFound
    Refusal
        404 where the job has no table for its result; 422 for an unknown column.
    """
    store.status(job)  # raises where there is no such job
    table = _table(store, job)
    if table is None:
        raise Refusal(
            404, "NoTable", f"the result of job {job} is no table, or not yet"
        )
    columns = table["columns"]
    if asked.sort is not None and asked.sort >= len(columns):
        raise Refusal(422, "NoColumn", f"the table has {len(columns)} columns")
    pages = _pages(store, table)
    kept = len(table["rows"]) if pages is None else pages.rows
    found = {"columns": columns, "offset": asked.offset, "kept_rows": kept}
    found["total_rows"] = table["total_rows"]
    stop = asked.offset + asked.limit
    if pages is not None and not asked.q and asked.sort is None:
        rows = pages.read(asked.offset, asked.limit)
        return found | {"rows": rows, "found_rows": kept}
    every: Iterator[list[Any]] = iter(table["rows"]) if pages is None else pages.all()
    kind = "" if asked.sort is None else str(columns[asked.sort].get("type", ""))
    chosen = wanted(every, asked.q or "", asked.sort, kind, is_down=asked.down)
    return found | {"rows": chosen[asked.offset : stop], "found_rows": len(chosen)}


def _table(store: Store, job: str) -> dict[str, Any] | None:
    row = store.reader.one(jobs.RESULT, {"job": job})
    if row is None:
        return None
    if row["view"] is not None:
        bundle = json.loads(row["view"])
    else:  # short exact JSON has no view of its own
        bundle = view(json.loads(row["body"]))
    table = bundle.get(TABLE_MIME)
    if not isinstance(table, dict) or not isinstance(table.get("rows"), list):
        return None  # a body may offer anything under this name
    return table


def _pages(store: Store, table: dict[str, Any]) -> Pages | None:
    """Open the rows behind those of the view; None where there are none."""
    sha256 = str((table.get("pages") or {}).get("sha256", ""))
    if not _SHA256.fullmatch(sha256):
        return None
    try:
        return Pages(blob_path(store.blobs, sha256))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Refusal(410, "ContentGone", "the rows are not in the store") from error
