"""Sizes in bytes: of a value, about; as people read them; as people write them."""

from __future__ import annotations

import math
import re
import sys
from itertools import islice
from numbers import Real
from typing import Any

SAMPLE = 20  # elements of a container that stand for all of them
MAX_DEPTH = 4
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
MOST_BYTES = (1 << 63) - 1


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


def read_size(option: str, value: Any, least: int = 0) -> int:
    """Read a size: bytes, or a text such as ``"2 GB"`` or ``"16 MiB"``.

    A thousand is 1024 in both ways of writing it.

    Raises
    ------
    ValueError
        If it is no size, or below ``least`` bytes.
    """
    size: int | None = None
    if isinstance(value, str) and (found := SIZE.fullmatch(value.strip())):
        number = int(found[1]) if found[1].isdigit() else float(found[1])
        size = int(number * UNITS[found[2].lower()])
    elif not isinstance(value, str):
        size = _whole(value)
    if size is None or not 0 <= size <= MOST_BYTES:
        raise ValueError(
            f"{option}={value!r} is no size; give bytes, or a text such as '500 MB' "
            "or '2 GiB'"
        )
    if size < least:
        raise ValueError(f"{option}={value!r} must be at least {least} bytes")
    return size


def _whole(value: Any) -> int | None:
    """Give a number as an int: 1e6 and numpy's too, but neither 1.5, NaN nor a bool."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    is_whole = math.isfinite(value) and value == math.floor(value)
    return int(float(value)) if is_whole else None


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
