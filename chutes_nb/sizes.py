"""About how many bytes a value holds, told in microseconds."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Any

SAMPLE = 20  # elements of a container that stand for all of them
MAX_DEPTH = 4


def approximate_size(value: Any, depth: int = 0) -> int:
    """Estimate the bytes a value holds; exact for arrays, frames, bytes and text."""
    kind = type(value)
    if kind is str or kind is bytes or kind is bytearray:
        return len(value)
    try:
        return _size(value, depth)
    except Exception:  # a hostile __sizeof__, __len__ or property
        return 0


def shown_size(size_bytes: int) -> str:
    """Write a size for people, in decimal units: ``500 MB``."""
    size, unit = float(size_bytes), "B"
    for bigger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, bigger
    return f"{size:.3g} {unit}"


def _size(value: Any, depth: int) -> int:
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    usage = getattr(value, "memory_usage", None)
    if callable(usage):
        used = usage()
        return int(used if isinstance(used, int) else used.sum())
    own = sys.getsizeof(value)
    if depth >= MAX_DEPTH:
        return own
    if isinstance(value, dict):
        pairs = [part for pair in islice(value.items(), SAMPLE) for part in pair]
        return own + _extrapolated(pairs, 2 * len(value), depth)
    if isinstance(value, list | tuple | set | frozenset):
        return own + _extrapolated(list(islice(value, SAMPLE)), len(value), depth)
    inner = getattr(value, "__dict__", None)
    if isinstance(inner, dict) and not isinstance(value, type):
        return own + sum(approximate_size(v, depth + 1) for v in list(inner.values()))
    return own


def _extrapolated(sample: list[Any], count: int, depth: int) -> int:
    if not sample:
        return 0
    return (
        sum(approximate_size(one, depth + 1) for one in sample) * count // len(sample)
    )
