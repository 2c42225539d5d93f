"""What a body prints: the standard streams of a worker, over its descriptors."""

from __future__ import annotations

import io
import threading
from typing import Any

from .trimming import STEP_BYTES, Trimmer

SMALL_BYTES = 1 << 10  # lines cannot come faster than the trimming thread follows
STREAMS = {"stdin": (0, "r"), "stdout": (1, "w"), "stderr": (2, "w")}
KIND: dict[str, Any] = {
    "encoding": "utf-8",
    "errors": "backslashreplace",
    "line_buffering": True,
}
_write = io.FileIO.write


class Trims:
    """Trims the attempt's output behind what this process prints.

    Attributes
    ----------
    path : str
        The output that descriptors 1 and 2 lead to; empty where there is none.
    """

    def __init__(self) -> None:
        self.path = ""
        self._trimmer = Trimmer()
        self._lock = threading.Lock()

    def look(self) -> None:
        """Trim, unless another thread does, or did when this process was forked."""
        if self.path and self._lock.acquire(blocking=False):
            try:
                self._trimmer.look(self.path)
            finally:
                self._lock.release()


class Printed(io.FileIO):
    """Descriptor 1 or 2, for what Python code prints.

    A body that prints gigabytes a second has the interpreter's lock while the thread
    that trims its output waits for it; so the output is trimmed here as well, step by
    step. What C code and other processes write comes by the descriptors alone.
    """

    def __init__(self, fd: int, name: str, trims: Trims) -> None:
        super().__init__(fd, "w", closefd=False)
        self.name = name
        self._trims, self._written = trims, 0

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]
        """Write a step at most, as a raw file may; its buffer comes with the rest."""
        if len(data) < SMALL_BYTES:
            return _write(self, data)
        if len(data) > STEP_BYTES:
            data = memoryview(data)[:STEP_BYTES]
        count = _write(self, data)
        self._written += count or 0
        if self._written >= STEP_BYTES:
            self._written = 0
            self._trims.look()
        return count


def opened(name: str, trims: Trims) -> Any:
    """Open a standard stream by its name, anew."""
    fd, mode = STREAMS[name]
    if mode == "r":
        kind = KIND["encoding"], KIND["errors"]
        return open(fd, mode, 1, *kind, closefd=False)
    raw = Printed(fd, f"<{name}>", trims)
    stream = io.TextIOWrapper(io.BufferedWriter(raw), **KIND)
    stream.mode = mode  # type: ignore[misc]
    return stream
