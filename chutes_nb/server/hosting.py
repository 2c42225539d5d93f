"""Sees to it that somebody runs what was queued: the detached host, or a reason."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

from ..store import Store, intake
from ..store.intake import Queued

PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])
HOST = f"{__package__.partition('.')[0]}.host"
START = (
    "import sys; sys.path.append({parent!r}); "
    "from {host} import main; main(sys.argv[1:])"
)
# The server's own credentials are nothing that jobs should find.
LEFT_OUT = ("JPY_", "JUPYTER_TOKEN", "JUPYTERHUB_", "JUPYTER_SERVER_")

_started: list[subprocess.Popen[bytes]] = []


def see_to(store: Store, queued: Queued) -> None:
    """Start the host for a job that nobody alive would run, or say why it waits."""
    if queued.is_alive:
        return
    row = intake.definition_of(store.reader, queued.job)
    assert row is not None  # the job was queued a moment ago
    reason = _hindrance(row["python"], row["options"]) or start(store, row["python"])
    if reason is not None:
        with store.writing() as tx:
            intake.say_why(tx, queued.job, reason)
        store.feed.nudge()


def _hindrance(python: str, options: str) -> str | None:
    if '"executor": "kernel"' in options:
        return "waits for a kernel: it shares the kernel's variables"
    if not os.access(python, os.X_OK):
        return f"waits for a kernel: its interpreter {python} is gone"
    if importlib.util.find_spec(HOST) is None:
        return f"waits for a kernel of {python} that has loaded chutes_nb"
    return None


def start(store: Store, python: str) -> str | None:
    """Start the host of an interpreter; it ends at once where there is one.

    Returns
    -------
    str or None
        Why it could not be started.
    """
    _started[:] = [one for one in _started if one.poll() is None]
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(LEFT_OUT)
    }
    code = START.format(parent=PACKAGE_PARENT, host=HOST)
    try:
        process = subprocess.Popen(
            [python, "-c", code, str(store.home)],
            env=environ,
            cwd=store.home,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        return f"waits for a kernel: the detached host could not be started ({error})"
    _started.append(process)
    return None
