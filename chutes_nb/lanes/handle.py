"""One worker as its executor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from .. import failpoints
from ..policy import Ending
from ..processes import (
    Identity,
    descendants,
    forget_own,
    identify,
    is_held,
    is_same,
    is_zombie,
    keep_from_children,
    marked,
    signal_group,
)
from ..store.db import Row
from ..store.ids import new_id
from ..worker.capture import Capture
from ..worker.frames import FrameError, Outcome, Unpacker, pack
from ..worker.memory import Account

log = logging.getLogger(__name__)
T = TypeVar("T")

POLL_S = 0.01
AGAIN_S = 0.2
Deliver = Callable[["Handle", tuple[Any, ...]], None]
HangUp = Callable[["Handle"], None]


class Wire(asyncio.Protocol):
    """The executor's end of a worker's socket.

    A bare protocol on anyio's loop: a stream's tasks and locks for each message
    cost more than all else that a short job costs.
    """

    def __init__(self, handle: Handle, deliver: Deliver, hang_up: HangUp) -> None:
        self._handle, self._deliver, self._hang_up = handle, deliver, hang_up
        self._unpacker = Unpacker()
        self._fd = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._handle.transport = transport
        self._fd = transport.get_extra_info("socket").fileno()
        keep_from_children(self._fd)

    def data_received(self, data: bytes) -> None:
        """Pass on each message that is whole; hang up on what is none."""
        try:
            messages = self._unpacker.feed(data)
        except FrameError:  # the body wrote into its worker's line
            if self._handle.transport is not None:
                self._handle.transport.abort()
            return
        for message in messages:
            self._deliver(self._handle, message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the worker hung up."""
        forget_own(self._fd)
        self._handle.transport = None
        self._hang_up(self._handle)


class Handle:
    """A worker: its process, its line, and the attempt it has.

    Attributes
    ----------
    task : sqlite3.Row or None
        The claimed job while an attempt is with the worker.
    stopping : Ending or None
        The end that was asked for, from the moment of the first signal.
    is_ending : bool
        The attempt is over and about to be settled; it is settled only once.
    is_gone : bool
        The process is no more.
    is_ready : bool
        The worker has said hello, so it can be given an attempt.
    output : str
        File for the next attempt's output.
    """

    def __init__(self, worker: str, lease: Path, address: Path, folder: Path) -> None:
        self.id = worker
        self.lease, self.address, self.folder = lease, address, folder
        self.process: subprocess.Popen[bytes] | None = None
        self.identity: Identity | None = None
        self.memory: Account | None = None
        self.transport: asyncio.WriteTransport | None = None
        self.is_ready = False
        self.is_going = False
        self.is_gone = False
        self.is_dead = False
        self.known: set[str] = set()
        self.task: Row | None = None
        self.given_at = 0.0
        self.began_at: float | None = None
        self.timeout_s: float | None = None
        self.capture: Capture | None = None
        self.is_drained = False
        self.is_ending = False
        self.timeout_timer: asyncio.TimerHandle | None = None
        self.deadline_timer: asyncio.TimerHandle | None = None
        self.stopping: Ending | None = None
        self.outcome: Outcome | None = None
        self.changed = asyncio.Event()
        self.ack: tuple[Any, ...] | None = None
        self.runs = 0
        self.idle_since = time.monotonic()
        self.output = self.new_output()

    @property
    def is_idle(self) -> bool:
        """Whether the worker can take an attempt, and can be told of it."""
        if self.transport is None or self.transport.is_closing():
            return False
        return self.is_ready and self.task is None and not self.is_going

    @property
    def is_new(self) -> bool:
        """Whether the worker has had no attempt yet."""
        return self.runs == 0

    def know(self, identity: Identity) -> None:
        """Take note of which process the worker is."""
        self.identity, self.memory = identity, Account(identity.pid)

    def started(self) -> list[int]:
        """Find what the worker's jobs started and what still is there."""
        own = self.identity.pid if self.identity else 0
        pids = set(marked(self.id))
        if self._is_certain():
            pids.update(descendants(own))
        return [pid for pid in pids if pid != own and not is_zombie(pid)]

    def end_started(self) -> None:
        """Kill what the worker's jobs started."""
        for _ in range(50):
            pids = self.started()
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)

    async def has_ended(self) -> None:
        """Wait for the end of the process, and the exit code of one's own child.

        The lease is free a moment before there is a code.
        """
        while self.is_alive():
            await anyio.sleep(POLL_S)
        while self.process is not None and self.process.poll() is None:
            await anyio.sleep(POLL_S / 10)

    def hang_up_if_dead(self) -> None:
        """Break the line of a worker that was seen dead a second ago already.

        A child that it left may hold the line; what the worker itself has said last
        has been read by now.
        """
        if self.transport is None or self.process is None or self.is_going:
            return
        if self.process.poll() is None:
            return
        if self.is_dead:
            self.transport.abort()
        self.is_dead = True

    def sweep(self) -> None:
        """Hang up, and remove the lease and the socket of a worker that is no more."""
        if self.transport is not None:
            self.transport.close()
        for path in (self.lease, self.address):
            path.unlink(missing_ok=True)

    def remove_folder(self) -> None:
        """Remove the folder and the outputs of a worker that is no more."""
        with contextlib.suppress(OSError):  # prune finds what stays
            for output in self.folder.parent.glob(f"{self.id}.*.out"):
                output.unlink(missing_ok=True)
        failpoints.hit("gc.before_unlink")
        shutil.rmtree(self.folder, ignore_errors=True)
        failpoints.hit("gc.after_unlink")

    def used_output(self, following: str | None) -> None:
        """Take a new file from now on; one that stayed empty serves again.

        The old one is in the log store by now. ``following`` is the new one where
        the next attempt is in the store with it already.
        """
        failpoints.hit("output.before_unlink")
        with contextlib.suppress(OSError):  # prune finds what stays
            os.unlink(self.output)
        self.output = following or self.new_output()

    def new_output(self) -> str:
        """Name a file for an attempt's output."""
        # A name that no earlier executor of this worker can have used: the worker
        # keeps the file open that it has, and opens another only by its name.
        return str(self.folder.with_name(f"{self.id}.{new_id()}.out"))

    @property
    def saw_output(self) -> bool:
        """Whether the attempt is known to have written something."""
        if self.outcome is not None and self.outcome.output_bytes > 0:
            return True
        return self.capture is not None and self.capture.offset > 0

    def send(self, *messages: tuple[Any, ...]) -> None:
        """Send messages in one write; a worker that hung up is told of elsewhere.

        An acknowledgement that is due goes with them: sent alone, it would wake the
        worker for nothing, just when somebody waits for the result.
        """
        if self.ack is not None:
            messages = (self.ack, *messages)
            self.ack = None
        if self.transport is not None and messages:
            self.transport.write(b"".join(pack(message) for message in messages))

    def know_process(self, pid: int) -> None:
        """Take the worker's word for its number, where its first executor died early.

        Without it an adopted worker could only be killed, never asked to stop.
        """
        if self.identity is None:
            self.identity = identify(pid)

    def is_alive(self) -> bool:
        """Whether the process holds its lease; nothing else decides it."""
        if self.process is not None and self.process.poll() is not None:
            return False
        return is_held(self.lease)

    def is_being_stopped(self) -> bool:
        """Whether somebody ends the attempt, by now (it may change at any await)."""
        return self.stopping is not None

    def signal(self, number: int) -> None:
        """Signal the worker's whole group, if it is certain that it is its group."""
        if self._is_certain():
            assert self.identity is not None  # part of being certain
            signal_group(self.identity.pid, number)

    def ask_where(self, number: int) -> None:
        """Signal the worker alone."""
        if self._is_certain():
            assert self.identity is not None  # part of being certain
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.identity.pid, number)

    def _is_certain(self) -> bool:
        """Whether the process number still is the worker's own.

        A child that was not waited for keeps its number; for an adopted worker the
        lease says that it lives, and start time and boot that this is it.
        """
        if self.identity is None:
            return False
        if self.process is not None:
            return self.process.returncode is None
        return is_same(self.identity) and is_held(self.lease)

    def clear(self) -> None:
        """Forget the attempt that was here."""
        for timer in (self.timeout_timer, self.deadline_timer):
            if timer is not None:
                timer.cancel()
        self.timeout_timer = self.deadline_timer = None
        if self.capture is not None:
            self.capture.close()
        self.task = self.capture = self.outcome = self.stopping = None
        self.began_at = self.timeout_s = None
        self.is_drained = self.is_ending = False


async def in_thread(ask: Callable[..., T], *given: object) -> T:
    """Look at processes in a thread, as often as it takes.

    A process that has no descriptor left (its user's code holds them all) can look at
    none, and must not take that for an answer.
    """
    while True:
        try:
            return await anyio.to_thread.run_sync(ask, *given)
        except OSError as error:
            log.warning("will look at the processes again: %s", error)
            await anyio.sleep(AGAIN_S)


def task_output(task: Row, handle: Handle) -> str:
    """Return the file that takes an attempt's output."""
    named = "output" in task.keys()  # noqa: SIM118  (a Row is no mapping)
    return str(task["output"]) if named else handle.output
