"""The detached host: runs what dead kernels left, until a kernel comes or all is done.

``python -m chutes_nb.host HOME``; mostly started by :func:`chutes_nb.waking.wake_host`.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

from . import failpoints, runtime
from .errors import ChutesError
from .executor import Executor
from .paths import interpreter
from .processes import is_held, take_lease
from .store import Store, fleet
from .waking import claim_host, host_lock
from .waking import wake_host as start

__all__ = ["Host", "main", "start"]

log = logging.getLogger(__name__)

LOOK_S = 0.05
IDLE_S = 60.0
RETIRE_S = 5.0
AGAIN_S = 1.0


class Request:
    """Something that a signal's handler asks for: it must wait for no lock.

    The handler runs in the main thread, in the midst of whatever that does; that of an
    event may be what it waits at.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Ask for it."""
        self._is_set = True

    def is_set(self) -> bool:
        """Whether it was asked for."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait for it so long at most; whether it was asked for."""
        end = time.monotonic() + seconds
        while not self._is_set and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_S))
        return self._is_set


class Host:
    """An executor in a process of its own, and what tells it to let go.

    Parameters
    ----------
    idle_s : float
        How long nothing must be left before it ends itself.
    told_to_end : Request
        Set from outside: lets go at once.
    """

    def __init__(self, store: Store, idle_s: float, told_to_end: Request) -> None:
        self._store, self._idle_s, self._told_to_end = store, idle_s, told_to_end
        self._executor = Executor(store, _max_workers(store), kind="host")

    def serve(self) -> None:
        """Run jobs until a kernel takes them, nothing is left, or somebody says so."""
        self._executor.start()
        busy_at = time.monotonic()
        try:
            while not self._told_to_end.wait(LOOK_S) and self._executor.is_running:
                try:
                    if self._has_successor():
                        return
                    has_work = self._has_work()
                except (ChutesError, sqlite3.Error) as error:
                    # Who waits in the queue has nobody else, and the store is mended.
                    log.warning("will look again what is left to do: %s", error)
                    has_work = True
                    self._told_to_end.wait(AGAIN_S)
                if has_work:
                    busy_at = time.monotonic()
                elif time.monotonic() - busy_at > self._idle_s:
                    self._retire_workers()
                    return
        finally:
            self._executor.stop()

    def _has_successor(self) -> bool:
        """Whether a kernel of this interpreter lives: its user watches it.

        By the same name: else it is of an earlier version, and inherits nothing here.
        """
        rows = fleet.unended_executors(self._store.reader, interpreter())
        return any(
            row["kind"] == "kernel"
            and row["python"] == interpreter()
            and not row["is_nested"]
            and is_held(Path(row["lease"]))
            for row in rows
        )

    def _has_work(self) -> bool:
        tx, executor = self._store.reader, self._executor.id
        return fleet.has_waiting(tx, executor) or bool(
            fleet.leases_of_running(tx, executor)
        )

    def _retire_workers(self) -> None:
        """Let the idle workers go first, so that nothing is left to inherit."""
        executor = self._executor
        end = time.monotonic() + RETIRE_S
        while executor.handles and time.monotonic() < end:
            executor.call(self._retire_idle)
            self._told_to_end.wait(LOOK_S)

    def _retire_idle(self) -> None:
        lane = self._executor.lane
        for handle in [one for one in self._executor.handles if one.is_idle]:
            lane.retire(handle)


def _max_workers(store: Store) -> int:
    """Return the number that the last executor of this interpreter kept to."""
    rows = fleet.unended_executors(store.reader, interpreter())
    told = [row["max_workers"] for row in rows if row["max_workers"]]
    return int(told[-1]) if told else runtime.max_workers()


def idle_s() -> float:
    """Seconds with nothing to do after which a host ends.

    Raises
    ------
    ChutesError
        If ``CHUTES_NB_HOST_IDLE_S`` is no number of seconds.
    """
    text = os.environ.get("CHUTES_NB_HOST_IDLE_S", "") or str(IDLE_S)
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not found >= 0:
        raise ChutesError(
            f"CHUTES_NB_HOST_IDLE_S={text!r} must be a number of seconds, 0 or more"
        )
    return found


def main(arguments: list[str]) -> None:
    """Be the host of a store.

    Parameters
    ----------
    arguments : list of str
        Home of the store, and the number of an inherited descriptor that holds the
        host's lock; without one the lock is taken here.
    """
    failpoints.hit("host.after_exec")
    home = Path(arguments[0])
    told_to_end = Request()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: told_to_end.set())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    store = Store.open(home)
    if store.refusal is not None:
        sys.exit(f"a host can do nothing here: {store.refusal}")
    try:
        lock: int | None = (
            int(arguments[1])
            if len(arguments) > 1
            else take_lease(host_lock(store, interpreter()))
        )
    except BlockingIOError:
        sys.exit(f"a host for {interpreter()} runs already on {home}")
    wait = idle_s()
    while lock is not None:
        os.set_inheritable(lock, False)
        Host(store, wait, told_to_end).serve()
        failpoints.hit("host.before_unlock")
        os.close(lock)
        # A job may have been left between our last look and the lock's release.
        lock = None if told_to_end.is_set() else claim_host(store, interpreter())
    store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
