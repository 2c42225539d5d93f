"""Parts of a job: its attempts and its live state."""

from __future__ import annotations

from typing import Any

from .model import ErrorInfo, Facts
from .store import Store, runs
from .worker.tellings import thaw_state


class AttemptInfo(Facts):
    """One attempt of a job.

    Attributes
    ----------
    number : int
    started_at, finished_at : float or None
        Seconds since 1970.
    status : str
    error : ErrorInfo or None
        What it died of.
    reason : str or None
        Why it ended as it did, in one line.
    """

    number: int
    started_at: float
    finished_at: float | None
    status: str
    error: ErrorInfo | None
    reason: str | None

    def __repr__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"<attempt {self.number}, {self.status}{why}>"

    def __str__(self) -> str:
        return repr(self)


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
