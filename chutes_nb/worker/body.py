"""Calls a job's body, plain or async, so that SIGTERM ends it and ``finally`` runs."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from decimal import getcontext, setcontext
from types import CoroutineType, FrameType
from typing import Any

from .context import RunFacts

LEFT_TASKS_S = 5.0
AGAIN_S = 1.0
_type, _COROUTINE = type, CoroutineType
_set_profile, _set_trace = sys.setprofile, sys.settrace


class JobStopped(BaseException):
    """Raised in a plain body, at the line it is at, when the attempt must stop.

    An async body sees ``asyncio.CancelledError`` at its await instead. Neither is
    an :class:`Exception`, so ``except Exception`` does not keep a job alive.
    """


class TooSlow(BaseException):
    """Raised where code of the user's takes too long at what is not its work."""


class Stopper:
    """Turns the first SIGTERM of an attempt into an exception in its body."""

    def __init__(self) -> None:
        self._facts: RunFacts | None = None
        self._held: RunFacts | None = None
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.was_asked = False
        self.has_stopped = False
        self._masks = threading.local()  # any thread of a body may fork

    def install(self) -> None:
        """Listen; SIGINT is ignored, since the kernel's interrupts are not ours."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_term)
        os.register_at_fork(
            before=self._hold_back,
            after_in_parent=self._let_through,
            after_in_child=self._leave_child,
        )

    # A forked child is ended by SIGTERM like any other process. An exception that was
    # raised there would be lost where the child has just begun, in a callback of the
    # fork or of a weak reference, and multiprocessing.Pool waits for the child's end.
    def _hold_back(self) -> None:
        self._masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _let_through(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.before)

    def _leave_child(self) -> None:
        if signal.getsignal(signal.SIGTERM) == self._on_term:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._let_through()

    def begin(self, facts: RunFacts) -> None:
        """Listen for the attempt whose body is called next."""
        self.was_asked = self.has_stopped = False
        self._facts = facts

    def hold(self) -> None:
        """Put a request off: what runs next must not be left half done."""
        self._facts, self._held = None, self._facts

    def go_on(self) -> None:
        """Listen again; raises :class:`JobStopped` for a request that was put off."""
        self._facts, self._held = self._held, None
        if self.was_asked and not self.has_stopped and self._facts is not None:
            self._facts.is_cancelled = self.has_stopped = True
            raise JobStopped("the job was asked to stop")

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
        """Call a body and give what it returns, awaited where it is a coroutine.

        It has context variables of its own.
        """
        try:
            value = contextvars.copy_context().run(_apart, body)
        finally:
            # Calls of C functions, which are not traced; and nothing here may need a
            # builtin, since the body may have replaced each of them.
            try:
                _set_profile(None)
            finally:
                _set_trace(None)
        if _type(value) is _COROUTINE:
            try:
                return self._run(value)
            finally:
                value.close()  # where it never began: Python would warn in the log
        return value

    def _run(self, body: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine; tasks that it leaves get a while to hear of their end.

        A request to stop waits until there is a loop: it would break off the making.
        """
        self.hold()
        runner = asyncio.Runner()
        try:
            return runner.run(self._watched(body))
        finally:
            with contextlib.suppress(TooSlow), at_most(LEFT_TASKS_S):
                runner.close()

    async def _watched(self, body: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None  # a coroutine is always run by a task
        self._task = task
        self._loop = asyncio.get_running_loop()
        setcontext(getcontext().copy())  # see _apart
        try:
            self.go_on()
            return await body
        finally:
            _set_trace(None)
            self._loop = self._task = None


def _apart(body: Callable[[], Any]) -> Any:
    """Call a body with a decimal context of its own.

    A copy of the context variables shares what they hold, and reading a ``Decimal``
    argument has made a context in this thread.
    """
    setcontext(getcontext().copy())
    return body()


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise :class:`TooSlow` in the block when so many seconds are over.

    It is raised again each second after that, where the block goes on. In any thread
    but the main one (a job in the kernel) nothing is raised: Python has no means.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"it took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
