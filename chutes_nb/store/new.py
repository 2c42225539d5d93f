"""What is to be written of a definition, a job and a result, before it has a row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

SHORT_BYTES = 4096  # of a result that is handed on beside the store


@dataclass(frozen=True, slots=True)
class NewDefinition:
    """A job function as it is kept; equal code has an equal ``key``."""

    key: str
    chute: str
    name: str
    code: bytes
    setup: bytes
    source: str
    first_line: int
    sources: str
    schema: str
    options: str
    python: str
    created_at: float


@dataclass(slots=True)  # a frozen one takes three times as long to be made
class NewJob:
    """A job to be queued. Times are seconds since 1970, spans are seconds.

    One that ``waits`` takes the result of the job ``after`` as its payload.
    """

    id: str
    chute: str
    name: str
    definition: str
    max_attempts: int
    grace_s: float
    input_kind: str
    input: bytes
    inputs: str
    submitted_at: float
    executor: str | None = None
    priority: int = 0
    timeout_s: float | None = None
    deadline_at: float | None = None
    policy: str = "{}"
    lane: str = "process"
    concurrency: int | None = None
    resources: str | None = None
    fresh: bool = False
    reuse_key: str | None = None
    retry_of: str | None = None
    notebook: str | None = None
    cell: int | None = None
    tags: str = "[]"
    after: str | None = None
    waits: bool = False


@dataclass(slots=True)
class NewResult:
    """What a completed attempt returned: ``body``, or the hash of a large blob."""

    kind: str
    body: bytes | None
    type: str
    view: str | None = None
    blob: str | None = None
    reported_failure: bool = False
    sha256: str = field(default="")

    @property
    def is_short(self) -> bool:
        """Whether it can be held in memory for who waits, however many there are."""
        return self.body is not None and len(self.body) <= SHORT_BYTES

    def digest(self) -> str:
        """SHA-256 of the encoded value."""
        if self.body is None:
            return self.blob or ""
        return hashlib.sha256(self.body).hexdigest()
