"""Sees to it that somebody runs what was queued: the detached host, or a reason."""

from __future__ import annotations

import os

from .store import Store, intake, kernel
from .store.intake import Queued
from .waking import wake_host

# The server's own credentials are nothing that jobs should find.
LEFT_OUT = ("JPY_", "JUPYTER_TOKEN", "JUPYTERHUB_", "JUPYTER_SERVER_")


def see_to(store: Store, queued: Queued) -> None:
    """Start the host for a job that nobody alive would run, or say why it waits."""
    if queued.is_alive:
        return
    reason = _hindrance(store, queued.job)
    if reason is not None:
        with store.writing() as tx:
            intake.say_why(tx, queued.job, reason)
        store.feed.nudge()


def _hindrance(store: Store, job: str) -> str | None:
    row = intake.definition_of(store.reader, job)
    assert row is not None  # the job was queued a moment ago
    python = row["python"]
    if '"executor": "kernel"' in row["options"]:
        return kernel.waits_for(store.status(job)["name"])
    if not os.access(python, os.X_OK):
        return f"waits for a kernel: its interpreter {python} is gone"
    if store.status(job)["status"] != "queued":
        return None
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(LEFT_OUT)
    }
    try:
        wake_host(store, python, environ)
    except OSError as error:
        return f"waits for a kernel: the detached host could not be started ({error})"
    return None
