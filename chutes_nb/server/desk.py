"""What all handlers of one server share: the store, its threads, news, uploads."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..errors import ChutesError
from ..paths import default_home
from ..store import Store
from ..uploads import UPLOADS, Uploads, upload_limit
from .batching import Batches
from .moves_log import moves_log
from .news import News

T = TypeVar("T")

THREADS = 4
SWEEP_S = 3600.0
MOST_STREAMS = 512


def most_streams() -> int:
    """Most event streams at once: ``CHUTES_NB_EVENT_STREAMS``, else 512.

    Raises
    ------
    ChutesError
        If the variable is no whole number.
    """
    text = os.environ.get("CHUTES_NB_EVENT_STREAMS", "")
    if text and not text.isdigit():
        raise ChutesError(f"CHUTES_NB_EVENT_STREAMS={text!r} must be a whole number")
    return int(text) if text else MOST_STREAMS


class Desk:
    """One per server; opens the store when the first request needs it.

    Parameters
    ----------
    is_verbose : bool
        Whether the server's log shows every request.
    """

    def __init__(self, *, is_verbose: bool = False) -> None:
        self.is_verbose = is_verbose
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="chutes-server")
        self.quick = Batches()
        self._lock = threading.Lock()
        self._uploads: Uploads | None = None
        self._swept_at = 0.0
        self.news = News(self.store, self.ask)
        upload_limit(default_home() / UPLOADS)  # what is wrong with it is told now
        self.most_streams = most_streams()
        self._moves_log = moves_log(self.store)
        if self._moves_log is not None:
            self._moves_log.start()

    @property
    def upload_limit(self) -> int:
        """Most bytes of one upload, as it is set now."""
        return upload_limit(default_home() / UPLOADS)

    def store(self) -> Store:
        """Return the store; called from threads.

        Raises
        ------
        StoreError
            If it cannot be used; the server itself goes on.
        """
        return Store.open()

    def uploads(self) -> Uploads:
        """Return the store's uploads; called from threads."""
        store = self.store()
        with self._lock:
            if self._uploads is None:
                self._uploads = Uploads(store.home / UPLOADS, store.blobs)
            return self._uploads

    def swept_uploads(self) -> Uploads:
        """Return the store's uploads, without those that nobody goes on with.

        Only who changes something calls this: no look may remove a file.
        """
        uploads = self.uploads()
        with self._lock:
            is_due = time.monotonic() - self._swept_at > SWEEP_S
            if is_due or not self._swept_at:
                self._swept_at = time.monotonic()
                uploads.sweep(time.time())
        return uploads

    async def ask(self, question: Callable[..., T], *args: object) -> T:
        """Run something that may block in a thread, and wait for it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, question, *args)

    def put(self, duty: Callable[[], object]) -> None:
        """Have something done in a thread, with nobody waiting for it."""
        self._pool.submit(duty)

    async def sweep(self) -> None:
        """Forget uploads that nobody goes on with."""
        self._swept_at = 0.0
        await self.ask(self.swept_uploads)

    def close(self) -> None:
        """Let the threads go."""
        self.news.close()
        self.quick.close()
        if self._moves_log is not None:
            self._moves_log.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
