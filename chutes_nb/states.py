"""The states of a job and the moves between them (standard library only)."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job is in its life; compares equal to the plain word."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_ended(self) -> bool:
        """Whether the job can never move again."""
        return self in ENDED


ENDED = frozenset(
    {
        State.COMPLETED,
        State.FAILED,
        State.TIMEOUT,
        State.CANCELLED,
        State.INTERRUPTED,
    }
)
ACTIVE = frozenset(State) - ENDED

# The one table of allowed moves; the store copies it into the database, where
# a trigger refuses every other move.
ALLOWED: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED, State.TIMEOUT}),
    State.RUNNING: ENDED | {State.RETRYING},
    State.RETRYING: frozenset({State.RUNNING, State.CANCELLED, State.TIMEOUT}),
    **{state: frozenset() for state in ENDED},
}
# The exceptions that tell a bad end, by their names in ``errors``.
TOLD_BY = {
    State.FAILED: "JobFailed",
    State.TIMEOUT: "JobTimeout",
    State.CANCELLED: "JobCancelled",
    State.INTERRUPTED: "JobInterrupted",
}
