"""Jobs among what ``concurrent.futures.wait`` and ``as_completed`` wait for.

They look into a future: for its lock, its state, and the list in which they leave word.
A job has those of a real future that is done at its end, and says its own name there.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol

from .states import State


class _Job(Protocol):
    @property
    def status(self) -> State: ...


class Waiters:
    """Who waits for a job, kept in the future that is done at its end."""

    def __init__(self, ended: Future[None], job: _Job) -> None:
        self._inner: list[Any] = ended._waiters
        self._job = job

    def append(self, waiter: Any) -> None:
        """Take somebody who is to be told of the job."""
        self._inner.append(_Told(waiter, self._job))

    def remove(self, waiter: Any) -> None:
        """Let go of somebody."""
        self._inner[:] = [
            one for one in self._inner if getattr(one, "waiter", None) is not waiter
        ]


class _Told:
    """Tells a waiter of the job where the future tells of itself."""

    def __init__(self, waiter: Any, job: _Job) -> None:
        self.waiter, self._job = waiter, job

    def add_result(self, _: Future[None]) -> None:
        # The future is done without an exception, however the job has ended.
        asks = getattr(self.waiter, "stop_on_exception", False)
        if asks and not self._has_completed():
            self.waiter.add_exception(self._job)
        else:
            self.waiter.add_result(self._job)

    add_exception = add_cancelled = add_result

    def _has_completed(self) -> bool:
        try:
            return self._job.status is State.COMPLETED
        except Exception:  # deleted, or out of reach: who waits has to hear of it
            return False
