"""Parts of a job: its attempts and its live state."""

from __future__ import annotations

from typing import Any

from .model import ErrorInfo
from .store import Store, runs
from .worker.tellings import thaw_state


class AttemptInfo:
    """One attempt of a job: number, times (seconds since 1970), status, cause."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.number: int = facts["number"]
        self.started_at: float = facts["started_at"]
        self.finished_at: float | None = facts["finished_at"]
        self.status: str = facts["status"]
        self.reason: str | None = facts["reason"]
        error = facts["error"]
        self.error: ErrorInfo | None = None if error is None else ErrorInfo(**error)

    def __repr__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"<attempt {self.number}, {self.status}{why}>"


def live_state(store: Store, job: str) -> dict[str, Any]:
    """Return what a run has set on its ``self``, at most a moment old."""
    while (row := runs.run_state(store.reader, job)) is not None:
        exact = row["exact"]
        try:
            if row["file"] is not None:
                exact = store.large.read(row["file"])
        except FileNotFoundError:
            newer = runs.run_state(store.reader, job)
            if newer is not None and newer["file"] != row["file"]:
                continue  # it was replaced between the two looks
        return thaw_state(row["body"], exact)
    return {}
