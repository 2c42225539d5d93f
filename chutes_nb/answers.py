"""What is answered about jobs: the one JSON that HTTP and the command line share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .errors import AttemptNotFound, MoveRefused
from .files_in import clean_path
from .states import ENDED, TOLD_BY, State
from .store import Store, intake, jobs, listing, runs
from .store.blobs import blob_path
from .views import TABLE_MIME, answered
from .wide import for_page

FOLLOW_S = 0.1
FILE_FIELDS = ("n", "name", "size", "type", "sha256")


class Answer(NamedTuple):
    """An answer, and the file that is its ``result`` where that is a large one."""

    body: dict[str, Any]
    status: int = 200
    blob: Path | None = None


def page(store: Store, scope: str | None, filters: dict[str, Any]) -> dict[str, Any]:
    """Return a page of jobs, newest first, its next cursor, and all counts.

    Parameters
    ----------
    scope : str or None
        A chute, as ``CHUTE`` or ``USERNAME-CHUTE``.
    filters : dict
        See ``Store.jobs``.

    Raises
    ------
    JobNotFound
        If no chute answers to ``scope``.
    """
    if scope is not None:
        filters |= intake.filters_of(store.reader, scope)
    return listing.answer(store.reader, **filters)


def detail(store: Store, job: str, points: int | None = None) -> dict[str, Any]:
    """Return everything a card shows of a job except its log.

    Parameters
    ----------
    points : int, optional
        Most points of a curve.

    Raises
    ------
    JobNotFound
    """
    found = store.detail(job, points)
    found["files"] = shown_files(found["files"])
    return found


def shown_files(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give files names that are safe to show and to save under."""
    return [one | {"name": clean_path(one["name"])} for one in files]


def forget(store: Store, job: str) -> str:
    """Delete an ended job; returns the state it had.

    Raises
    ------
    JobNotFound
    StoreError
    MoveRefused
        If it has not ended.
    """
    state = store.status(job)["status"]
    if state not in ENDED:
        raise MoveRefused(job, to="deleted", found=state)
    store.delete(job)
    return str(state)


def files(store: Store, job: str) -> list[dict[str, Any]]:
    """Return the files of a job.

    Raises
    ------
    JobNotFound
    """
    store.status(job)  # raises where there is no such job
    rows = runs.files(store.reader, job)
    return shown_files([{name: row[name] for name in FILE_FIELDS} for row in rows])


def result(store: Store, job: str) -> tuple[dict[str, Any], Answer]:
    """Return a job's status, and what is answered of its result; nothing is unpickled.

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
        body["result"] = _preview_in(body["view"] or {})
        return status, Answer(body)
    if row["body"] is None:
        return status, Answer(body, blob=blob_path(store.blobs, row["blob"]))
    body["result"] = value = json.loads(row["body"])
    if body["view"] is None:  # small exact JSON is its own view
        body["view"] = {"application/json": for_page(value), "text/plain": repr(value)}
    return status, Answer(body)


def _preview_in(view: dict[str, Any]) -> Any:
    """Give what JSON can say of a result: of a table its rows, else its text."""
    if "application/json" in view:
        return view["application/json"]
    table = view.get(TABLE_MIME)
    if table is None:
        return view.get("text/plain")
    names = [column["name"] for column in table["columns"]]
    kinds = [column["type"] for column in table["columns"]]
    return [
        dict(zip(names, map(answered, row, kinds), strict=True))
        for row in table["rows"]
    ]


def partials(store: Store, job: str) -> list[dict[str, Any]]:
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


def _error(status: dict[str, Any]) -> dict[str, Any]:
    said = status["error"] or {}
    reason = status["reason"]
    kind = TOLD_BY[State(status["status"])]
    return {
        "type": said.get("type") or kind,
        "message": said.get("message") or reason or "",
        "traceback": said.get("traceback") or "",
        "reason": reason,
    }


class LogReader:
    """Reads a log as it grows.

    Parameters
    ----------
    attempt : int, optional
        The newest by default, and then those that follow it.

    Attributes
    ----------
    is_over : bool
        Whether all has been read that will ever be there.
    """

    def __init__(self, store: Store, job: str, attempt: int | None = None) -> None:
        self._store, self._job = store, job
        self._number, self._offset = attempt, 0
        self._is_named = attempt is not None
        self._has_looked = self.is_over = False

    def skip_to(self, piece: dict[str, Any]) -> None:
        """Go on behind a stretch that was read in another way."""
        self._number, self._offset = piece["attempt"], piece["next_offset"]
        self._has_looked = True

    def read(self) -> Iterator[dict[str, Any]]:
        """Give what is new, stretch by stretch as ``Store.log`` does; none is empty.

        Raises
        ------
        JobNotFound
            Also when the job is deleted meanwhile.
        AttemptNotFound
            If it was clear at the first look that there will be no such attempt.
        """
        while True:
            try:
                piece = self._store.log(self._job, self._number, self._offset)
            except AttemptNotFound:
                if not self._has_looked:
                    raise
                self.is_over = True  # the job ended without the one waited for
                return
            self._has_looked = True
            if piece["text"]:
                self._number, self._offset = piece["attempt"], piece["next_offset"]
                yield piece
            elif not piece["end"]:
                return
            elif self._is_named:
                self.is_over = True
                return
            else:  # a job that has ended since may have had more attempts
                self._number, self._offset = piece["attempt"] + 1, 0

    def follow(self) -> Iterator[dict[str, Any]]:
        """Give what is there and what is still to come, until all is over."""
        while not self.is_over:
            rev = self._store.rev()
            yield from self.read()
            if not self.is_over:
                self._store.wait(rev, FOLLOW_S)
