"""Keeps Jupyter from ending a kernel as idle while a job runs in it.

Jupyter Server culls by the time of the kernel's last message on its IOPub channel,
whatever the message says (``jupyter_server``, ``kernelmanager.record_activity``).
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ..shell import current_shell

# The shortest limit that makes sense is about a minute.
SAY_EACH_S = 10.0


class Awake:
    """Says now and then that the kernel is in use.

    Notes
    -----
    The message is one for a comm that nobody has opened, which every front end
    passes over. Without ipykernel there is nobody to say it to.
    """

    def __init__(self) -> None:
        self._said_at = -SAY_EACH_S

    def say(self) -> None:
        """Say it, if it was not said just now."""
        now = time.monotonic()
        if now - self._said_at < SAY_EACH_S:
            return
        self._said_at = now
        kernel = _kernel()
        session, socket = (getattr(kernel, one, None) for one in _NAMES)
        if session is None or socket is None:
            return
        content = {"comm_id": "chutes_nb-is-active", "data": {}}
        # A kernel that is just ending has closed its socket.
        with contextlib.suppress(Exception):
            session.send(socket, "comm_msg", content, parent={})


_NAMES = ("session", "iopub_socket")


def _kernel() -> Any:
    return getattr(current_shell(), "kernel", None)
