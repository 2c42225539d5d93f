"""A dask cluster as the lane sees it: attempts sent, asked after, and told to stop.

Everything here blocks, and is called on threads that may. It imports distributed, so
it is imported only where there is a job for a cluster.
"""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import distributed

from .abroad import DIED, order, peek, run_abroad
from .parcels import Known, News, Report

CONNECT_S = 5.0
POLL_S = 0.1
CLOSE_S = 1.0
LARGE_BYTES = 1 << 20  # from here on not within the task graph


def run_task(packed: bytes, name: str) -> bytes:
    """Run an attempt; the task as dask has it."""
    begun, withdrawn = _flags(name)
    is_first = not begun.is_set()
    begun.set()  # the scheduler knows it before the body begins
    return run_abroad(packed, is_first and not withdrawn.is_set())


def _flags(name: str, **client: Any) -> tuple[distributed.Event, distributed.Event]:
    """Give two flags on the scheduler: an attempt has begun, and it must not begin.

    Each side raises its own first and then looks at the other's, so that whatever the
    moment at least one of the two knows of the other.
    """
    names = (f"chutes-{name}", f"chutes-{name}-withdrawn")
    begun, withdrawn = (distributed.Event(one, **client) for one in names)
    return begun, withdrawn


class Cluster:
    """A connection to a scheduler.

    Parameters
    ----------
    on_news : callable
        Takes an attempt's name and its :class:`News`.
    on_end : callable
        Takes an attempt's name and its :class:`Report`, or why there is none.
    """

    def __init__(
        self,
        address: str,
        on_news: Callable[[str, News], None],
        on_end: Callable[[str, Report | str], None],
    ) -> None:
        self.address = address
        self._on_news, self._on_end = on_news, on_end
        self._lock = threading.Lock()
        self._watched: dict[str, Known] = {}
        self._futures: dict[str, Any] = {}
        self._is_closed = False
        self._client = distributed.Client(
            address, timeout=CONNECT_S, set_as_default=False
        )
        threading.Thread(target=self._poll, name="chutes-dask", daemon=True).start()

    def slots(self) -> int:
        """Return how many attempts the cluster runs at once."""
        return int(sum(self._client.nthreads().values()))

    @property
    def is_lost(self) -> bool:
        """Whether the scheduler does not answer any more."""
        return bool(self._client.status != "running")

    def send(self, name: str, packed: bytes) -> None:
        """Send an attempt off, or find it where it was sent before.

        The scheduler keeps its result until somebody has it, so that another kernel
        can take over.
        """
        future = self._found(name)
        if future is None:
            given: Any = packed
            if len(packed) >= LARGE_BYTES:
                given = self._client.scatter(packed)
            future = self._client.submit(
                run_task, given, name, key=f"chutes-{name}", pure=False, retries=0
            )
            self._client.publish_dataset(future, name=f"chutes-{name}")
        with self._lock:
            self._futures[name] = future
        future.add_done_callback(lambda done: self._done(name, done))

    def _found(self, name: str) -> Any:
        if f"chutes-{name}" in self._client.list_datasets():
            return self._client.get_dataset(f"chutes-{name}")
        return None

    def _done(self, name: str, future: Any) -> None:
        with self._lock:
            if name not in self._futures:
                return  # withdrawn
        try:
            report: Report | str = pickle.loads(future.result(timeout=60))
        except distributed.scheduler.KilledWorker:
            report = DIED
        except BaseException as error:  # what a cluster can say is not bounded
            report = f"the cluster gave it up: {type(error).__name__}: {error}"[:300]
        self._on_end(name, report)

    def watch(self, name: str, known: Known) -> None:
        """Ask after an attempt from now on, for what came after that."""
        with self._lock:
            self._watched[name] = known

    def forget(self, name: str) -> None:
        """Let go of an attempt that is settled."""
        with self._lock:
            self._watched.pop(name, None)
            future = self._futures.pop(name, None)
        with contextlib.suppress(Exception):  # a cluster that is gone kept nothing
            self._client.unpublish_dataset(f"chutes-{name}")
            if future is not None:
                future.release()

    def order(self, name: str, what: str, value: Any) -> bool:
        """Tell an attempt something; False where no worker has it."""
        answers = self._client.run(order, name, what, value, on_error="ignore")
        return any(answers.values())

    def withdraw(self, name: str) -> bool:
        """Take back an attempt that has not begun; False for one that has."""
        begun, withdrawn = _flags(name, client=self._client)
        withdrawn.set()
        if begun.is_set():
            return False
        with self._lock:
            future = self._futures.pop(name, None)
        if future is not None:
            future.cancel()
        self.forget(name)
        return True

    def _poll(self) -> None:
        while not self._is_closed:
            time.sleep(POLL_S)
            with self._lock:
                asked = dict(self._watched)
            if not asked or self.is_lost:
                continue
            try:
                answers = self._client.run(peek, asked, on_error="ignore")
            except Exception:  # it is between two workers, or going
                continue
            for answer in answers.values():
                for name, packed in answer.items():
                    self._on_news(name, pickle.loads(packed))

    def close(self) -> None:
        """Hang up; what runs there goes on, and is found again."""
        self._is_closed = True
        with self._lock:
            self._watched.clear()
            self._futures.clear()
        closing = threading.Thread(target=self._client.close, daemon=True)
        closing.start()
        closing.join(CLOSE_S)
