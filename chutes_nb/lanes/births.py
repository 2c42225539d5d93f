"""How a worker's process is started, with what environment, and when.

At once, or after a pause when births fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from ..paths import private
from ..processes import WORKER_MARK

PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])
START = (
    "import sys; sys.path.append({parent!r}); "
    "from chutes_nb.worker.main import main; main(sys.argv[1:])"
)
# Secrets and settings of the kernel that no job needs; pytest's changes all the time.
LEFT_OUT = ("JPY_", "JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "MPLBACKEND", "PYTEST_C")
PAUSE_S, PAUSE_MAX_S = 0.5, 30.0


class Births:
    """Counts workers that ended before they said hello.

    A broken environment would otherwise start one process after another, as fast
    as the machine can.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._next_at = 0.0

    def may_start(self) -> bool:
        """Whether a worker may be started now."""
        return time.monotonic() >= self._next_at

    def succeeded(self) -> None:
        """Take note of a worker that said hello."""
        self._failures, self._next_at = 0, 0.0

    def failed(self) -> float:
        """Take note of one that did not; seconds until the next may start."""
        pause: float = min(PAUSE_S * 2**self._failures, PAUSE_MAX_S)
        self._failures += 1
        self._next_at = time.monotonic() + pause
        return pause


def environment(worker: str) -> dict[str, str]:
    """Return the environment of a worker: the kernel's, without what no job needs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(LEFT_OUT)
    }
    return kept | {WORKER_MARK: worker, "MPLBACKEND": "agg"}


def environment_of(pid: int) -> dict[str, str] | None:
    """Return the environment that a process began with; None where nobody says."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has just ended, or this is not Linux
        return None
    lines = [os.fsdecode(line).partition("=") for line in raw.split(b"\0") if line]
    return {name: value for name, _, value in lines}


def start_process(
    environ: dict[str, str], folder: Path, arguments: list[str], fds: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    """Start a worker in a session of its own, with the descriptors it is given."""
    with open(folder / "stderr", "ab", opener=private) as stderr:
        return subprocess.Popen(
            [sys.executable, "-c", START.format(parent=PACKAGE_PARENT), *arguments],
            env=environ,
            cwd=folder,
            pass_fds=fds,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
