"""An attempt's output file, followed into the log store and read for progress.

The file is written by the job alone (append only; C code and subprocesses too)
and needs no reader, so nothing here can ever block the job. Who follows it, an
executor or a worker with no executor, may change between two looks.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..reading import Metric, Pace, ProgressRead, Reader, Reading, Silence
from ..store.logs import HEAD_BYTES, TAIL_BYTES

LOOK_BYTES = 1 << 20
POLL_S = 0.05


@dataclass(slots=True)
class Look:
    """What one look found: bytes from ``start`` on, and what they tell.

    Attributes
    ----------
    quiet_s : float or None
        For how many seconds the attempt has been silent, where that is unusual; told
        once for each silence.
    """

    start: int
    body: bytes
    progress: dict[str, Any] | None = None
    metrics: list[Metric] = field(default_factory=list)
    has_more: bool = False
    quiet_s: float | None = None

    @property
    def tells(self) -> bool:
        """Whether there is something to write beside the bytes."""
        return bool(self.metrics or self.progress is not None or self.quiet_s)

    @property
    def points(self) -> list[tuple[str, float | None, float]]:
        """Metrics as the store takes them: name, step, value."""
        return [(one.name, one.step, one.value) for one in self.metrics]


class Capture:
    """Follows the output of one attempt.

    Parameters
    ----------
    path : str
        The output file.
    offset : int
        Bytes that are in the log store already.
    prior_s : float or None
        How long earlier runs of this job took, for the time left.
    """

    def __init__(
        self, path: str, offset: int = 0, prior_s: float | None = None
    ) -> None:
        self.path = path
        self.offset = offset
        self.last_output_at: float | None = None
        self._prior_s = prior_s
        self._read: ProgressRead | None = None
        self._is_told = False
        self._is_at_rest = True
        self._silence = Silence()
        self._fd: int | None = None

    @cached_property
    def _reader(self) -> Reader:
        return Reader()

    @cached_property
    def _pace(self) -> Pace:  # most short jobs say nothing, and never need the two
        return Pace(self._prior_s)

    def look(self, now: float) -> Look | None:
        """Read on; None where nothing is new.

        Parameters
        ----------
        now : float
            Monotonic seconds.
        """
        body, size = self._next()
        if not body and self._is_at_rest:
            quiet_s = self._silence.noticed(now)
            return None if quiet_s is None else Look(self.offset, b"", quiet_s=quiet_s)
        self._is_at_rest = not body
        start = self.offset
        self.offset += len(body)
        if body:
            self.last_output_at = now
            self._silence.broken(now)
        look = Look(start, body, has_more=self.offset < size)
        # Nothing new says as well that the last line is whole as it stands.
        self._read_into(look, self._reader.feed(body), now)
        return look if body or look.tells else None

    def rest(self, now: float) -> Look | None:
        """Read what a last line without its end tells; the attempt is over."""
        look = Look(self.offset, b"")
        self._read_into(look, self._reader.finish(), now)
        return look if look.tells else None

    def _read_into(self, look: Look, reading: Reading, now: float) -> None:
        look.metrics = reading.metrics
        if reading.progress is not None and not self._is_told:
            self._read = reading.progress
            look.progress = self._with_pace(now)

    def told(self, now: float, value: dict[str, Any]) -> dict[str, Any]:
        """Take progress that the job tells by itself; text is not asked any more."""
        self._is_told = True
        self._silence.broken(now)
        done, total = value.get("done"), value.get("total")
        fraction = None
        if done is not None and total:
            fraction = min(max(done / total, 0.0), 1.0)
        message = value.get("message")
        self._read = ProgressRead(done, total, fraction, message, value.get("unit"))
        return self._with_pace(now)

    def _with_pace(self, now: float) -> dict[str, Any]:
        read = self._read
        assert read is not None  # only called once there is one
        rate, eta_s = self._pace.update(now, read)
        return {
            "done": read.done,
            "total": read.total,
            "fraction": read.fraction,
            "message": read.message,
            "unit": read.unit,
            "rate": rate,
            "eta_s": eta_s,
        }

    def _next(self) -> tuple[bytes, int]:
        if self._fd is None:
            try:
                self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return b"", 0
        size = os.fstat(self._fd).st_size
        if size <= self.offset:
            return b"", size
        if size - self.offset > TAIL_BYTES and self.offset >= HEAD_BYTES:
            self.offset = size - TAIL_BYTES  # a flood: the middle is let go unread
        if self.offset > HEAD_BYTES:
            _free(self._fd, HEAD_BYTES, self.offset - HEAD_BYTES)
        return os.pread(self._fd, LOOK_BYTES, self.offset), size

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


_FALLOC_FL_KEEP_SIZE = 0x01
_FALLOC_FL_PUNCH_HOLE = 0x02


def _free(fd: int, start: int, length: int) -> None:
    """Give the disk back what is in the log store, without moving what follows.

    Punches a hole (fallocate(2), Linux); elsewhere the file keeps its size until
    the attempt ends.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(AttributeError, OSError):
        flags = _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE
        libc = ctypes.CDLL(None, use_errno=True)
        libc.fallocate(fd, flags, ctypes.c_int64(start), ctypes.c_int64(length))
