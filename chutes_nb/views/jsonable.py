"""Any value → strict JSON for looking at: capped in depth, length and size."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import pathlib
import sys
import uuid
from collections.abc import Mapping
from typing import Any

from ..wide import WIDEST
from .text import INT_LIMIT_BITS, clean, int_text, safe_repr

# What was left out is said in place: {"…": "990 more"} ends a dict or a list.
MORE_KEY = "…"
DEPTH = 12
ITEMS = 1_000
TEXT = 20_000  # characters of one string
BUDGET = 200_000  # characters of the whole, about
_TIMES = (datetime.date, datetime.time)
_BY_STR = (pathlib.PurePath, decimal.Decimal, uuid.UUID)
SAID_AS_TEXT = (*_TIMES, *_BY_STR)  # in a text that says all of them but their type


def preview(value: Any, budget: int = BUDGET, *, is_read_back: bool = False) -> Any:
    """Make a JSON preview of any value; never raises.

    Parameters
    ----------
    value : object
        Dataclasses and pydantic models become dicts; numpy scalars become
        numbers; NaN and infinities become None; anything else its safe repr.
    budget : int
        Characters that the preview may have as JSON, about.
    is_read_back : bool
        Whether Python reads it again: integers stay integers. A page could not tell
        those beyond 2**53 apart, and gets them as text.

    Returns
    -------
    object
        Made of dict, list, str, int, float, bool, None. A dict or list that
        was cut ends with ``"…"`` resp. ``{"…": "990 more"}``.
    """
    return _Previewer(budget, is_read_back=is_read_back).take(value, 0)


class _Previewer:
    """One walk over one value."""

    def __init__(self, budget: int, *, is_read_back: bool) -> None:
        self._left = budget
        self._widest_bits = INT_LIMIT_BITS if is_read_back else WIDEST.bit_length()
        self._open: set[int] = set()

    def take(self, value: Any, depth: int) -> Any:
        try:
            return self._take(value, depth)
        except RecursionError:
            return MORE_KEY
        except Exception:
            return self._text(safe_repr(value, 500))

    def _take(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            self._left -= 5
            return value
        if isinstance(value, enum.Enum):
            return self.take(value.value, depth)
        if isinstance(value, int):
            return self._int(value)
        if isinstance(value, float):
            self._left -= 20
            return float(value) if math.isfinite(value) else None
        if isinstance(value, str):
            return self._text(value)
        return self._take_object(value, depth)

    def _take_object(self, value: Any, depth: int) -> Any:
        plain = _plain(value)
        if plain is not value:
            return self.take(plain, depth)
        is_tree = isinstance(value, (Mapping, list, tuple, set, frozenset))
        if not is_tree:
            return self._text(safe_repr(value, 2_000))
        if id(value) in self._open:
            return "<itself again>"
        if depth >= DEPTH:
            return self._text(safe_repr(value, 200))
        self._open.add(id(value))
        try:
            if isinstance(value, Mapping):
                return self._dict(value, depth)
            return self._list(value, depth)
        finally:
            self._open.discard(id(value))

    def _int(self, value: int) -> int | str:
        if int(value).bit_length() <= self._widest_bits:
            self._left -= 10
            return int(value)
        text = int_text(value)
        self._left -= len(text) + 2
        return text

    def _dict(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for count, (key, item) in enumerate(value.items()):
            if count >= ITEMS or self._left <= 0:
                made[MORE_KEY] = f"{len(value) - count:,} more"
                break
            name = key if isinstance(key, str) else safe_repr(key, 200)
            made[self._text(name)] = self.take(item, depth + 1)
        return made

    def _list(self, value: Any, depth: int) -> list[Any]:
        made: list[Any] = []
        for count, item in enumerate(value):
            if count >= ITEMS or self._left <= 0:
                made.append({MORE_KEY: f"{len(value) - count:,} more"})
                break
            made.append(self.take(item, depth + 1))
        return made

    def _text(self, text: str) -> str:
        made = clean(text, min(TEXT, max(self._left, 40)))
        self._left -= len(made) + 4
        return made


def _plain(value: Any) -> Any:
    """Give the simpler value that stands for this one, or the value itself."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: getattr(value, name, None) for name in names}
    if isinstance(value, _TIMES):
        return value.isoformat()
    if isinstance(value, _BY_STR):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value):,} bytes>"
    fields = getattr(type(value), "model_fields", None)
    if isinstance(fields, Mapping) and "pydantic" in sys.modules:
        return {name: getattr(value, name, None) for name in fields}
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        # A longdouble's item() is a longdouble again.
        simple = value.item()
        return value if type(simple) is type(value) else simple
    torch = sys.modules.get("torch")
    tensor: Any = getattr(torch, "Tensor", None)
    if tensor is not None and isinstance(value, tensor):
        return value.tolist() if value.numel() <= ITEMS else value
    if numpy is not None and isinstance(value, numpy.ndarray) and value.size <= ITEMS:
        return value.tolist() if value.ndim else value.item()
    return value
