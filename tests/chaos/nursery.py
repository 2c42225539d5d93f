"""Drivers are forked from a process that has imported everything.

Three quarters of a driver's first second are imports, and a storm starts one each
second. A driver that was forked has opened, started and locked nothing before.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any


class Child:
    """A driver, which is the child of another process; in part like a Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd: int | None = None
        with contextlib.suppress(ProcessLookupError):  # it has died already
            self._fd = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return 0 once it is dead, however it died."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its death."""
        if self._look(timeout) is None:
            raise subprocess.TimeoutExpired("a driver", timeout or 0.0)
        return 0

    def _look(self, seconds: float | None) -> int | None:
        if self._fd is not None:
            if not select.select([self._fd], [], [], seconds)[0]:
                return None
            os.close(self._fd)
            self._fd = None
        return 0

    def send_signal(self, number: int) -> None:
        if self._fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """Whoever bears the drivers of one world.

    Parameters
    ----------
    folder : pathlib.Path
        Of the world: what a driver acknowledges goes to ``acks``, what it says of
        errors to ``errors``.
    environ : dict
        Of its own; drivers get more.
    """

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        with (folder / "errors").open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chaos.cradle"],
                env=environ,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def bear(self, config: dict[str, Any], environ: dict[str, str]) -> Child:
        """Start a driver."""
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        asked.write(json.dumps([config, environ]) + "\n")
        asked.flush()
        return Child(int(told.readline()))

    def close(self) -> None:
        """End it; drivers live on."""
        self._process.kill()
        self._process.communicate()
