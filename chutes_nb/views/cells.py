"""A value in a table as strict JSON, by what its column holds; its text and its rank.

What JSON has no number for travels as text in a column of numbers: an integer that a
page would round, ``NaN``, ``inf`` and ``-inf``. ``js/src/core/cells.ts`` reads it so.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
import re
import sys
from typing import Any

from ..wide import WIDEST
from .jsonable import preview
from .text import clean, int_text

CELL = 500  # characters of one cell
NUMBER, SPAN, TIME, BOOLEAN, TEXT = "number", "duration", "time", "boolean", "text"

_NUMBERS = (int, float, decimal.Decimal)
_MIDNIGHT = "T00:00:00"
_MOMENT = re.compile(r"(\d{4,}-\d\d-\d\d)T(\d\d:\d\d.*)", re.DOTALL)
_SPAN = re.compile(r"(-?\d+) days? \+?(\d\d):(\d\d):(\d\d(?:\.\d+)?)")


def cell(value: Any) -> Any:
    """Make JSON of a value; nothing is lost of a number."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str and len(value) <= CELL and value.isascii():
        return value
    if kind is int:
        return value if -WIDEST <= value <= WIDEST else int_text(value)
    if kind is float:
        return value if math.isfinite(value) else _word(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.number):
        simple = value.item()  # of a longdouble that is a longdouble again
        return cell(simple) if type(simple) in (int, float) else preview(value, CELL)
    if is_missing(value):
        return None
    if isinstance(value, datetime.timedelta):
        return _span(value)
    if _is_of_pandas(value) and not isinstance(value, datetime.date):
        return clean(str(value), CELL)
    return preview(value, CELL)


def kind_of(items: list[Any]) -> str:
    """Say what values are, from themselves: all of one kind, or text."""
    kinds = {type(item) for item in items if not is_missing(item)}
    if not kinds:
        return TEXT
    if all(kind is bool or kind.__name__ == "bool_" for kind in kinds):
        return BOOLEAN
    found = {_kind(kind) for kind in kinds}
    return found.pop() if len(found) == 1 else TEXT


def _kind(kind: type) -> str:
    numpy = sys.modules.get("numpy")
    is_number = issubclass(kind, _NUMBERS) and kind is not bool
    if is_number or (numpy is not None and issubclass(kind, numpy.number)):
        return NUMBER
    if issubclass(kind, datetime.timedelta):
        return SPAN
    return TIME if issubclass(kind, datetime.date) else TEXT


def is_missing(value: Any) -> bool:
    """Whether a value says that there is none: None, and pandas' NaT and NA."""
    return value is None or (
        type(value).__name__ in ("NaTType", "NAType") and _is_of_pandas(value)
    )


def _is_of_pandas(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "pandas"


def _word(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "inf" if value > 0 else "-inf"


def _span(value: datetime.timedelta) -> str:
    """As pandas prints one: ``0 days 01:00:00``."""
    if _is_of_pandas(value):
        return str(value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "+" if value.days < 0 else ""
    part = f".{value.microseconds:06d}" if value.microseconds else ""
    clock = f"{hours:02d}:{minutes:02d}:{seconds:02d}{part}"
    return f"{value.days} days {sign}{clock}"


def rank(made: Any, kind: str) -> tuple[int, Any] | None:
    """Give what a cell is sorted by in a column of a kind; None: it stands last."""
    if made is None or (made == "NaN" and kind == NUMBER):
        return None
    if isinstance(made, bool | int | float):
        return 0, made
    text = made if isinstance(made, str) else json.dumps(made)
    number = {NUMBER: _number, SPAN: _seconds}.get(kind)
    found = None if number is None else number(text)
    return (1, text) if found is None else (0, found)


def _number(text: str) -> int | float | decimal.Decimal | None:
    if text in ("inf", "-inf"):
        return float(text)
    try:
        found = decimal.Decimal(text)
    except decimal.InvalidOperation:
        return None
    return None if found.is_nan() else found if found.is_finite() else float(found)


def _seconds(text: str) -> decimal.Decimal | None:
    found = _SPAN.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = found.groups()
    whole = int(days) * 86_400 + int(hours) * 3_600 + int(minutes) * 60
    return whole + decimal.Decimal(seconds)


def answered(made: Any, kind: str) -> Any:
    """Give a cell to who reads JSON with numbers of any size; None for no number."""
    if kind != NUMBER or not isinstance(made, str):
        return made
    if re.fullmatch(r"-?\d{1,4000}", made):
        return int(made)
    return None if made in ("NaN", "inf", "-inf") else made


def holds(made: Any, needle: str) -> bool:
    """Whether a cell has a text, in small letters, as it travels or as it is shown."""
    text = made if isinstance(made, str) else json.dumps(made, ensure_ascii=False)
    if needle in text.casefold():
        return True
    return text[10:11] == "T" and needle in _moment(text).casefold()


def texts(column: list[Any], kind: str) -> list[str]:
    """Write the cells of a column below one another, as pandas would."""
    if kind == NUMBER:
        places = max((_places(made) for made in column), default=0)
        return [_figure(made, places) for made in column]
    if kind == TIME:
        filled = [made for made in column if made is not None]
        if all(isinstance(made, str) and made.endswith(_MIDNIGHT) for made in filled):
            return [_plain(made).removesuffix(_MIDNIGHT) for made in column]
        return [_moment(_plain(made)) for made in column]
    return [_plain(made) for made in column]


def _plain(made: Any) -> str:
    if made is None:
        return ""
    return made if isinstance(made, str) else str(made)


def _moment(text: str) -> str:
    found = _MOMENT.fullmatch(text)
    return " ".join(found.groups()) if found else text


MOST_PLACES = 6
# Beyond these a number is written with an exponent, unless its places say all of it.
TINY, VAST = 1e-4, 1e15


def _places(made: Any) -> int:
    """How many places behind the point a number needs, of those that are shown."""
    if type(made) is not float or not made or abs(made) >= VAST:
        return 0
    if abs(made) < TINY and float(f"{made:.{MOST_PLACES}f}") != made:
        return 0
    return len(f"{made:.{MOST_PLACES}f}".rstrip("0").partition(".")[2])


def _figure(made: Any, places: int) -> str:
    if type(made) not in (int, float):
        return _plain(made)
    size = abs(made)
    if size >= VAST and type(made) is float:
        return _short(f"{made:.{MOST_PLACES}e}")
    if 0 < size < TINY and float(f"{made:.{places}f}") != made:
        return _short(f"{made:.{MOST_PLACES}e}")
    return f"{made:.{places}f}"


def _short(text: str) -> str:
    """An exponent without the zeros that say nothing: ``1.5e-7``."""
    digits, _, power = text.partition("e")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits}e{int(power):+d}"
