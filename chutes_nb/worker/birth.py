"""The first steps of a worker process: what it holds, and where it can be called."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import sys
from pathlib import Path

from ..paths import private_dir

BIND_TRIES = 100
PR_SET_CHILD_SUBREAPER = 36


def listen_at(address: Path) -> socket.socket:
    """Open the socket where a later executor can call.

    Its folder goes with the last socket in it, which may be between two lines here.
    """
    for tries in range(BIND_TRIES):
        listener = socket.socket(socket.AF_UNIX)
        try:
            private_dir(address.parent)
            address.unlink(missing_ok=True)
            mask = os.umask(0o177)
            try:
                listener.bind(str(address))
            finally:
                os.umask(mask)
            break
        except (FileNotFoundError, FileExistsError):
            listener.close()
            if tries == BIND_TRIES - 1:
                raise
    listener.listen(1)
    return listener


def hold(lease: int) -> None:
    """Keep the lease from children: one that lives on would keep it for us."""
    os.set_inheritable(lease, False)
    fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.register_at_fork(after_in_child=lambda: os.close(lease))


def adopt_orphans() -> None:
    """Become the parent of what the jobs' children leave (Linux, prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
