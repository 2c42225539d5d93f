"""Messages between an executor and its worker: length, then a pickle.

Both ends are one user's processes of one package; the socket lies in a folder
that nobody else can enter.

From the executor
    ``("define", key, code, setup, sources)``, ``("run", *Task)``,
    ``("expect", *Task)``, ``("go", job, attempt)``,
    ``("ack", job, attempt)``, ``("heard", job, attempt, batch)``,
    ``("extend", job, attempt, timeout_s)``, ``("retire",)``; ``"run"`` and ``"expect"``
    acknowledge the outcome before them as well, and ``"go"`` runs what was expected
From the worker
    ``("hello", protocol, pid, (job, attempt) or None)``,
    ``("begun", job, attempt)``, ``("told", job, attempt, [Telling], batch)``,
    ``("outcome", *fields of Outcome)``

Fields travel bare: a class by its name costs each end a look-up.
"""

from __future__ import annotations

import contextlib
import pickle
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from ..spinning import SpinWait

# Counted on when a frame changes its meaning: an executor of another version
# lets the worker finish what it has and then retires it.
PROTOCOL = 6
# What a worker that is called has: job, attempt, and seconds since the first line of
# its body by a clock that nobody sets (None before that line).
Busy = tuple[str, int, float | None]
# Begins each message: what a body writes into the line by mistake is told from it.
MARK = b"chut"
HEADER = struct.Struct("<4sQ")
PIECE_BYTES = 256 << 10


class Task(NamedTuple):
    """One attempt, as it is sent to a worker. Spans in seconds.

    ``is_alone`` says that nothing else runs or waits: see ``spinning``.
    """

    job: str
    attempt: int
    max_attempts: int
    name: str
    definition: str
    input_kind: str
    input: bytes
    timeout_s: float | None
    grace_s: float
    output: str
    is_fresh: bool = False
    is_alone: bool = False


def task_of(row: Any, output: str, *, is_alone: bool = False) -> Task:
    """Return the attempt of a claimed row (of the store), as it is sent."""
    return Task(
        row["id"],
        row["attempt"],
        row["max_attempts"],
        row["name"],
        row["definition"],
        row["input_kind"],
        row["input"],
        row["timeout_s"],
        row["grace_s"],
        output,
        bool(row["fresh"]),
        is_alone,
    )


class Telling(NamedTuple):
    """One thing a run says while it runs: what kind, and its value."""

    kind: str
    value: Any


@dataclass(slots=True)
class Outcome:
    """How a body ended, as its worker saw it.

    Attributes
    ----------
    end : str
        ``"ok"``, ``"error"`` or ``"stopped"`` (by SIGTERM, within the body).
    result : dict or None
        ``kind``, ``body``, ``type``, ``view`` of what was returned.
    error : dict or None
        The exception as text (see ``model.ErrorInfo``).
    may_retry : bool
        Whether ``retry_on`` and the exception allow another attempt.
    output_bytes : int
        What the attempt wrote in all.
    told : list of Telling
        What had not been sent yet.
    files : list of tuple
        Files to keep with the job, as ``store.runs.KeptFile`` fields.
    has_children, has_threads : bool
        What the body left behind.
    worn : str or None
        Why the worker should run no other body.
    memory : str or None
        What is to be said of memory, where there was too little.
    """

    job: str
    attempt: int
    end: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    may_retry: bool = True
    output_bytes: int = 0
    told: list[Telling] = field(default_factory=list)
    files: list[tuple[Any, ...]] = field(default_factory=list)
    has_children: bool = False
    has_threads: bool = False
    worn: str | None = None
    memory: str | None = None

    @property
    def is_last(self) -> bool:
        """Whether the worker should run nothing after this.

        So it is where the body was stopped: wherever that met it, in a lock or in the
        middle of an import, it may have left things half done.
        """
        if self.end == "stopped" or self.worn is not None:
            return True
        return self.has_threads or self.has_children

    def fields(self) -> tuple[Any, ...]:
        """What is sent of it."""
        return _FIELDS_OF(self)


class FrameError(Exception):
    """Bytes came down a line that are no message."""


_FIELDS_OF: Callable[[Outcome], tuple[Any, ...]] = attrgetter(*Outcome.__slots__)


def pack(message: tuple[Any, ...]) -> bytes:
    """One message as bytes."""
    body = pickle.dumps(message, protocol=5)
    return HEADER.pack(MARK, len(body)) + body


class Unpacker:
    """Bytes as they come in, messages as they are whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, piece: bytes | memoryview) -> list[tuple[Any, ...]]:
        """Take the next bytes; give each message that is complete.

        Raises
        ------
        FrameError
            If they are no message: somebody else has written to the line.
        """
        if not self._buffer and (message := _alone(piece)) is not None:
            return [message]
        buffer, whole = self._buffer, []
        buffer += piece
        while len(buffer) >= HEADER.size:
            mark, size = HEADER.unpack_from(buffer)
            if mark != MARK:
                raise FrameError(f"a message was wanted, {bytes(buffer[:20])!r} came")
            end = HEADER.size + size
            if len(buffer) < end:
                break
            with memoryview(buffer) as view:
                whole.append(_unpack(view[HEADER.size : end]))
            del buffer[:end]
        return whole


def _alone(piece: bytes | memoryview) -> tuple[Any, ...] | None:
    """Read a piece that is one whole message, as most are; None where it is not."""
    if len(piece) < HEADER.size:
        return None
    mark, size = HEADER.unpack_from(piece)
    if mark != MARK or len(piece) != HEADER.size + size:
        return None
    return _unpack(memoryview(piece)[HEADER.size :])


def _unpack(body: memoryview) -> tuple[Any, ...]:
    try:
        message: tuple[Any, ...] = pickle.loads(body)
    except Exception as error:  # what a pickle that is none can raise is not bounded
        raise FrameError("a message cannot be read") from error
    return message


class Line:
    """The worker's end of the socket, read by one thread at a time.

    Attributes
    ----------
    spins : bool
        Whether the next message may be soon, and a core is free to look for it.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._unpacker = Unpacker()
        self._sending = threading.Lock()
        self._waiting: list[tuple[Any, ...]] = []
        self._left = b""  # of what was offered, and found no room yet
        self._piece = memoryview(bytearray(PIECE_BYTES))
        # Who sleeps in recv() on Linux is woken as well when the other end has read
        # what we sent, and goes to sleep again: a switch of processes for each job.
        wake = select.poll()
        wake.register(connection, select.POLLIN)
        self._await_bytes = wake.poll
        self.spins = False
        self._spin, self._spin_for_go = SpinWait(stays=True), SpinWait()

    def fileno(self) -> int:
        """Descriptor to wait on."""
        return self._socket.fileno()

    def send(self, message: tuple[Any, ...]) -> None:
        """Send one message, as long as it takes; raises OSError when nobody reads."""
        packed = pack(message)
        with self._sending:  # the pulse and the job's thread both send
            left, self._left = self._left, b""
            self._socket.sendall(left + packed)

    def offer(self, message: tuple[Any, ...]) -> None:
        """Send one message as far as there is room; :meth:`has_room` sends the rest.

        A kernel may do nothing for minutes (a C call that holds the GIL, a debugger),
        and no body shall wait for it.

        Raises
        ------
        OSError
            When the other end is gone.
        """
        packed = pack(message)
        with self._sending:
            self._left += packed
            self._flush()

    def has_room(self) -> bool:
        """Whether all is sent that was offered; raises OSError like :meth:`offer`."""
        with self._sending:
            return self._flush()

    def _flush(self) -> bool:
        if not self._left:
            return True
        view, sent = memoryview(self._left), 0
        with contextlib.suppress(BlockingIOError):
            while sent < len(view):
                sent += self._socket.send(view[sent:], socket.MSG_DONTWAIT)
        self._left = bytes(view[sent:])
        return not self._left

    def receive(self, *, is_go_due: bool = False) -> tuple[Any, ...] | None:
        """Wait for the next message; None when the other end is gone.

        Parameters
        ----------
        is_go_due : bool
            Whether it says what becomes of an expected task: another kind of wait,
            for the executor alone.
        """
        while not self._waiting:
            # A body may have left no room for descriptors; recv() waits as well.
            with contextlib.suppress(OSError):
                if self.spins:
                    spin = self._spin_for_go if is_go_due else self._spin
                    spin.wait(self._await_bytes)
                else:
                    self._await_bytes()
            try:
                size = self._socket.recv_into(self._piece)
            except OSError:
                return None
            if not size:
                return None
            try:
                self._waiting.extend(self._unpacker.feed(self._piece[:size]))
            except FrameError:  # a body has read from the line, so a part is missing
                self.close()
                return None
        return self._waiting.pop(0)

    def is_waiting(self) -> bool:
        """Whether a message has come in that nobody has taken."""
        return bool(self._waiting)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
