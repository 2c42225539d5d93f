"""Progress and metrics out of the plain text that a job prints (pure, no I/O)."""

from __future__ import annotations

from .curves import Thinner
from .doubled import Doubled, Point
from .pace import Pace
from .reader import LenientReader, Reader
from .silence import Silence
from .values import Metric, ProgressRead, Reading

__all__ = [
    "Doubled",
    "LenientReader",
    "Metric",
    "Pace",
    "Point",
    "ProgressRead",
    "Reader",
    "Reading",
    "Silence",
    "Thinner",
]
