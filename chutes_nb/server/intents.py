"""Routes that want something of a job: cancel, retry, extend."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

from ..orders import queue_again
from ..states import State
from ..store import Store
from . import shapes
from .base import ChutesHandler
from .submit import idempotency_key

BY = {
    None: "an HTTP request",
    "card": "the user, on its card",
    "list": "the user, in the list of jobs",
}
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
        by = BY[self.query(shapes.CancelQuery).by]
        self.intent(job, await self.of_job(scope, job, _cancel, by))


def _cancel(store: Store, job: str, by: str) -> tuple[bool, str]:
    accepted = store.request_cancel(job, by=by)
    return accepted, store.status(job)["status"]


class Extend(Wish):
    """``POST jobs/ID/extend``."""

    async def post(self, job: str, scope: str | None = None) -> None:
        """Move a running attempt's timeout."""
        wanted = shapes.Extension.model_validate(self.json_body())
        self.intent(job, await self.of_job(scope, job, _extend, wanted.seconds))


def _extend(store: Store, job: str, seconds: float) -> tuple[bool, str]:
    accepted = store.request_extend(job, seconds)
    return accepted, store.status(job)["status"]


class Retry(Wish):
    """``POST jobs/ID/retry``."""

    async def post(self, job: str, scope: str | None = None) -> None:
        """Queue a new job with the code and the input of an ended one."""
        body: Any = self.json_body()
        wanted = shapes.Again.model_validate({} if body is None else body)
        key = idempotency_key(self.request.headers.get("Idempotency-Key"))
        again = functools.partial(
            queue_again, resume=wanted.resume, key=key, code=wanted.code
        )
        new = await self.of_job(scope, job, again)
        self.accepted(new)

    def accepted(self, job: str) -> None:
        """Answer with a job that was queued."""
        place = f"{self.base_url}chutes/jobs/{job}/status"
        self.set_header("Location", place)
        self.answer({"job_id": job, "status": State.QUEUED}, 202)
