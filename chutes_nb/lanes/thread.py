"""A thread that runs a body in the kernel, and how it is asked to stop.

A thread cannot be ended from outside. An async body is cancelled at its await; a
plain one gets an exception between two of its own steps, and none while it is in a
call of C code. So the asking can fail, and whoever asks has to be able to tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import threading
from collections.abc import Callable, Coroutine, Iterator
from types import CoroutineType, FrameType
from typing import Any

from ..stacks import current_frames
from ..worker.body import LEFT_TASKS_S, JobStopped

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc


class ThreadStopped(JobStopped):
    """Raised in a plain body between two steps, at whatever line it is.

    Only its class can be given to a thread, so it is made where it is raised: that
    the body has heard of it is known from there.
    """

    def __init__(self, *said: object) -> None:
        super().__init__(*(said or ("the job was asked to stop",)))
        thread = _own.get()
        if thread is not None:
            thread.has_heard = True


class BodyThread:
    """Runs what an attempt has to do, and can be asked to stop while it does.

    Parameters
    ----------
    work : callable
        All of the attempt; calls :meth:`call` for what is the user's. Never raises.

    Attributes
    ----------
    is_asked : bool
        Somebody wants it to stop.
    has_heard : bool
        The body was told: its ``finally`` blocks run, or have run.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._work = work
        self._lock = threading.Lock()
        self._is_in_body = self._is_interrupted = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self.is_asked = False
        self.has_heard = False

    def start(self) -> None:
        """Start."""
        self._thread.start()

    def _run(self) -> None:
        _own.set(self)
        self._work()

    # -- in the thread ---------------------------------------------------------------
    def call(self, body: Callable[[], Any]) -> Any:
        """Call user code and give what it returns, awaited where it is a coroutine.

        Raises
        ------
        JobStopped
            If it was asked to stop, also where it has swallowed that.
        """
        try:
            with self._lock:
                self._is_in_body = True
            if self.is_asked:
                raise ThreadStopped
            value = contextvars.copy_context().run(body)
            if type(value) is CoroutineType:
                value = self._await(value)
        finally:
            self._leave()
        if self.has_heard:
            raise JobStopped("the body was asked to stop, and returned")
        return value

    def _leave(self) -> None:
        """Be out of reach: what follows is not the body's, and must not be broken off.

        An exception that is on its way may still come, at any step of this.
        """
        while True:
            try:
                with self._lock:
                    self._is_in_body = False
                _set_async_exc(ctypes.c_ulong(threading.get_ident()), None)
                return
            except JobStopped:
                continue

    def _await(self, body: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on a loop of its own."""
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            with self._lock:
                self._task, self._loop = loop.create_task(body), loop
                if self.is_asked:
                    self._cancel()
            return loop.run_until_complete(self._task)
        finally:
            self._end(loop)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give what was left on the loop a while to hear of its end.

        Threads that the body waited for (``asyncio.to_thread``) are not waited for.
        """
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.wait(left, timeout=LEFT_TASKS_S))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            self._loop = None
            asyncio.set_event_loop(None)
            loop.close()

    # -- from other threads ------------------------------------------------------------
    def ask(self) -> None:
        """Ask the body to stop; :attr:`has_heard` tells whether it was reached."""
        with self._lock:
            self.is_asked = True
            if not self._is_in_body:
                return
            if self._loop is not None:
                with contextlib.suppress(RuntimeError):  # closed, as the body ends
                    self._loop.call_soon_threadsafe(self._cancel)
            else:
                self._interrupt()

    def ask_again(self) -> bool:
        """Ask an async body that keeps its loop busy as if it were a plain one.

        Returns
        -------
        bool
            False where there is no other way to ask.
        """
        with self._lock:
            if not self._is_in_body or self._loop is None or self._is_interrupted:
                return False
            self._interrupt()
            return True

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self.has_heard = True
            self._task.cancel()

    def _interrupt(self) -> None:
        self._is_interrupted = True  # once: a second one could come after the body
        ident = ctypes.c_ulong(self._thread.ident or 0)
        _set_async_exc(ident, ctypes.py_object(ThreadStopped))

    def frames(self) -> list[tuple[FrameType, int]]:
        """Return where the body is now, innermost first, each with its line."""
        task, found = self._task, list[tuple[FrameType, int]]()
        if task is not None and not task.done():
            found = list(_awaited(task.get_coro()))
        frame = current_frames().get(self._thread.ident or 0)
        while frame is not None:
            found.append((frame, frame.f_lineno))
            frame = frame.f_back
        return found


_own: contextvars.ContextVar[BodyThread | None] = contextvars.ContextVar(
    "chutes_nb_thread", default=None
)


def _awaited(coroutine: Any) -> Iterator[tuple[FrameType, int]]:
    """Frames of a coroutine that is suspended, innermost first."""
    outer = []
    while isinstance(coroutine, CoroutineType) and coroutine.cr_frame is not None:
        outer.append((coroutine.cr_frame, coroutine.cr_frame.f_lineno))
        coroutine = coroutine.cr_await
    yield from reversed(outer)
