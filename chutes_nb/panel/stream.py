"""One job's way to one card: what is new since the last look, in bounded pieces."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ..states import ENDED
from ..store import Store
from ..wide import for_page

Send = Callable[[dict[str, Any]], None]

# Most output that goes to a page at one tick; what lies before it is told as skipped.
BATCH_BYTES = 1 << 20
DETAIL_INTERVAL_S = 0.25
# A detail that is slow to read is read less often: at most this share of a core.
DETAIL_SHARE = 0.05
# Pieces of an older attempt's log that are sent at once when a page asks for it.
MOST_BATCHES = 15
# No curve is wider on a page than this many points.
MOST_POINTS = 600


class Stream:
    """Sends a job's changes, detail and output to a page.

    Ticks come from the feeder's thread and :meth:`answer` from whichever thread
    got the page's message, so each holds the lock while it reads and sends.

    Parameters
    ----------
    store : Store
    job_id : str
    send : callable
        Takes one message, a JSON dict.
    """

    def __init__(self, store: Store, job_id: str, send: Send) -> None:
        self.job_id = job_id
        self._store, self._send = store, send
        self._lock = threading.Lock()
        self._status: dict[str, Any] | None = None
        self._detail: dict[str, Any] = {}
        self._detail_rev = -1
        self._next_detail = 0.0
        self._attempt, self._offset = 0, 0
        self._log_is_over = False

    def tick(self) -> bool:
        """Send what is new; False once the job has ended and all is sent.

        Raises
        ------
        JobNotFound
            If the job was deleted.
        """
        with self._lock:
            status = self._store.status(self.job_id)
            if status != self._status:
                self._status = status
                self._send(_changes(status))
            is_fresh = self._send_detail(status)
            self._send_output(status)
            is_over = status["status"] in ENDED and self._log_is_over
            return not (is_over and is_fresh)

    def answer(self, attempt: int | None, offset: int | None) -> None:
        """Send everything again: the detail, and an attempt's output.

        Parameters
        ----------
        attempt : int or None
            None: the newest.
        offset : int or None
            First byte that is wanted; None: the last part.
        """
        with self._lock:
            detail = self._store.detail(self.job_id, MOST_POINTS)
            self._send(_detail(self.job_id, detail))
            newest = detail["status"]["attempt"] or 1
            number = attempt or newest
            end = detail["status"]["log_end"] if number == newest else 0
            piece = self._piece(number, offset or 0, end)
            self._send(_log(self.job_id, piece))
            if number == self._attempt:
                self._offset = max(self._offset, piece["next_offset"])
                return  # ticks bring what follows
            for _ in range(MOST_BATCHES):
                if piece["end"] or not piece["text"]:
                    return
                piece = self._piece(number, piece["next_offset"], end)
                self._send(_log(self.job_id, piece))

    def _send_detail(self, status: dict[str, Any]) -> bool:
        """Send the parts of the detail that changed; whether all is sent."""
        if self._detail_rev == status["rev"]:
            return True
        began = time.monotonic()
        if began < self._next_detail and status["status"] not in ENDED:
            return False
        detail = self._store.detail(self.job_id, MOST_POINTS)
        known = self._detail
        news = {key: detail[key] for key in detail if detail[key] != known.get(key)}
        if news:
            self._send(_detail(self.job_id, news))
        self._detail, self._detail_rev = detail, detail["status"]["rev"]
        took = time.monotonic() - began
        self._next_detail = began + max(DETAIL_INTERVAL_S, took / DETAIL_SHARE)
        return bool(self._detail_rev == status["rev"])

    def _send_output(self, status: dict[str, Any]) -> None:
        number = max(1, status["attempt"])
        if self._attempt == 0:
            self._attempt = number
        while True:
            end = status["log_end"] if self._attempt == status["attempt"] else 0
            piece = self._piece(self._attempt, self._offset, end)
            is_over = bool(piece["end"])
            if piece["text"] or piece["skipped"] or is_over != self._log_is_over:
                self._send(_log(self.job_id, piece))
            self._offset, self._log_is_over = piece["next_offset"], is_over
            if not is_over or self._attempt >= number:
                return
            # The attempt's last words are sent; the next one begins at its start.
            self._attempt, self._offset, self._log_is_over = self._attempt + 1, 0, False

    def _piece(self, attempt: int, offset: int, end: int) -> dict[str, Any]:
        """Read on, leaping over what would not fit into one batch."""
        start = max(offset, end - BATCH_BYTES)
        piece = self._store.log(self.job_id, attempt, start, BATCH_BYTES, numbered=True)
        piece["skipped"] += start - offset
        return piece


def _changes(status: dict[str, Any]) -> dict[str, Any]:
    # The moves travel with the detail.
    news = {"rev": status["rev"], "jobs": [status], "moves": [], "more": False}
    return {"type": "changes", "now": time.time(), "changes": news}


def _detail(job_id: str, detail: dict[str, Any]) -> dict[str, Any]:
    given = {key: for_page(detail[key]) for key in ("inputs", "state") if key in detail}
    detail = detail | given
    return {"type": "detail", "now": time.time(), "job_id": job_id, "detail": detail}


def _log(job_id: str, piece: dict[str, Any]) -> dict[str, Any]:
    return {"type": "log", "job_id": job_id, "log": piece}
