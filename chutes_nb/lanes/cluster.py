"""A dask cluster as the lane sees it: attempts sent, asked after, and told to stop.

Everything here blocks, and is called on threads that may. It imports distributed, so
it is imported only where there is a job for a cluster.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import distributed

from .. import stacks
from ..policy import Ending
from .abroad import order, peek, run_abroad
from .parcels import DIED, Known, News, Report

CONNECT_S = 5.0
POLL_S = 0.1
COUNT_S = 1.0
CLOSE_S = 1.0
BROKEN = "scheduler-connection-lost"
LARGE_BYTES = 1 << 20  # from here on not within the task graph


def run_task(packed: bytes, name: str) -> bytes:
    """Run an attempt; the task as dask has it."""
    stacks.guard()  # dask's profiler reads them a hundred times a second
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
        Takes this cluster, an attempt's name and its :class:`News`.
    on_end : callable
        Takes this cluster and the name of an attempt whose end can be had, or which is
        to be found anew: :meth:`report` says.
    on_slots : callable
        Called when the cluster has another number of places than before.
    """

    def __init__(
        self,
        address: str,
        on_news: Callable[[Cluster, str, News], None],
        on_end: Callable[[Cluster, str], None],
        on_slots: Callable[[], None],
    ) -> None:
        self.address = address
        self._on_news, self._on_end, self._on_slots = on_news, on_end, on_slots
        self._lock = threading.Lock()
        self._watched: dict[str, Known] = {}
        self._futures: dict[str, Any] = {}
        self._is_closed = False
        self._client = distributed.Client(
            address, timeout=CONNECT_S, set_as_default=False
        )
        self.slots = 0  # nobody has counted yet
        threading.Thread(target=self._poll, name="chutes-dask", daemon=True).start()

    def _count(self) -> int:
        return int(sum(self._client.nthreads().values()))

    @property
    def is_lost(self) -> bool:
        """Whether the scheduler does not answer any more."""
        return bool(self._client.status != "running")

    @property
    def is_reconnecting(self) -> bool:
        """Whether the line broke a moment ago, and may be back in another."""
        return bool(self._client.status == "connecting")

    def send(self, name: str, packed: bytes) -> None:
        """Send an attempt off, for the first time.

        The scheduler keeps its result until somebody has it, so that another kernel
        can take over.
        """
        given: Any = packed
        if len(packed) >= LARGE_BYTES:
            self._wait_for_workers()
            given = self._client.scatter(packed)
        future = self._client.submit(
            run_task, given, name, key=f"chutes-{name}", pure=False, retries=0
        )
        self._client.publish_dataset(future, name=f"chutes-{name}")
        self._follow(name, future)

    def _wait_for_workers(self) -> None:
        """Wait until there is a worker that large data can be laid down with.

        A task that waits makes those clusters start one that grow by their work.
        """
        waiting = self._client.submit(bool, pure=False)
        while not self._client.nthreads():
            if self._is_closed:
                raise ConnectionError("the line was let go")
            time.sleep(POLL_S)
        waiting.release()

    @property
    def scheduler(self) -> str:
        """Which run of a scheduler it is: one that is started anew knows nothing."""
        return str(self._client.scheduler_info()["id"])

    def has_begun(self, name: str) -> bool:
        """Whether an attempt has begun, as far as this scheduler knows."""
        return bool(_flags(name, client=self._client)[0].is_set())

    def find(self, name: str) -> bool:
        """Find an attempt that was sent before; False where nobody knows it there."""
        key = f"chutes-{name}"
        scheduler: Any = self._client.scheduler
        tell = scheduler.get_task_status
        state = self._client.sync(tell, keys=[key])[key]
        if state is None or key not in self._client.list_datasets():
            return False  # without a task its future would be pending for ever
        self._follow(name, self._client.get_dataset(key))
        return True

    def _follow(self, name: str, future: Any) -> None:
        with self._lock:
            self._futures[name] = future
        future.add_done_callback(lambda done: self._done(name, done))

    def _done(self, name: str, future: Any) -> None:
        # dask has one thread for the callbacks of all futures: nothing is fetched here.
        with self._lock:
            is_ours = self._futures.get(name) is future
        if is_ours:  # it was not withdrawn, nor found anew
            self._on_end(self, name)

    def report(self, name: str) -> Report | str | None:
        """Fetch how an attempt ended, or why nobody knows.

        Returns
        -------
        Report, str or None
            None where only the line broke: the attempt is to be found anew.
        """
        with self._lock:
            future = self._futures.get(name)
        if future is None or self._is_closed:
            return None
        try:
            found: Report = pickle.loads(future.result())
        except distributed.scheduler.KilledWorker:
            return DIED
        except BaseException as error:  # what a cluster can say is not bounded
            if self.is_lost or _is_of_line(error, future.status):
                return None
            return f"the cluster gave it up: {type(error).__name__}: {error}"[:300]
        return found

    def watch(self, name: str, known: Known) -> None:
        """Ask after an attempt from now on, for what came after that."""
        with self._lock:
            self._watched[name] = known

    def forget(self, name: str, *, is_over: bool = False) -> None:
        """Let go of an attempt that is settled.

        Parameters
        ----------
        is_over : bool
            It has ended for certain, so that nothing need be remembered of it.
        """
        with self._lock:
            self._watched.pop(name, None)
            future = self._futures.pop(name, None)
        # A cluster that is gone kept nothing.
        with contextlib.suppress(Exception, asyncio.CancelledError):
            self._client.unpublish_dataset(f"chutes-{name}")
            if future is not None:
                future.release()
            if is_over:
                _flags(name, client=self._client)[0].clear()

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

    def end(self, name: str, ending: Ending, within_s: float) -> None:
        """See to it that an attempt of before is over; nobody knew when it was settled.

        Raises
        ------
        TimeoutError
            If it does not end.
        """
        until = time.monotonic() + within_s
        if not self.withdraw(name):
            while self.order(name, "stop", ending):
                if time.monotonic() > until:
                    raise TimeoutError
                time.sleep(POLL_S)
            self.forget(name)

    def _poll(self) -> None:
        counted_at = -COUNT_S
        while not self._is_closed:
            time.sleep(POLL_S)
            if self.is_lost:
                continue
            try:
                if time.monotonic() - counted_at > COUNT_S:
                    self._count_again()
                    counted_at = time.monotonic()
                self._ask_for_news()
            except Exception:  # it is between two workers, or going
                continue

    def _count_again(self) -> None:
        """Notice workers that came or went: there is no other word of them."""
        before, self.slots = self.slots, self._count()
        if self.slots != before:
            self._on_slots()

    def _ask_for_news(self) -> None:
        with self._lock:
            asked = dict(self._watched)
        if not asked:
            return
        for answer in self._client.run(peek, asked, on_error="ignore").values():
            for name, packed in answer.items():
                self._on_news(self, name, pickle.loads(packed))

    def give_up(self) -> None:
        """Hang up for good, and say of all attempts here that they are to be found."""
        with self._lock:
            names = list(self._futures)
        self.close()
        for name in names:
            self._on_end(self, name)

    def close(self) -> None:
        """Hang up; what runs there goes on, and is found again."""
        self._is_closed = True
        with self._lock:
            self._watched.clear()
            self._futures.clear()
        closing = threading.Thread(target=self._client.close, daemon=True)
        closing.start()
        closing.join(CLOSE_S)


def _is_of_line(error: BaseException, status: str) -> bool:
    """Whether a future gave nothing only because the line to the scheduler broke.

    Newer versions of dask give a reason for what they cancel.
    """
    if status == "cancelled":
        return getattr(error, "reason", BROKEN) == BROKEN
    return status == "finished" and isinstance(error, OSError)  # while it was fetched
