"""An attempt's output file, followed into the log store and read for progress.

The file is written by the job alone (append only; C code and subprocesses too)
and needs no reader, so nothing here can ever block the job. Who follows it, an
executor or a worker with no executor, may change between two looks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..reading import (
    Doubled,
    LenientReader,
    Metric,
    Pace,
    ProgressRead,
    Reading,
    Silence,
    Thinner,
)
from ..store.logs import Passed, cap_bytes, tail_bytes
from .trimming import block_of, has_hole, may_be_gone, punch

LOOK_BYTES = 1 << 20
# Of a flood the head is kept and the tail; less is taken of what lies between.
FLOOD_BYTES = 256 << 10
TRICKLE_BYTES = 64 << 10  # where most of it is passed over in any case
TRICKLE_S = 0.25
TRIES = 8  # to read of a flood what is still there behind the reading
FREE_BYTES = 256 << 10
# Of what is left out the line ends are counted, at about 3 GB a second: a stretch that
# is larger than this came too fast to be counted beside the work.
MOST_COUNTED_BYTES = 64 << 20
POLL_S = 0.05
RETRY_S = 0.5
RETRY_MAX_S = 10.0
WORTH_TELLING_S = 1.0  # nobody waits for what is over by then


@dataclass(slots=True)
class Look:
    """What one look found: bytes from ``start`` on, and what they tell.

    Attributes
    ----------
    passed : Passed or None
        What was left out just before ``start``.
    quiet_s : float or None
        For how many seconds the attempt has been silent, where that is unusual; told
        once for each silence.
    size : int
        Of the whole output; the log needs nothing that is neither head nor tail of it.
    """

    start: int
    body: bytes
    progress: dict[str, Any] | None = None
    metrics: list[Metric] = field(default_factory=list)
    has_more: bool = False
    quiet_s: float | None = None
    passed: Passed | None = None
    size: int = 0

    @property
    def end(self) -> int:
        """Offset behind its last byte."""
        return self.start + len(self.body)

    def bare(self) -> Look:
        """Return what it tells of the moment, without output and what that tells."""
        return Look(0, b"", self.progress, quiet_s=self.quiet_s)

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
    began_at : float, optional
        When the attempt began, in monotonic seconds; now by default.
    """

    def __init__(
        self,
        path: str,
        offset: int = 0,
        prior_s: float | None = None,
        began_at: float | None = None,
    ) -> None:
        self.path = path
        self.offset = offset
        self.last_output_at: float | None = None
        self._prior_s = prior_s
        self._began_at = time.monotonic() if began_at is None else began_at
        # Who has seen it through before has told what there was to tell.
        self._is_new = (
            offset == 0 and prior_s is not None and prior_s >= WORTH_TELLING_S
        )
        self._read: ProgressRead | None = None
        self.doubled = Doubled()
        self._is_told = False
        self._is_at_rest = True
        self._silence = Silence()
        self._fd: int | None = None
        self.is_flooded = self._is_last = self._is_over = False
        self._kept, self._freed, self._heard = offset, 0, offset
        self._setbacks = 0
        self._waiting: list[Metric] = []
        self._is_behind, self._resume_at = False, float("-inf")
        self._cap = cap_bytes()
        self._half = self._cap // 2  # what is kept of the head
        self._let_go = self._middle = self._half
        self._trickle_at = float("-inf")
        self._left_out: Passed | None = None

    @cached_property
    def _thinner(self) -> Thinner:
        return Thinner()

    @cached_property
    def _reader(self) -> LenientReader:
        return LenientReader()

    @cached_property
    def _pace(self) -> Pace:  # most short jobs say nothing, and never need the two
        pace = Pace(self._prior_s)
        pace.update(self._began_at)
        return pace

    def look(self, now: float) -> Look | None:
        """Read on; None where nothing is new.

        Parameters
        ----------
        now : float
            Monotonic seconds.
        """
        if self._is_passing_over and now < self._trickle_at:
            self.trim()
            return None
        if now < self._resume_at:
            return None
        body, size = self._next()
        self._is_behind &= self.offset + len(body) < size
        if not body and self._is_at_rest:
            if self._is_new:
                return self._foretold(now)
            quiet_s = self._silence.noticed(now)
            return None if quiet_s is None else Look(self.offset, b"", quiet_s=quiet_s)
        self._is_at_rest = not body
        start = self.offset
        self.offset += len(body)
        if body:
            self.last_output_at, self._trickle_at = now, now + TRICKLE_S
            self._silence.broken(now)
        look = Look(start, body, has_more=self.offset < size, size=size)
        if body and start >= self._let_go:
            look.passed, self._left_out = self._left_out, None
        # Nothing new says as well that the last line is whole as it stands.
        new = body[max(0, self._heard - start) :]
        self._read_into(look, self._reader.feed(new), now)
        if look.end >= self._heard:
            self._heard = look.end
            look.metrics, self._waiting = self._waiting + look.metrics, []
        return look if body or look.tells else None

    def _foretold(self, now: float) -> Look:
        """Tell the time that earlier runs took, before this one has said anything."""
        self._is_new = False
        return Look(self.offset, b"", self._with_pace(now))

    def rest(self, now: float) -> Look | None:
        """Read what a last line without its end tells; the attempt is over."""
        if self._is_behind or self._is_over:
            return None
        self._is_over = True
        look = Look(self.offset, b"")
        self._read_into(look, self._reader.finish(), now)
        look.metrics = self._waiting + look.metrics
        last = [Metric(*point) for point in self._thinner.finish()]
        look.metrics += self.doubled.left(last)
        return look if look.tells else None

    def _read_into(self, look: Look, reading: Reading, now: float) -> None:
        look.metrics = self._thinned(reading.metrics)
        if self._is_new:
            look.progress = self._foretold(now).progress
        if reading.progress is not None and not self._is_told:
            self._read = reading.progress
            look.progress = self._with_pace(now)

    def _thinned(self, metrics: list[Metric]) -> list[Metric]:
        take = self._thinner.take
        some = [one for one in metrics if take((one.name, one.step, one.value))]
        return self.doubled.left(some)

    def told(self, now: float, value: dict[str, Any]) -> dict[str, Any]:
        """Take progress that the job tells by itself; text is not asked any more."""
        self._is_told, self._is_new = True, False
        self._silence.broken(now)
        done, total = value.get("done"), value.get("total")
        fraction = None
        if done is not None and total:
            fraction = min(max(done / total, 0.0), 1.0)
        message = value.get("message")
        self._read = ProgressRead(done, total, fraction, message, value.get("unit"))
        return self._with_pace(now)

    def _with_pace(self, now: float) -> dict[str, Any]:
        self._is_new = False
        rate, eta_s = self._pace.update(now, self._read)
        read = self._read or ProgressRead()
        return {
            "done": read.done,
            "total": read.total,
            "fraction": read.fraction,
            "message": read.message,
            "unit": read.unit,
            "rate": rate,
            "eta_s": eta_s,
            "at": time.time(),
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
        self._let_middle_go(size)
        self._free()
        for _ in range(TRIES):
            body = os.pread(self._fd, self._bite(size), self.offset)
            size = os.fstat(self._fd).st_size
            if not may_be_gone(self.offset, size, self._cap):
                return body, size
            self._let_middle_go(size)
        return b"", size  # it comes faster than it can be read: next time

    def _bite(self, size: int) -> int:
        if self.offset < self._half:
            # What follows may be a hole.
            return min(LOOK_BYTES, self._half - self.offset)
        if self._is_last or size - self.offset <= FLOOD_BYTES:
            return LOOK_BYTES
        # Most of it would be written for nothing.
        return TRICKLE_BYTES if self.is_flooded else FLOOD_BYTES

    @property
    def _is_passing_over(self) -> bool:
        """Whether most of what comes is neither head nor tail by the next look."""
        return self.is_flooded and not self._is_last and self.offset >= self._half

    def _let_middle_go(self, size: int) -> None:
        """Pass over what is neither head nor tail: its lines are counted, no more."""
        tail = size - tail_bytes(size, self._cap)
        self.is_flooded = max(self.offset, self._half) < tail
        if self.is_flooded:
            self._leave_out(max(self._let_go, self.offset), tail)
            self._let_go = tail
        if self._let_go > self.offset >= self._half:
            self.offset = self._let_go
            self._reader.skip()

    def _leave_out(self, start: int, stop: int) -> None:
        """Count a stretch that will not be read, before the disk has it back."""
        assert self._fd is not None  # the file was found
        if start == stop:
            return
        lines = count_lines(self._fd, start, stop)
        if self._left_out is not None:
            start, before = self._left_out
            lines = None if lines is None or before is None else before + lines
        self._left_out = Passed(start, lines)

    def trim(self) -> None:
        """Give the disk back what a flood has brought since the last look."""
        if self._fd is not None and self.is_flooded:
            self._let_middle_go(os.fstat(self._fd).st_size)
            self._free()

    def kept(self, end: int) -> None:
        """Take note that the log store has the output up to here: it was committed."""
        self._kept, self._setbacks = max(self._kept, end), 0

    def goes_back(self, looks: Sequence[Look]) -> bool:
        """Read looks again, in a while, as the log store could not take the first.

        What they tell comes along then: metrics are in the store with their bytes, so
        that who reads on from the end of the log, an heir, tells none twice.

        Parameters
        ----------
        looks : sequence of Look
            That one and all that were made since and are not written.

        Returns
        -------
        bool
            False where there is nothing to go back for, or nothing to read it from.
        """
        first, last = looks[0], looks[-1]
        if not first.body or first.end <= self._kept:
            return False
        if self._left_out or len(looks) > 1 or last.end < self.offset:
            first.passed = Passed(first.start, None)  # more was left out since
        self._left_out = first.passed
        self.offset = max(first.start, self._kept)
        self._waiting = [one for look in looks for one in look.metrics] + self._waiting
        self._is_behind = True
        pause_s = min(RETRY_S * 1.5**self._setbacks, RETRY_MAX_S)
        self._resume_at = time.monotonic() + pause_s
        self._setbacks += 1
        return True

    def has(self, end: int) -> bool:
        """Whether the log store has the output up to here."""
        return self._kept >= end

    @property
    def is_owed(self) -> bool:
        """Whether the log store lacks output that has been seen here."""
        return self._is_behind or self._kept < self.offset

    def end(self) -> None:
        """Take note that the attempt is over: what is left is read in large pieces."""
        self._is_last = True

    def _free(self) -> None:
        """Give the disk back what is in the log store, and what is let go."""
        self._freed = self._freed_between(self._freed, self._kept)
        self._middle = self._freed_between(self._middle, self._let_go)

    def _freed_between(self, start: int, stop: int) -> int:
        stop = block_of(stop)
        if self._fd is None or stop - start < FREE_BYTES:
            return start
        punch(self._fd, start, stop - start)
        return stop

    @property
    def is_open(self) -> bool:
        """Whether the file has been found."""
        return self._fd is not None

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def count_lines(fd: int, start: int, stop: int) -> int | None:
    """Count line ends in a part of a file.

    Returns
    -------
    int or None
        None where the part is too large to be counted in passing, or where somebody
        has given some of it back to the disk, be it meanwhile.
    """
    if stop - start > MOST_COUNTED_BYTES or has_hole(fd, start, stop):
        return None
    count, at = 0, start
    while at < stop:
        body = os.pread(fd, min(LOOK_BYTES, stop - at), at)
        if not body:
            return None
        count += body.count(b"\n")
        at += len(body)
    return None if has_hole(fd, start, stop) else count
