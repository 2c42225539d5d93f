"""What ``%load_ext chutes_nb`` does in a kernel."""

from __future__ import annotations

from typing import Any

from . import magics, platform_import, runtime


def load(ipython: Any) -> None:
    """Register the magics and start the executor, which adopts what it finds."""
    platform_import.install()
    magics.register(ipython)
    runtime.executor()


def unload(ipython: Any) -> None:
    """Let the executor go; running jobs go on, and ``%load_ext`` finds them."""
    magics.unregister(ipython)
    platform_import.remove()
    runtime.stop()
