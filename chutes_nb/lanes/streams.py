"""What kernel jobs write, each into its own file, in a process they share with cells.

The streams stay what they are (handlers of ``logging`` hold them, and cells replace
``sys.stdout`` for a while); their ``write`` asks first in whose context it was called.
Writes of C code pass all this by: nobody can tell whose they are.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ..paths import PRIVATE_FILE
from ..shell import current_shell
from ..worker import bars
from ..worker.context import current, enter_here
from ..worker.showing import Finder, Showing
from ..worker.trimming import STEP_BYTES, Trimmer
from .turning import Turning


class Sink:
    """The output file of one attempt.

    Attributes
    ----------
    size : int
        Bytes written.
    showing : Showing
        What the attempt has displayed.
    """

    def __init__(self, path: str) -> None:
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
        self._path, self._trimmer, self._trimmed = path, Trimmer(yields=True), 0
        self._fd = os.open(path, flags, PRIVATE_FILE)
        self._lock = threading.RLock()  # a finalizer may print, anywhere
        self._is_dropping = False
        self.size = 0
        self.showing = Showing()

    def fileno(self) -> int:
        """Descriptor of the file."""
        return self._fd

    @property
    def takes(self) -> bool:
        """Whether the attempt goes on, or is one that nobody listens to any more."""
        return self._fd >= 0 or self._is_dropping

    def write(self, text: str) -> int:
        """Append text, whole."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        left = memoryview(text.encode("utf-8", "backslashreplace"))
        with self._lock:
            while self._fd >= 0 and left:
                count = os.write(self._fd, left[:STEP_BYTES])
                self.size += count
                left = left[count:]
                if self.size - self._trimmed >= STEP_BYTES:
                    self._trimmer.look(self._path)
                    self._trimmed = self.size
        return len(text)

    def say(self, line: str) -> None:
        """Append a line."""
        self.write(f"{line}\n")

    def close(self, *, drops: bool = False) -> None:
        """End the log; what still comes goes where a cell's output goes.

        Parameters
        ----------
        drops : bool
            Throw away what still comes: it is no cell's either.
        """
        with self._lock:
            self._is_dropping = drops
            if self._fd >= 0:
                os.close(self._fd)
                self._trimmer.close()
                self._fd = -1


_sink: ContextVar[Sink | None] = ContextVar("chutes_nb_sink", default=None)


def enter_sink(sink: Sink | None) -> None:
    """Say where this thread writes, and the tasks that it starts from now on."""
    _sink.set(sink)


def _taking() -> Sink | None:
    sink = _sink.get()
    return sink if sink is not None and sink.takes else None


class Streams:
    """Turns the writes of jobs aside while there are any.

    ``sys.stdout`` and ``sys.stderr``, what IPython displays, tqdm's bars of widgets,
    and the threads that a job starts with :mod:`threading`, which otherwise forget
    whose they are.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turning = Turning()
        self._finder = Finder({bars.MODULE: lambda _module: self.look()})
        self.users = 0

    def enter(self) -> None:
        """Begin, for one more job."""
        with self._lock:
            self.users += 1
            if self._finder not in sys.meta_path:
                # It stays: a thread that imports while the list gets shorter would
                # pass over the finder that it needs.
                sys.meta_path.insert(0, self._finder)
        self.look()

    def leave(self) -> None:
        """End for one job; with the last one all is as it was."""
        with self._lock:
            self.users -= 1
            if not self.users:
                self._turning.back()

    def look(self) -> None:
        """Turn what stands in the place of a stream by now (``%%capture``)."""
        with self._lock:
            if not self.users:
                return
            for stream in (sys.stdout, sys.stderr):
                self._turning.turn(stream, "write", _write_around)
            self._turning.turn(_publisher(), "publish", _publish_around)
            self._turning.turn_function(threading.Thread, "start", _start_around)
            bar = getattr(sys.modules.get(bars.MODULE), "tqdm_notebook", None)
            if bar is not None:
                self._turning.turn_function(bar, "__new__", bars.new_around)


streams = Streams()


def _publisher() -> Any:
    """Return what IPython displays with, where there is IPython."""
    return getattr(current_shell(), "display_pub", None)


def _write_around(original: Callable[..., int]) -> Callable[..., int]:
    def write(*text: Any) -> int:
        sink = _taking()
        return original(*text) if sink is None else sink.write(*text)

    return write


def _publish_around(original: Callable[..., None]) -> Callable[..., None]:
    def publish(data: Any, *args: Any, **kwargs: Any) -> None:
        sink = _taking()
        if sink is None:
            original(data, *args, **kwargs)
        else:  # as display() does in a worker, which has no notebook around it
            display_id = (kwargs.get("transient") or {}).get("display_id")
            sink.showing.show(data, display_id, sink.say)

    return publish


def _start_around(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def start(thread: threading.Thread) -> None:
        sink, context = _taking(), current()
        # Our own threads serve other jobs as well, and are begun within some job.
        if sink is not None and not thread.name.startswith("chutes-"):
            body = thread.run

            def run() -> None:
                enter_sink(sink)
                enter_here(context)
                body()

            thread.run = run  # type: ignore[method-assign]
        original(thread)

    return start
