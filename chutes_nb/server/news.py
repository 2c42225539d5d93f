"""The store's changes for everybody who listens, read once for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from ..store import Store

LOOK_S = 1.0
PAGE_MOVES = 500
MOST_PAGES = 64
FAULT_PAUSE_S = 1.0
BATCH = 10
BATCH_S = 0.005


class Page(NamedTuple):
    """Changes after a revision, as JSON.

    Attributes
    ----------
    rev : int
        The revision to go on from.
    text : str
        One line.
    is_last : bool
        Whether nothing newer was there.
    """

    rev: int
    text: str
    is_last: bool


class News:
    """Follows the store while somebody listens.

    Parameters
    ----------
    store : callable
        Gives the store; called in threads.
    ask : callable
        Runs a function in a thread.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        ask: Callable[..., Awaitable[Any]],
    ) -> None:
        self._store, self._ask = store, ask
        self.rev = -1
        self.bells: set[asyncio.Event] = set()
        self._changed = asyncio.Event()
        self._pages: OrderedDict[tuple[int, int], asyncio.Future[Page]] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._round = 0
        self._is_due = self._is_ringing = False

    async def newest(self) -> int:
        """Return the store's newest revision, and follow it from now on."""
        rev = int(await self._ask(lambda: self._store().rev()))
        self._follow(rev)
        return max(rev, self.rev)

    async def wait(self, since: int, timeout_s: float) -> int:
        """Wait until something newer than a revision is there, or time is out."""
        rev = await self.newest()
        end = asyncio.get_running_loop().time() + timeout_s
        while rev <= since:
            changed = self._changed
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left)
            rev = max(rev, self.rev)
        return rev

    async def page(self, since: int, known: int = 0) -> Page:
        """Read the changes after a revision; who asks in the same round shares a look.

        So a page may be a moment old, but it has news wherever there are any.

        Parameters
        ----------
        known : int
            A revision that a page has to reach, unless it is full before.
        """
        while True:
            key = since, self._round
            shared = self._pages.get(key)
            is_own = shared is None
            if shared is None:
                shared = asyncio.ensure_future(self._ask(self._read, since))
                self._pages[key] = shared
                while len(self._pages) > MOST_PAGES:
                    self._pages.popitem(last=False)
            try:
                page = await asyncio.shield(shared)
            except Exception:
                self._pages.pop(key, None)
                raise
            is_good = page.rev > since and (page.rev >= known or not page.is_last)
            if not is_good and self._pages.get(key) is shared:
                del self._pages[key]  # the next one looks anew
            if is_good or is_own:
                return page

    def _read(self, since: int) -> Page:
        found = self._store().changes(since, PAGE_MOVES)
        return Page(int(found["rev"]), json.dumps(found), not found["more"])

    def _follow(self, rev: int) -> None:
        self.rev = max(self.rev, rev)
        if self._thread is None or not self._thread.is_alive():
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(
                target=self._look, args=(loop,), name="chutes-news", daemon=True
            )
            self._thread.start()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        rev = self.rev
        while not self._closed.is_set():
            try:
                newest = self._store().wait(rev, LOOK_S)
            except Exception:  # a store that cannot be read now may be again soon
                self._closed.wait(FAULT_PAUSE_S)
                continue
            if newest > rev:
                rev = newest
                with contextlib.suppress(RuntimeError):  # the loop has closed
                    loop.call_soon_threadsafe(self._tell, newest)

    def _tell(self, rev: int) -> None:
        self.rev = max(self.rev, rev)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        self._is_due = True
        if not self._is_ringing:
            self._begin_round()

    def _begin_round(self) -> None:
        """Ring every bell once; what is new meanwhile is for the next round.

        A few bells at a time, and one round after the other: with hundreds of streams
        and jobs that move all the time, everybody else would have to wait. A stream
        that is rung later gets more at once.
        """
        self._is_due, self._is_ringing = False, True
        self._round += 1
        self._ring(list(self.bells))

    def _ring(self, bells: list[asyncio.Event]) -> None:
        for bell in bells[:BATCH]:
            bell.set()
        loop, left = asyncio.get_running_loop(), bells[BATCH:]
        if left:
            loop.call_later(BATCH_S, self._ring, left)
        elif self._is_due:
            loop.call_later(BATCH_S, self._begin_round)
        else:
            self._is_ringing = False

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self.bells)

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()
