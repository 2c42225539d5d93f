"""The bodies that every peer runs; importable in its workers."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def noop() -> None:
    """Do nothing."""


def first_line() -> float:
    """Tell when the body began."""
    return time.perf_counter()


def environ(**more: str) -> dict[str, str]:
    """Surroundings in which a worker process can import this module."""
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path, **more}
