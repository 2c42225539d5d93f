"""Calls a job's body, plain or async, so that SIGTERM ends it and ``finally`` runs."""

from __future__ import annotations

import asyncio
import inspect
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

from .context import RunFacts


class JobStopped(BaseException):
    """Raised in a plain body, at the line it is at, when the attempt must stop.

    An async body sees ``asyncio.CancelledError`` at its await instead. Neither is
    an :class:`Exception`, so ``except Exception`` does not keep a job alive.
    """


class Stopper:
    """Turns the first SIGTERM of an attempt into an exception in its body."""

    def __init__(self) -> None:
        self._facts: RunFacts | None = None
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.was_asked = False
        self.has_stopped = False

    def install(self) -> None:
        """Listen; SIGINT is ignored, since the kernel's interrupts are not ours."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_term)

    def begin(self, facts: RunFacts) -> None:
        """Listen for the attempt whose body is called next."""
        self.was_asked = self.has_stopped = False
        self._facts = facts

    def end(self) -> None:
        """Listen no more: the body has returned or raised."""
        self._facts = None
        self._loop = self._task = None

    def _on_term(self, _number: int, _frame: FrameType | None) -> None:
        if self._facts is None:
            self.was_asked = True  # too late or too early: the executor decides
            return
        self._facts.is_cancelled = True
        if self.was_asked:
            return  # the body is in its finally blocks: they have their grace
        self.was_asked = self.has_stopped = True
        loop = self._loop
        if loop is not None and asyncio.current_task(loop) is None and self._task:
            # Nobody's code runs: the loop waits. Raised here, the exception would
            # end the loop and no finally block of the body would run.
            loop.call_soon_threadsafe(self._task.cancel)
            return
        raise JobStopped("the job was asked to stop")

    def call(self, body: Callable[[], Any]) -> Any:
        """Call a body and give what it returns, awaited where it is a coroutine."""
        value = body()
        if inspect.iscoroutine(value):
            with asyncio.Runner() as runner:
                return runner.run(self._watched(value))
        return value

    async def _watched(self, body: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None  # a coroutine is always run by a task
        self._task = task
        self._loop = asyncio.get_running_loop()
        try:
            return await body
        finally:
            self._loop = self._task = None
