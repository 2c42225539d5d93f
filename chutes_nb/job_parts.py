"""Parts of a job that are values of their own: its attempts."""

from __future__ import annotations

from typing import Any

from .model import ErrorInfo


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
