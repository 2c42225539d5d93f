"""A TCP line to a server that can be cut in the middle of what goes through it."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

PIECE_BYTES = 1 << 16


class Wire:
    """Listens on a port of the loopback and passes everything on; ``with`` ends it.

    Parameters
    ----------
    to : int
        Port of the server.
    """

    def __init__(self, to: int) -> None:
        self._to = to
        self._lock = threading.Lock()
        self._links: list[socket.socket] = []
        self._is_cut = False
        self._left: int | None = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.was_cut = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listening.close()
        self.cut()

    def cut_after(self, sent: int) -> None:
        """Cut by itself once so many bytes more have gone to the server."""
        with self._lock:
            self._left = sent
        self.was_cut.clear()

    def cut(self) -> None:
        """Break every connection, and take no new one."""
        with self._lock:
            self._is_cut, self._left = True, None
            links, self._links = self._links, []
        for link in links:
            _shut(link)
        self.was_cut.set()

    def mend(self) -> None:
        """Take connections again."""
        with self._lock:
            self._is_cut = False

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                is_cut = self._is_cut
            if is_cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._to))
            with self._lock:
                self._links += [near, far]
            for ends in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, is_up: bool) -> None:
        try:
            while piece := source.recv(PIECE_BYTES):
                to.sendall(piece)
                if is_up and self._is_spent(len(piece)):
                    self.cut()
        except OSError:
            pass
        finally:
            _shut(to)
            _shut(source)

    def _is_spent(self, size: int) -> bool:
        with self._lock:
            if self._left is None:
                return False
            self._left -= size
            return self._left <= 0


def _shut(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
