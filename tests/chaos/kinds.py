"""What kinds of jobs a storm submits, and which ends each of them may have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RETRY = {"retry_delay": 0.05, "retry_backoff": 1.0, "grace": 0.4}
# Whatever is killed from outside ends so, and anybody may cancel anything.
ALWAYS_POSSIBLE = frozenset({"cancelled", "interrupted"})


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    Attributes
    ----------
    ends : frozenset of str
        Ends it may have beside ``cancelled`` and ``interrupted``.
    share : int
        How often it is submitted, beside the others.
    """

    ends: frozenset[str]
    share: int = 4
    options: Mapping[str, Any] = field(default_factory=dict)


def kind(ends: str, share: int = 4, **options: Any) -> Kind:
    return Kind(frozenset(ends.split()), share, RETRY | options)


KINDS = {
    "quick": kind("completed", 14),
    "ticks": kind("completed", 8, retry=2),
    "once": kind("completed failed", 6, retry=2),
    "always": kind("failed", 3, retry=1),
    "later": kind("completed failed", 1, retry=1, retry_delay=5.0),
    "urgent": kind("completed", 3, priority=5, retry=1),
    "prints": kind("completed", 6, retry=1),
    "printed_error": kind("failed", 3),
    "saves": kind("completed", 4, retry=3),
    "keeps_file": kind("completed failed", 3, retry=1),
    "big": kind("completed failed", 2, retry=1),
    "hangs": kind("timeout", 3, timeout=0.5),
    "stubborn": kind("timeout", 1, timeout=0.4, retry=1, retry_on_timeout=True),
    "parent": kind("completed", 2, retry=1),
    "hung_parent": kind("timeout", 2, timeout=0.5),
    "crashes": kind("failed", 2, retry=1),
    "forever": kind("", 1),
    "late": kind("completed timeout", 3, deadline=0.8, retry=1),
    "slow_hang": kind("timeout", 0, timeout=4.0),
    "slow_once": kind("completed failed", 0, retry=1),
    "leads": kind("completed failed", 4, retry=1),
    "follows": kind("completed failed", 0, retry=1),
    "tells": kind("completed", 3, retry=2),
    "lonely": kind("completed", 3, concurrency=1, retry=1),
    "holds_token": kind("completed", 3, resources={"gpu": 1}, retry=1),
}
ALONE = ("lonely", "holds_token")  # never two of the kind at once


def expected(name: str, n: int) -> Any:
    """What a completed job of this kind has returned, as JSON has it."""
    if name == "leads":
        return {"n": n}
    return {"kind": name, "n": n, "double": 2 * n}


def big_value(n: int) -> bytes:
    """A result that is too large for a row."""
    return hashlib.sha256(str(n).encode()).digest() * 40_000


UPLOAD_BYTES = 1 << 18


def uploaded(uid: str) -> bytes:
    """Content of an upload."""
    return hashlib.sha256(uid.encode()).digest() * (UPLOAD_BYTES // 32)


def line(job: str, attempt: int, k: int) -> str:
    """The k-th line that an attempt prints."""
    return f"{job} {attempt} line {k} {'x' * (k % 60)}\n"
