"""Short questions to the store, as many to one thread's turn as have come meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Asked(NamedTuple):
    question: Callable[[], Any]
    answer: asyncio.Future[Any]


class Batches:
    """Asks in one thread; what comes while it is busy goes together in its next turn.

    Handing something to a thread and back costs several times what a look at one row
    does, so with many requests at once it is paid once for all of them. A question
    here must be short: those beside it wait for it.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="chutes-server-quick")
        self._waiting: list[_Asked] = []
        self._is_busy = False

    async def ask(self, question: Callable[[], T]) -> T:
        """Wait for the answer to a short question."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Asked(question, answer))
        if not self._is_busy:
            self._is_busy = True
            # Not at once: who is read from in this turn of the loop comes along.
            loop.call_soon(self._send, loop)
        return await answer

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting, []
        try:
            self._pool.submit(self._answer, batch, loop)
        except RuntimeError as error:  # the server is ending
            self._is_busy = False
            for asked in batch:
                _settle(asked.answer, None, error)

    def _answer(self, batch: list[_Asked], loop: asyncio.AbstractEventLoop) -> None:
        found: list[tuple[Any, Exception | None]] = []
        for asked in batch:
            try:
                found.append((asked.question(), None))
            except Exception as error:
                found.append((None, error))
        try:
            loop.call_soon_threadsafe(self._deliver, batch, found, loop)
        except RuntimeError:  # the loop has closed: nobody waits any more
            return

    def _deliver(
        self,
        batch: list[_Asked],
        found: list[tuple[Any, Exception | None]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        for asked, (value, error) in zip(batch, found, strict=True):
            _settle(asked.answer, value, error)
        if self._waiting:
            self._send(loop)
        else:
            self._is_busy = False

    def close(self) -> None:
        """Let the thread go."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _settle(answer: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    if answer.done():  # whoever asked has gone away
        return
    if error is None:
        answer.set_result(value)
    else:
        answer.set_exception(error)
