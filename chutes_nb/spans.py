"""Spans of time as people write them, in seconds."""

from __future__ import annotations

import contextlib
import math
import re
import reprlib
from datetime import timedelta
from numbers import Real
from typing import Any

from .errors import DefinitionError

Span = float | int | timedelta | str

SPAN = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?"
    r"(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?"
)
SPAN_S = (86_400.0, 3_600.0, 60.0, 1.0)
MOST_SPAN_S = 100 * 365 * 86_400.0  # the system's timers end at 292 years


def seconds(option: str, value: Span) -> float:
    """Read a span: seconds, a timedelta, or a text such as ``"1h30m"``.

    Raises
    ------
    DefinitionError
    """
    number: float | None = None
    given: Any = value
    if isinstance(given, timedelta):
        number = given.total_seconds()
    elif not isinstance(given, bool) and isinstance(given, Real):
        with contextlib.suppress(OverflowError):  # an int that no float can be
            number = float(given)
    elif isinstance(given, str) and given.strip():
        text = given.strip().replace(" ", "").lower()
        found = SPAN.fullmatch(text)
        if found:
            parts = zip(found.groups(), SPAN_S, strict=True)
            number = sum(float(part) * unit for part, unit in parts if part)
        elif re.fullmatch(r"\d+(\.\d+)?", text):
            number = float(text)
    if number is None or not math.isfinite(number) or abs(number) > MOST_SPAN_S:
        raise DefinitionError(
            f"{option}={reprlib.repr(value)} is no span of time up to 100 years; give "
            'seconds (90), a timedelta, or a text such as "2h", "90m", "45s", "1h30m"'
        )
    return number


def waiting_s(value: Span | None) -> float | None:
    """Read how long to wait: a span, or None or infinity for as long as it takes.

    Raises
    ------
    DefinitionError
    """
    if value is None or value == math.inf:
        return None
    return seconds("timeout", value)


def not_negative(option: str, value: Any) -> float:
    """Read a span that may be 0; see :func:`seconds`.

    Raises
    ------
    DefinitionError
    """
    number = seconds(option, value)
    if number < 0:
        raise DefinitionError(f"{option}={value!r} must not be below 0")
    return number
