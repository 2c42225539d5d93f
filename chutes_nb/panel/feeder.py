"""The one thread of a process that feeds the cards of a store."""

from __future__ import annotations

import atexit
import contextlib
import logging
import sqlite3
import threading
import weakref
from typing import ClassVar, Protocol

from ..errors import JobNotFound, StoreError
from ..store import Store

log = logging.getLogger(__name__)

# A server drops kernel messages beyond 1,000 a second without a word, and the eye
# sees nothing faster than this.
TICK_S = 0.05
# Output may come without a revision of the job's own.
LOOK_INTERVAL_S = 0.25


class Ticking(Protocol):
    """Something that sends to a page what is new."""

    def tick(self) -> bool:
        """Look once; False once there is nothing more to come."""
        ...


class Feeder:
    """Ticks the streams of a store while there are any.

    Parameters
    ----------
    store : Store
    """

    _of: ClassVar[weakref.WeakKeyDictionary[Store, Feeder]] = (
        weakref.WeakKeyDictionary()
    )
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._streams: list[Ticking] = []
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        atexit.register(self.close)

    @classmethod
    def of(cls, store: Store) -> Feeder:
        """Return the feeder of a store, one in a process."""
        with cls._making:
            feeder = cls._of.get(store)
            if feeder is None:
                feeder = cls._of[store] = cls(store)
            return feeder

    def follow(self, stream: Ticking) -> None:
        """Tick a stream until it has sent all, from this thread's first look on."""
        with self._lock:
            if stream not in self._streams:
                self._streams.append(stream)
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="chutes-cards", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Stop ticking, for good."""
        self._closed.set()

    def _run(self) -> None:
        seen = 0
        while not self._closed.is_set():
            with self._lock:
                streams = list(self._streams)
                if not streams:
                    self._thread = None
                    return
            for stream in streams:
                if not self._tick(stream):
                    with self._lock:
                        self._streams.remove(stream)
            self._closed.wait(TICK_S)
            with contextlib.suppress(StoreError, sqlite3.Error):
                seen = self._store.wait(seen, LOOK_INTERVAL_S)

    def _tick(self, stream: Ticking) -> bool:
        try:
            return stream.tick()
        except JobNotFound:
            return False
        except (StoreError, sqlite3.Error):
            return True  # locked or damaged for a while: the next tick looks again
        except Exception:  # of one card, which must not freeze the others
            log.exception("a card cannot be followed any more")
            return False
