"""What the outside sees of a job: frozen values without any I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from .states import State


class Facts(BaseModel):
    """A frozen value; each field is an attribute, and is had by its name as well."""

    model_config = ConfigDict(frozen=True)

    def __getitem__(self, name: str) -> Any:
        if name not in type(self).model_fields:
            raise KeyError(name)
        return getattr(self, name)


class Progress(Facts):
    """How far a job is.

    Attributes
    ----------
    done, total : float or None
        Count so far and count in all, in ``unit``; None where not known.
    fraction : float or None
        Share done, 0 to 1.
    message, unit : str or None
    rate : float or None
        ``unit`` a second, over the last moments.
    eta_s : float or None
        Seconds left, as of ``at``.
    at : float or None
        When it was told, in seconds since 1970.
    """

    done: float | None = None
    total: float | None = None
    fraction: float | None = None
    message: str | None = None
    unit: str | None = None
    rate: float | None = None
    eta_s: float | None = None
    at: float | None = None

    def as_of(self, now: float) -> Progress:
        """Return this progress with the time left counted down to a moment.

        Once it has run out it is 0 where a fraction is known, and nothing is told
        where only earlier runs had told it.
        """
        if self.eta_s is None or self.at is None:
            return self
        left = self.eta_s - max(0.0, now - self.at)
        if left <= 0 and self.fraction is None:
            return self.model_copy(update={"eta_s": None, "at": now})
        return self.model_copy(update={"eta_s": max(left, 0.0), "at": now})


class ErrorInfo(Facts):
    """What a job died of, as text.

    Attributes
    ----------
    type, message, traceback : str
    function : str or None
        The user's function that raised.
    line : int or None
        Its line, counted from the top of the cell.
    cell : int or None
        The cell's execution count.
    file : str or None
        Name of the file that the line is in, where that is no cell.
    source : list of (int, str)
        The lines around the failing one, each with its number.
    """

    type: str
    message: str
    traceback: str = ""
    function: str | None = None
    line: int | None = None
    cell: int | None = None
    file: str | None = None
    source: list[tuple[int, str]] = []

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and text in f"{self}\n{self.traceback}"

    def __str__(self) -> str:
        return f"{self.type}: {self.message}".removesuffix(": ")


class StatusInfo(Facts):
    """One job as it stands, as ``get_job_status`` and the HTTP API give it.

    Three readings of the state work: ``info == "completed"``, ``info.status``
    and ``info["status"]``. All times are seconds since 1970 (UTC).

    Attributes
    ----------
    job_id, name, chute : str
    status : State
    attempt, max_attempts : int
        Attempts begun so far (0 while queued), and the most there can be.
    queue_position : int or None
        1 for the job that runs next; None unless queued.
    timeout_s : float or None
        Seconds an attempt may take.
    reported_failure : bool
        The job completed but returned ``{"success": False, ...}``.
    quiet_since : float or None
        Set while the job runs and is silent for far longer than is usual for it.
    log_end : int
        Bytes of the newest attempt's log in the store.
    rev : int
        The store's revision at which this row last changed.
    """

    job_id: str
    name: str
    chute: str
    status: State
    attempt: int = 0
    max_attempts: int = 1
    progress: Progress | None = None
    stage: str | None = None
    submitted_at: float
    started_at: float | None = None
    finished_at: float | None = None
    next_attempt_at: float | None = None
    queue_position: int | None = None
    error: ErrorInfo | None = None
    reason: str | None = None
    timeout_s: float | None = None
    deadline_at: float | None = None
    executor: str = "process"
    priority: int = 0
    tags: list[str] = []
    notebook: str | None = None
    cell: int | None = None
    retry_of: str | None = None
    cancel_requested: bool = False
    reported_failure: bool = False
    quiet_since: float | None = None
    log_end: int = 0
    rev: int = 0

    def as_of(self, now: float) -> StatusInfo:
        """Return this status with the time left counted down to a moment."""
        if self.progress is None or self.status is not State.RUNNING:
            return self
        return self.model_copy(update={"progress": self.progress.as_of(now)})

    # Who reads info["status"] asks the rest of a dict as well; a model's own answer
    # to `"error" in info` is False whatever it holds.
    def __contains__(self, name: object) -> bool:
        return name in type(self).model_fields

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field as a dict would; ``default`` where there is none."""
        return getattr(self, name) if name in self else default

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.status.value == other
        return super().__eq__(other)

    def __hash__(self) -> int:
        # As the word's, so that info in {"completed", "failed"} is as info == word.
        return hash(self.status.value)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show what is known: a field at its default says nothing."""
        fields = type(self).model_fields
        for name, value in super().__repr_args__():
            if name is None or value != fields[name].get_default():
                yield name, value.value if isinstance(value, State) else value

    def __str__(self) -> str:
        return self.status.value
