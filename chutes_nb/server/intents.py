"""Routes that want something of a job: cancel, retry, extend."""

from __future__ import annotations

import json
import time
from typing import Any, ClassVar

from ..states import State
from ..store import Store, intake
from . import shapes
from .base import ChutesHandler
from .hosting import see_to
from .submit import by_options, idempotency_key

BY = "an HTTP request"
SMALL_BODY_BYTES = 64 << 10


class Wish(ChutesHandler):
    """A request with a small body or none."""

    body_limit: ClassVar[int] = SMALL_BODY_BYTES

    def intent(self, job: str, found: tuple[bool, str]) -> None:
        """Answer whether something could still be done."""
        accepted, state = found
        self.answer({"job_id": job, "status": state, "accepted": accepted}, 202)


class Cancel(Wish):
    """``POST jobs/ID/cancel``."""

    async def post(self, job: str, scope: str | None = None) -> None:
        """Cancel a waiting job; ask for a running one to be."""
        self.intent(job, await self.of_job(scope, job, _cancel))


def _cancel(store: Store, job: str) -> tuple[bool, str]:
    accepted = store.request_cancel(job, by=BY)
    return accepted, store.status(job)["status"]


class Extend(Wish):
    """``POST jobs/ID/extend``."""

    async def post(self, job: str, scope: str | None = None) -> None:
        """Give a running attempt more seconds."""
        wanted = shapes.Extension.model_validate(self.json_body())
        self.intent(job, await self.of_job(scope, job, _extend, wanted.seconds))


def _extend(store: Store, job: str, seconds: float) -> tuple[bool, str]:
    store.status(job)  # raises where there is no such job
    accepted = store.request_extend(job, seconds)
    return accepted, store.status(job)["status"]


class Retry(Wish):
    """``POST jobs/ID/retry``."""

    async def post(self, job: str, scope: str | None = None) -> None:
        """Queue a new job with the code and the input of an ended one."""
        body: Any = self.json_body()
        wanted = shapes.Again.model_validate({} if body is None else body)
        key = idempotency_key(self.request.headers.get("Idempotency-Key"))
        new = await self.of_job(scope, job, run_again, wanted, key)
        self.accepted(new)

    def accepted(self, job: str) -> None:
        """Answer with a job that was queued."""
        place = f"{self.base_url}chutes/jobs/{job}/status"
        self.set_header("Location", place)
        self.answer({"job_id": job, "status": State.QUEUED}, 202)


def run_again(store: Store, job: str, wanted: shapes.Again, key: str | None) -> str:
    """Queue a job again; returns the new id.

    Raises
    ------
    JobNotFound, KeyTaken, MoveRefused
    """
    now = time.time()
    with store.writing() as tx:
        newest = intake.newest_like(tx, job) if wanted.code == "current" else None
        changed = None
        if newest is not None:
            changed = by_options(json.loads(newest["options"]), now)
            changed |= {"definition": newest["key"]}
        queued = intake.queue_again(
            tx, job, store.leases, now, wanted.resume, key, changed
        )
    store.feed.nudge()
    if queued.is_new:
        see_to(store, queued)
    return queued.job
