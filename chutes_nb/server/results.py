"""``GET jobs/ID/results``: what a job returned, never unpickled here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ..states import ENDED, State
from ..store import Store, jobs, runs
from ..store.blobs import blob_path
from .base import ChutesHandler
from .jobs import LookAtJob

PIECE_BYTES = 256 << 10

ERRORS = {
    State.FAILED: "JobFailed",
    State.TIMEOUT: "JobTimeout",
    State.CANCELLED: "JobCancelled",
    State.INTERRUPTED: "JobInterrupted",
}


class Answer(NamedTuple):
    """An answer, and the file that is its ``result`` where that is a large one."""

    body: dict[str, Any]
    status: int = 200
    blob: Path | None = None


class Results(LookAtJob):
    """``GET jobs/ID/results``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer the result; 202 while there is none."""
        found = await self.when_ready(scope, job, answer_of)
        if found.blob is None:
            self.answer(found.body, found.status)
        else:
            await self._stream(found.body, found.blob)

    async def _stream(self, body: dict[str, Any], blob: Path) -> None:
        """Put a file with JSON into the answer without reading it whole."""
        self.set_header("Content-Type", "application/json")
        rest = json.dumps({k: v for k, v in body.items() if k != "result"})
        with blob.open("rb") as source:
            self.write(rest[:-1] + ', "result": ')
            while piece := await self.desk.ask(source.read, PIECE_BYTES):
                self.write(piece)
                await self.flush()
        self.finish("}")


class Partial(ChutesHandler):
    """``GET jobs/ID/partial``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer what a job has emitted so far, in order."""
        self.answer({"partial": await self.of_job(scope, job, partials_of)})


def partials_of(store: Store, job: str) -> list[dict[str, Any]]:
    """Return each partial result that is JSON; of others, that they are there.

    Raises
    ------
    JobNotFound
    """
    store.status(job)  # raises where there is no such job
    return [
        {"value": json.loads(body), "exact": True}
        if kind == "json"
        else {"value": None, "exact": False}
        for kind, body in runs.partials(store.reader, job, store.blobs)
    ]


def answer_of(store: Store, job: str) -> tuple[dict[str, Any], Answer]:
    """Make the answer for a job.

    Raises
    ------
    JobNotFound
    """
    status = store.status(job)
    body = {"job_id": job, "status": status["status"]}
    if status["status"] not in ENDED:
        return status, Answer(body, 202)
    empty = {"result": None, "exact": False, "type": None, "view": None, "error": None}
    body |= empty
    if status["status"] != State.COMPLETED:
        return status, Answer(body | {"error": _error(status)})
    row = store.reader.one(jobs.RESULT, {"job": job})
    if row is None:  # deleted between two looks
        return status, Answer(body)
    body |= {"type": row["type"], "exact": row["kind"] == "json"}
    body["view"] = None if row["view"] is None else json.loads(row["view"])
    if row["kind"] != "json":
        body["result"] = (body["view"] or {}).get("application/json")
        return status, Answer(body)
    if row["body"] is None:
        return status, Answer(body, blob=blob_path(store.blobs, row["blob"]))
    body["result"] = value = json.loads(row["body"])
    if body["view"] is None:  # small exact JSON is its own view
        body["view"] = {"application/json": value, "text/plain": repr(value)}
    return status, Answer(body)


def _error(status: dict[str, Any]) -> dict[str, Any]:
    said = status["error"] or {}
    reason = status["reason"]
    kind = ERRORS[State(status["status"])]
    return {
        "type": said.get("type") or kind,
        "message": said.get("message") or reason or "",
        "traceback": said.get("traceback") or "",
        "reason": reason,
    }
