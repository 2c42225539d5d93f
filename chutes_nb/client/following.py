"""Finds the ends of jobs on a server, of however many with one request at a time."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import Future
from weakref import WeakKeyDictionary

from ..errors import JobNotFound
from ..states import ENDED
from .link import Link

WAIT_S = 20.0
PAUSE_S = 1.0

_followers: WeakKeyDictionary[Link, Follower] = WeakKeyDictionary()
_lock = threading.Lock()


def follower(link: Link) -> Follower:
    """Return the one follower of a link."""
    with _lock:
        found = _followers.get(link)
        if found is None:
            found = _followers[link] = Follower()
        return found


class Follower:
    """Calls who waits for jobs, from a thread that lives while somebody waits."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Future[None]]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def when_ended(self, link: Link, job_id: str) -> Future[None]:
        """Return a future that is done once a job has ended, or is not there."""
        future: Future[None] = Future()
        with self._lock:
            self._waiting.setdefault(job_id, []).append(future)
        try:
            if self._look(link, job_id):  # the thread may be just about to tell it
                _finish(future)
        finally:
            self._begin(link)
        return future

    def _begin(self, link: Link) -> None:
        """Start the thread where somebody waits; it begins by looking.

        Only then: a chute may be closed as soon as its job has ended, and a connection
        that is being opened meanwhile would be left open.
        """
        with self._lock:
            if self._waiting and self._thread is None:
                self._thread = threading.Thread(
                    target=self._follow, args=(link,), name="chutes-remote", daemon=True
                )
                self._thread.start()

    def _follow(self, link: Link) -> None:
        rev: int | None = None
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                waiting = list(self._waiting)
            try:
                if rev is None:
                    rev = link.run(link.json("GET", "changes"))["rev"]
                    for job_id in waiting:
                        self._look(link, job_id)
                else:
                    rev = self._read(link, rev)
            except Exception:
                # Away for long, another store, or what a gateway says in its place:
                # look anew. Whoever waits would wait for ever on a thread that ended.
                rev = None
                if link.is_closed:
                    self._give_up()
                else:
                    time.sleep(PAUSE_S)

    def _give_up(self) -> None:
        """Cancel all waiting: the chute was closed, so nobody can be asked."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for future in (one for futures in waiting.values() for one in futures):
            if future.cancel():
                future.set_running_or_notify_cancel()  # who waits for several is told

    def _read(self, link: Link, rev: int) -> int:
        query = {"since": rev, "wait": WAIT_S}
        found = link.run(link.json("GET", "changes", query=query, wait_s=WAIT_S))
        for move in found["moves"]:
            if move["to"] in ENDED:
                self._tell(move["job_id"])
        return int(found["rev"])

    def _look(self, link: Link, job_id: str) -> bool:
        """Ask whether a job has ended; who waits for it is told."""
        try:
            status = link.run(link.json("GET", f"jobs/{job_id}/status"))
            has_ended = status["finished_at"] is not None
        except JobNotFound:
            has_ended = True
        if has_ended:
            self._tell(job_id)
        return has_ended

    def _tell(self, job_id: str) -> None:
        with self._lock:
            futures = self._waiting.pop(job_id, [])
        for future in futures:
            _finish(future)


def _finish(future: Future[None]) -> None:
    with contextlib.suppress(Exception):  # cancelled by who waited, or done already
        future.set_result(None)
