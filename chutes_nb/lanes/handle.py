"""One worker as its executor sees it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from ..paths import let_go
from ..processes import (
    Identity,
    forget_own,
    identify,
    is_held,
    is_same,
    keep_from_children,
    kill_all,
    signal_group,
    started_by,
    tell,
)
from ..worker.frames import FrameError, Unpacker, pack
from ..worker.memory import Account
from .holder import Holder

log = logging.getLogger(__name__)
T = TypeVar("T")

POLL_S = 0.01
AGAIN_S = 0.2
BUFFER_BYTES = 64 << 10
Deliver = Callable[["Handle", tuple[Any, ...]], None]
HangUp = Callable[["Handle"], None]
Hear = Callable[[Callable[[], object]], object]


class Wire(asyncio.BufferedProtocol):
    """The executor's end of a worker's socket.

    A bare protocol on anyio's loop: a stream's tasks and locks for each message
    cost more than all else that a short job costs. It reads into a buffer of its own,
    since asyncio would ask for 256 KiB each time and give them back.
    """

    def __init__(
        self,
        handle: Handle,
        deliver: Deliver,
        hear: Hear,
        hang_up: HangUp,
    ) -> None:
        self._handle, self._deliver, self._hang_up = handle, deliver, hang_up
        self._hear = hear
        self._unpacker = Unpacker()
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._fd = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._handle.transport = transport
        self._fd = transport.get_extra_info("socket").fileno()
        keep_from_children(self._fd)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give the room for what comes next."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on each message that is whole; hang up on what is none."""
        try:
            messages = self._unpacker.feed(self._buffer[:nbytes])
        except FrameError:  # the body wrote into its worker's line
            if self._handle.transport is not None:
                self._handle.transport.abort()
            return
        self._hear(partial(self._deliver_all, messages))

    def _deliver_all(self, messages: list[tuple[Any, ...]]) -> None:
        for message in messages:
            self._deliver(self._handle, message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the worker hung up."""
        forget_own(self._fd)
        self._handle.transport = None
        self._hang_up(self._handle)


class Handle(Holder):
    """A worker: its process, its line, and the attempt it has.

    Attributes
    ----------
    environ : dict or None
        What it began with; None where that cannot be known.
    is_unwanted : bool
        Runs no other job: its environment is not the kernel's any more, or there are
        more workers than there may be. Any thread may say so.
    is_foreign : bool
        It is of another version, and cannot be talked to.
    """

    def __init__(self, worker: str, lease: Path, address: Path, folder: Path) -> None:
        super().__init__(worker, folder)
        self.lease, self.address = lease, address
        self.process: subprocess.Popen[bytes] | None = None
        self.transport: asyncio.WriteTransport | None = None
        self.is_dead = False
        self.known: set[str] = set()
        self.environ: dict[str, str] | None = None
        self.is_unwanted = self.is_foreign = False

    @property
    def is_idle(self) -> bool:
        """Whether the worker can take an attempt, and can be told of it."""
        if self.task is not None:  # the cheapest first: it is asked of all, each time
            return False
        if self.transport is None or self.transport.is_closing():
            return False
        return super().is_idle and not self.is_unwanted

    def know(self, identity: Identity) -> None:
        """Take note of which process the worker is."""
        self.identity, self.memory = identity, Account(identity.pid)

    def started(self) -> list[int]:
        """Find what the worker's jobs started and what still is there."""
        own = self.identity.pid if self.identity else 0
        return started_by(self.id, own, is_certain=self._is_certain())

    def end_started(self) -> None:
        """Kill what the worker's jobs started."""
        kill_all(self.started)

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
        self.lease.unlink(missing_ok=True)
        let_go(self.address)

    def send(self, *messages: tuple[Any, ...]) -> None:
        """Send messages in one write; a worker that hung up is told of elsewhere.

        An acknowledgement that is due goes with them: sent alone, it would wake the
        worker for nothing, just when somebody waits for the result.
        """
        if self.ack is not None:
            messages = (self.ack, *messages)
            self.ack = None
        if self.heard is not None:
            messages = (self.heard, *messages)
            self.heard = None
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

    def signal(self, number: int) -> None:
        """Signal the worker's whole group, if it is certain that it is its group."""
        if self._is_certain():
            assert self.identity is not None  # part of being certain
            signal_group(self.identity.pid, number)

    def ask_where(self, number: int) -> None:
        """Signal the worker alone."""
        if self._is_certain():
            assert self.identity is not None  # part of being certain
            tell(self.identity.pid, number)

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
