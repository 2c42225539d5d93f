"""Routes that look at jobs: the list, one job, its status and its log."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from ..answers import detail, forget, page
from ..snapshots import job_bundle
from ..states import ENDED, State
from ..store import Store
from . import shapes
from .base import ChutesHandler
from .delivery import attachment

T = TypeVar("T")

PIECE_BYTES = 1 << 20


class LookAtJob(ChutesHandler):
    """A route about one job, which may wait until there is something to say.

    Attributes
    ----------
    is_quick : bool
        Whether its question is a look at a row or two, and may share a thread's turn.
    """

    is_quick: ClassVar[bool] = False

    query_shape: ClassVar[type[shapes.WaitQuery]] = shapes.WaitQuery

    async def when_ready(
        self,
        scope: str | None,
        job: str,
        question: Callable[[Store, str], tuple[dict[str, Any], T]],
    ) -> T:
        """Ask until the job has ended, is newer than was said, or time is out.

        Parameters
        ----------
        question : callable
            Gives the job's status, and what is to be answered.
        """
        wanted = self.query(self.query_shape)
        clock = asyncio.get_running_loop().time
        end = clock() + wanted.wait
        ask = self.quickly_of_job if self.is_quick else self.of_job
        while True:
            seen = await self.desk.news.newest() if wanted.wait else 0
            status, found = await ask(scope, job, question)
            has_ended = State(status["status"]) in ENDED
            is_new = wanted.since is not None and status["rev"] > wanted.since
            left = end - clock()
            if has_ended or is_new or left <= 0:
                return found
            await self.desk.news.wait(seen, left)


class Status(LookAtJob):
    """``GET jobs/ID/status``."""

    is_quick: ClassVar[bool] = True

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer the job as it stands."""
        self.answer(await self.when_ready(scope, job, _status))


def _status(store: Store, job: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = store.status(job)
    return found, found


class Job(LookAtJob):
    """``GET jobs/ID`` and ``DELETE jobs/ID``."""

    query_shape = shapes.DetailQuery

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer everything a card shows."""
        points = self.query(shapes.DetailQuery).points
        question = functools.partial(_detail, points=points)
        self.answer(await self.when_ready(scope, job, question))

    async def delete(self, job: str, scope: str | None = None) -> None:
        """Forget an ended job."""
        state = await self.of_job(scope, job, forget)
        self.answer({"job_id": job, "status": state, "accepted": True}, 202)


def _detail(
    store: Store, job: str, points: int | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    found = detail(store, job, points)
    return found["status"], found


class Snapshot(ChutesHandler):
    """``GET jobs/ID/snapshot``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer what a notebook keeps of the job."""
        self.answer(await self.of_job(scope, job, job_bundle))


class Jobs(ChutesHandler):
    """``GET jobs``."""

    async def get(self, scope: str | None = None) -> None:
        """Answer a page of jobs, newest first."""
        wanted = self.query(shapes.JobsQuery)
        filters = wanted.model_dump()
        filters["text"] = filters.pop("q")
        self.answer(await self.read(page, scope, filters))


class Logs(ChutesHandler):
    """``GET jobs/ID/logs``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer a stretch of the log, its last lines, or the whole as a file."""
        wanted = self.query(shapes.LogQuery)
        if wanted.download:
            await self._download(scope, job, wanted.attempt)
        elif wanted.tail is not None:
            self.answer(
                await self.of_job(
                    scope, job, Store.log_tail, wanted.tail, wanted.attempt
                )
            )
        else:
            part = (wanted.attempt, wanted.offset, wanted.limit)
            read = functools.partial(Store.log, numbered=wanted.numbered)
            self.answer(await self.of_job(scope, job, read, *part))

    async def _download(self, scope: str | None, job: str, attempt: int | None) -> None:
        piece = await self.of_job(scope, job, Store.log, attempt, 0, PIECE_BYTES)
        number = piece["attempt"]
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Content-Disposition", attachment(f"{job}-{number}.log"))
        if self.wants_headers_alone:
            await self.end_headers()
            return
        while piece["text"]:
            if piece["skipped"]:
                self.write(f"\n[{piece['skipped']:,} bytes were not kept]\n")
            self.write(piece["text"])
            await self.flush()
            at = piece["next_offset"]
            piece = await self.of_job(scope, job, Store.log, number, at, PIECE_BYTES)
        self.finish(set_content_type="text/plain; charset=utf-8")
