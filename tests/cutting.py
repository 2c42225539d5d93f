"""A line between a client and a server that breaks after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterable
from typing import Self

PIECE_BYTES = 64 << 10
HEARD = -1


class Line:
    """Passes bytes on between a port of its own and a server's.

    Parameters
    ----------
    port : int
        The server's.
    limits : iterable of int or None
        After how many bytes from the client each connection is cut, one after the
        other; None lets one hold, as the connections after these do. ``HEARD`` cuts one
        when it has passed something on, before anything comes back. What a connection
        did not come to is the limit of the next: a server may refuse one.

    Attributes
    ----------
    cuts : int
        How many were cut so far.
    """

    def __init__(self, port: int, limits: Iterable[int | None] = ()) -> None:
        self._server, self._limits = port, deque(limits)
        self._ears = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._ears.getsockname()[1])
        self.cuts = 0
        self._lock = threading.Lock()
        self._links: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        _hang_up(self._ears)
        self._ears.close()
        self.cut()

    def cut(self) -> None:
        """Cut all connections that there are now."""
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            _hang_up(link)

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._ears.accept()
            except OSError:  # closed
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._server), 10)
            except OSError:  # the server is away
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._links |= {near, far}
                limit = self._limits.popleft() if self._limits else None
            threading.Thread(
                target=self._pass_both, args=(near, far, limit), daemon=True
            ).start()

    def _pass_both(
        self, near: socket.socket, far: socket.socket, limit: int | None
    ) -> None:
        # Closed when neither thread has them any more: the number of a closed socket
        # may be a new connection's at once.
        with near, far:
            back = threading.Thread(target=self._pass_on, args=(far, near, None))
            back.start()
            is_cut = self._pass_on(near, far, limit)
            back.join()
        if limit is not None and not is_cut:
            with self._lock:
                self._limits.appendleft(limit)

    def _pass_on(
        self, source: socket.socket, target: socket.socket, most: int | None
    ) -> bool:
        passed, is_cut = 0, False
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                if most is not None and passed + len(piece) >= most:
                    if most == HEARD:
                        self._deafen(source)
                        target.sendall(piece)
                    else:
                        target.sendall(piece[: most - passed])
                    self.cuts += 1
                    is_cut = True
                    break
                if self._is_deaf(target):
                    break
                target.sendall(piece)
                passed += len(piece)
        with self._lock:
            self._links -= {source, target}
        _hang_up(source)
        _hang_up(target)
        return is_cut

    def _deafen(self, link: socket.socket) -> None:
        with self._lock:
            self._links.discard(link)

    def _is_deaf(self, link: socket.socket) -> bool:
        with self._lock:
            return link not in self._links


def _hang_up(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
