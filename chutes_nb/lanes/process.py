"""The process lane: workers in sessions of their own, which outlive their kernel."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.abc

from .. import failpoints
from ..errors import StoreError
from ..policy import Ending
from ..processes import (
    Identity,
    forget_own,
    identify,
    keep_from_children,
    kill_marked,
    take_lease,
    tell,
)
from ..store import Store
from ..store.db import Row
from ..store.earlier import Earlier
from ..store.ids import new_id
from ..worker.asking import after_kill
from ..worker.frames import PROTOCOL, Busy, Outcome
from ..worker.trace import WHERE_SIGNAL
from . import foreign
from .births import Births, environment, environment_of, start_process
from .causes import announce, cause_of_death, had_time_up, pass_after_kill, placed
from .handle import POLL_S, Handle, Hear, Wire, in_thread
from .holder import task_output
from .lane import Lane, Settles
from .left import left_files

# Workers that this process started, by their ids. They outlive an executor; the
# next one in this process still can ask them for their exit codes.
_children: dict[str, subprocess.Popen[bytes]] = {}


class SettlesWorkers(Settles, Protocol):
    """What this lane tells beside what every lane does."""

    def ready(self, handle: Handle, busy: Busy | None) -> None:
        """Tell that a worker said hello; ``busy`` is the attempt it has, if any."""


class ProcessLane(Lane[Handle]):
    """Starts, stops and adopts worker processes.

    Parameters
    ----------
    tasks : anyio.abc.TaskGroup
        Where the lane's own tasks run.
    hear : callable, optional
        Called with a callable that tells all that a worker has said by now.
    """

    def __init__(
        self,
        store: Store,
        settles: SettlesWorkers,
        tasks: anyio.abc.TaskGroup,
        hear: Hear = lambda deliver: deliver(),
    ) -> None:
        super().__init__()
        self._store, self._settles, self._tasks = store, settles, tasks
        self._hear = hear
        self._is_closed = False
        self.backlog: int | None = None  # ready jobs; see Round.expect_ready
        # Definitions known to be in the store, each with the hash of its sources.
        self.written: dict[str, int] = {}
        self.owed: set[str] = set()  # outputs that the log has not got all of
        self.births = Births()
        self.earlier = Earlier()
        self._environ: dict[bytes, bytes] | None = None  # the kernel's, when last seen

    # -- birth -----------------------------------------------------------------
    def new_handle(self) -> Handle:
        """Name a worker and its places."""
        store, worker = self._store, new_id()
        lease = store.leases / f"{worker}.lease"
        address = store.runtime / f"{worker}.sock"
        return Handle(worker, lease, address, store.runs / worker)

    async def spawn(self, handle: Handle) -> None:
        """Start a worker whose row is in the store already.

        The lease is locked before the process is born and passes to it, so there
        is no moment in which it lives without one.
        """
        handle.folder.mkdir(mode=0o700, exist_ok=True)
        ours, theirs = socket.socketpair()
        places = [self._store.home, handle.id, handle.folder, handle.address]
        failpoints.hit("spawn.before_fork")
        lease = -1
        try:
            lease = take_lease(handle.lease)
            keep_from_children(lease)
            handle.environ = environment(handle.id)
            handle.process = start_process(
                handle.environ,
                handle.folder,
                [*(str(place) for place in places), str(theirs.fileno()), str(lease)],
                (theirs.fileno(), lease),
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            if lease >= 0:
                forget_own(lease)
                os.close(lease)
        failpoints.hit("spawn.after_fork")
        _children[handle.id] = handle.process
        handle.know(identify(handle.process.pid))
        self.handles[handle.id] = handle
        await self._connect(handle, ours)

    async def _connect(self, handle: Handle, ours: socket.socket) -> None:
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: self._wire(handle), ours)

    # -- adoption --------------------------------------------------------------
    def adopt(self, row: Row, task: Row | None) -> Handle:
        """Take over a worker of an executor that is gone.

        Parameters
        ----------
        task : sqlite3.Row or None
            The running job that the store says it holds.
        """
        folder, lease = Path(row["folder"]), Path(row["lease"])
        handle = Handle(row["id"], lease, Path(row["socket"]), folder)
        if row["pid"] is not None:
            handle.know(Identity(*(row[name] for name in Identity._fields)))
        handle.process = _children.get(handle.id)
        if handle.identity is not None:
            handle.environ = environment_of(handle.identity.pid)
        self._environ = None  # so that it is compared
        handle.runs = 1  # nobody knows how many it has had
        handle.task = task
        self.handles[handle.id] = handle
        self._tasks.start_soon(self._call, handle)
        return handle

    async def _call(self, handle: Handle) -> None:
        """Call an adopted worker until it answers or is gone."""
        while handle.is_alive():
            if await self._is_called(handle):
                return
            await anyio.sleep(POLL_S)
        await self._bury(handle)

    async def _is_called(self, handle: Handle) -> bool:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            await loop.create_unix_connection(
                lambda: self._wire(handle), str(handle.address)
            )
            return True
        return False

    # -- messages --------------------------------------------------------------
    def _wire(self, handle: Handle) -> Wire:
        return Wire(handle, self._deliver, self._hear, self._hung_up)

    def _deliver(self, handle: Handle, message: tuple[Any, ...]) -> None:
        kind = message[0]
        if kind == "outcome":
            self._on_outcome(handle, Outcome(*message[1:]))
        elif kind == "told":
            if self._is_current(handle, message[1], message[2]):
                self._settles.told(handle, message[3], batch=message[4])
        elif kind == "begun":
            if self._is_current(handle, message[1], message[2]):
                self.begun(handle)
        elif kind == "hello":
            handle.know_process(message[2])
            self._on_hello(handle, message[1], message[3])

    def _is_current(self, handle: Handle, job: str, attempt: int) -> bool:
        task = handle.task
        return task is not None and (task["id"], task["attempt"]) == (job, attempt)

    def _on_hello(self, handle: Handle, protocol: int, busy: Busy | None) -> None:
        if protocol != PROTOCOL:
            # Another version's worker: it settles what it has by itself and goes.
            handle.is_going = handle.is_foreign = True
            handle.cause = foreign.CAUSE
            if handle.transport is not None:
                handle.transport.close()
            return
        handle.is_ready = True
        self.births.succeeded()
        self._settles.ready(handle, busy)
        self.let_unwanted_go()

    def _on_outcome(self, handle: Handle, outcome: Outcome) -> None:
        if not self._is_current(handle, outcome.job, outcome.attempt):
            handle.send(("ack", outcome.job, outcome.attempt))
            return
        handle.outcome = outcome
        handle.changed.set()
        if handle.stopping is not None:
            return  # whoever stops it waits for this
        if outcome.has_children:
            self._tasks.start_soon(self._clean, handle)
        else:
            self._settles.ended(handle, None, outcome)

    def usual_s(self, task: Row) -> float | None:
        """Return how long earlier runs of the job took, as far as can be read now."""
        with contextlib.suppress(StoreError):
            place = (self._store.reader, task["chute"], task["name"])
            return self.earlier.usual_s(*place)
        return None

    def tell_extended(self, handle: Handle, timeout_s: float) -> None:
        """Tell a worker that its attempt has more time."""
        if handle.task is not None:
            task = handle.task
            handle.send(("extend", task["id"], task["attempt"], timeout_s))

    # -- ends ------------------------------------------------------------------
    def stop(self, handle: Handle, ending: Ending) -> None:
        """Ask an attempt to end, and end it when its grace is over."""
        if self._is_closed or handle.task is None or handle.stopping is not None:
            return
        if handle.is_ending or handle.outcome is not None:
            return  # it has ended by itself
        handle.stopping = ending
        self._tasks.start_soon(self._stop, handle)

    async def _stop(self, handle: Handle) -> None:
        task, ending = handle.task, handle.stopping
        assert task is not None  # set by stop()
        assert ending is not None
        handle.changed.clear()
        ending = announce(handle, ending)
        handle.ask_where(WHERE_SIGNAL)
        handle.signal(signal.SIGTERM)
        with anyio.move_on_after(task["grace_s"]) as grace:
            is_asked_again = False
            while handle.outcome is None and handle.is_alive():
                with anyio.move_on_after(POLL_S * 5):
                    await handle.changed.wait()
                if handle.outcome is None and not is_asked_again:
                    # While WHERE_SIGNAL is pending in the body's thread, Linux may
                    # give SIGTERM to another one, and a sleeping body sleeps on.
                    handle.ask_where(signal.SIGTERM)
                    is_asked_again = True
            await self._alone_in_group(handle)
        is_late = grace.cancelled_caught and handle.is_alive()
        is_late = is_late or had_time_up(handle, task)
        ending = placed(handle, ending, self._settles.sources(handle))
        await self.end_process(handle)
        if is_late and handle.outcome is None:
            ending = after_kill(ending, task["grace_s"])
        pass_after_kill(ending)
        self._settles.ended(handle, ending, handle.outcome)
        self._settles.gone(handle)

    async def _alone_in_group(self, handle: Handle) -> None:
        """Wait until nothing that the attempt started is left, only its worker."""
        while await in_thread(handle.started):
            await anyio.sleep(POLL_S)

    async def _clean(self, handle: Handle) -> None:
        """End what a body left behind, then say that the attempt is over.

        The worker lives until that is committed: it alone can tell the outcome again.
        """
        task = handle.task
        assert task is not None  # an outcome came for it
        for pid in await in_thread(handle.started):
            tell(pid, signal.SIGTERM)
        with anyio.move_on_after(task["grace_s"]):
            await self._alone_in_group(handle)
        await in_thread(handle.end_started)
        self._settles.ended(handle, None, handle.outcome)

    async def end_process(self, handle: Handle) -> None:
        """Kill what is left of a worker, its group, and all that carries its mark."""
        handle.is_going = True
        handle.ask_where(signal.SIGSTOP)  # lest it start more meanwhile
        await in_thread(handle.end_started)
        handle.signal(signal.SIGKILL)
        await in_thread(kill_marked, handle.id)
        await handle.has_ended()
        if handle.task is not None and handle.outcome is None:
            place = (self._store.blobs, task_output(handle.task, handle))
            handle.left = await in_thread(left_files, handle.folder, *place)
        _children.pop(handle.id, None)
        self.handles.pop(handle.id, None)
        handle.sweep()

    def hang_up(self) -> None:
        """Leave all workers to themselves: they go on, and can be adopted."""
        self._is_closed = True
        for handle in self.handles.values():
            if handle.transport is not None:
                handle.transport.abort()

    def _hung_up(self, handle: Handle) -> None:
        if self._is_closed:
            return
        if handle.stopping is None and handle.outcome is None:
            self._tasks.start_soon(self._bury, handle)
        handle.changed.set()

    def notice_the_dead(self) -> None:
        """Hang up on workers that are dead while a child of theirs holds the line.

        Called once a second; what they said last has been read by the next time.
        """
        for handle in self.handles.values():
            handle.hang_up_if_dead()

    async def _bury(self, handle: Handle) -> None:
        """Settle a worker whose line broke: only its lease says whether it is dead.

        One that lives is called again: its body may have hurt the line alone.
        """
        if handle.id not in self.handles or handle.is_being_stopped():
            return
        if handle.is_foreign:
            await foreign.until_over(handle, self._store)
        elif await self._is_back(handle):
            return
        if handle.is_being_stopped():
            return  # whoever stops it settles it
        code = None if handle.process is None else handle.process.poll()
        await self.end_process(handle)
        if handle.task is not None:
            ending = cause_of_death(handle, code, self._settles.sources(handle))
            self._settles.ended(handle, ending, None)
        self._settles.gone(handle)

    async def _is_back(self, handle: Handle) -> bool:
        with anyio.move_on_after(handle.task["grace_s"] if handle.task else 1.0):
            while handle.is_alive():
                if await self._is_called(handle):
                    return True
                await anyio.sleep(POLL_S)
            await handle.has_ended()
        return False

    def has_unwanted(self) -> bool:
        """Mark the workers that began with another environment than the kernel's now.

        Any thread may ask, before it queues a job: from then on none of them gets one.
        """
        # Decoding all of it takes fifty times as long as comparing it.
        raw: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]
        if raw == self._environ:
            return False
        self._environ = dict(raw)
        found = False
        for handle in list(self.handles.values()):
            if handle.environ not in (None, environment(handle.id)):
                handle.is_unwanted = found = True
        return found

    def keep_only(self, most: int) -> None:
        """Mark the workers that are too many, those with an attempt last."""
        left = [one for one in list(self.handles.values()) if not one.is_going]
        left = [one for one in left if not one.is_unwanted]
        left.sort(key=lambda one: (one.task is None, not one.is_ready))
        for handle in left[most:]:
            handle.is_unwanted = True

    def let_unwanted_go(self) -> None:
        """Retire the marked workers that have nothing to do; the others go then."""
        for handle in list(self.handles.values()):
            is_free = handle.is_ready and handle.task is None and not handle.is_going
            if handle.is_unwanted and is_free:
                self.retire(handle)

    def retire(self, handle: Handle) -> None:
        """Let an idle worker go."""
        handle.is_going = True
        handle.send(("retire",))
        self._tasks.start_soon(self._await_exit, handle)

    async def _await_exit(self, handle: Handle) -> None:
        with anyio.move_on_after(1.0):
            await handle.has_ended()
        await self.end_process(handle)
        self._settles.gone(handle)
