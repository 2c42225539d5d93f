"""Routes that follow the store: ``GET events`` (SSE) and ``GET changes``."""

from __future__ import annotations

import asyncio
import contextlib

from tornado.iostream import StreamClosedError

from . import shapes
from .base import ChutesHandler
from .faults import Refusal

HEARTBEAT_S = 15.0
SLOW_S = 20.0  # a reader that takes nothing for so long is let go
RETRY_MS = 1000


class Following(ChutesHandler):
    """A route that reads on from a revision."""

    async def known(self, since: int) -> int:
        """Check that a revision is one that the store has had; returns the newest.

        Raises
        ------
        Refusal
        """
        newest = await self.desk.news.newest()
        if since > newest:
            raise Refusal(
                400,
                "UnknownRevision",
                f"the store is at revision {newest}, and {since} was asked for; "
                "begin again without it",
            )
        return newest


class Changes(Following):
    """``GET changes``."""

    async def get(self, scope: str | None = None) -> None:
        """Answer what is newer than a revision; waits for it where asked to.

        Without a revision the answer is where to begin, as with the stream.
        """
        wanted = self.query(shapes.ChangesQuery)
        if wanted.since is None:
            rev = await self.desk.news.newest()
            self.answer({"rev": rev, "jobs": [], "moves": [], "more": False})
            return
        newest = await self.known(wanted.since)
        if newest == wanted.since and wanted.wait:
            newest = await self.desk.news.wait(wanted.since, wanted.wait)
        self.answer((await self.desk.news.page(wanted.since, newest)).text)


class Events(Following):
    """``GET events``: one stream for all that a page wants to know."""

    _bell: asyncio.Event | None = None
    _is_gone = False

    async def get(self, scope: str | None = None) -> None:
        """Send every change until the reader goes away, or takes nothing more."""
        since = await self._since()
        news = self.desk.news
        most = self.desk.most_streams
        if news.streams >= most:
            raise Refusal(
                503,
                "TooManyStreams",
                f"{most} streams are open; close a page, or poll changes",
                headers={"Retry-After": "5"},
            )
        self._bell = bell = asyncio.Event()
        news.bells.add(bell)
        try:
            self._begin()
            if self.wants_headers_alone:
                await self.end_headers()
            else:
                await self._follow(since)
        except (StreamClosedError, TimeoutError):
            self._hang_up()
        finally:
            news.bells.discard(bell)

    async def _since(self) -> int:
        text = self.request.headers.get("Last-Event-ID")
        if text is not None:
            asked = {"since": text}
            since = shapes.EventsQuery.model_validate(asked).since
        else:
            since = self.query(shapes.EventsQuery).since
        if since is None:
            return await self.desk.news.newest()
        await self.known(since)
        return since

    def _begin(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        self.write(f"retry: {RETRY_MS}\n\n")

    async def _follow(self, since: int) -> None:
        news = self.desk.news
        await self._flush()
        while not self._is_gone:
            page = await news.page(since)
            if page.rev > since:
                since = page.rev
                self.write(f"id: {page.rev}\ndata: {page.text}\n\n")
                await self._flush()
            if page.is_last and not await self._rung():
                self.write(": still here\n\n")
                await self._flush()

    async def _rung(self) -> bool:
        """Wait for news or for the end; False where neither came in time.

        The bell may have been rung since the page was asked for; it is never looked
        for news here, so that the rounds alone say how often a stream is written to.
        """
        assert self._bell is not None  # hung up before the first look
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await self._bell.wait()
        except TimeoutError:
            return False
        self._bell.clear()
        return True

    async def _flush(self) -> None:
        """Hand over what was written; it waits for the reader, but not for ever."""
        async with asyncio.timeout(SLOW_S):
            await self.flush()

    def on_connection_close(self) -> None:
        """Stop following for a reader that has gone."""
        super().on_connection_close()
        self._is_gone = True
        if self._bell is not None:
            self._bell.set()

    def _hang_up(self) -> None:
        with contextlib.suppress(Exception):
            connection = self.request.connection
            connection.stream.close()  # type: ignore[union-attr]
        self._finished = True
