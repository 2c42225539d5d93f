"""A Python value as bytes and back: strict JSON where that is exact, else a pickle."""

from __future__ import annotations

import io
import json
import pickle
from itertools import islice
from typing import Any, Literal, NamedTuple

from .by_value import Pickler
from .errors import ResultNotStorable
from .wording import with_article

Kind = Literal["json", "pickle"]

MAX_INTEGER = 2**53 - 1  # RFC 7493: above it JavaScript reads another number
MAX_DEPTH = 100  # far below where the C coder of json would run out of stack
MAX_REPEATED = 10_000  # items (or characters) that sharing may add to the text
LONG_TEXT = 4096  # characters from which on a string counts as shareable

_ATOMS = frozenset({str, int, float, bool, type(None)})
_JSON = json.JSONEncoder(
    allow_nan=False, ensure_ascii=False, separators=(",", ":"), check_circular=False
)
_READ_JSON = json.JSONDecoder().decode


class Encoded(NamedTuple):
    """A value on its way to the store.

    Attributes
    ----------
    kind : "json" or "pickle"
        How ``body`` is to be read.
    body : bytes
    type : str
        Name of the value's Python type, for people.
    exact : bool
        Whether JSON says all there is to say, so that any client may read it.
    """

    kind: Kind
    body: bytes
    type: str
    exact: bool


_NOTHING = Encoded("json", b"null", "NoneType", True)  # what most jobs return


def encode(value: object) -> Encoded:
    """Write a value so that ``decode`` gives an equal one of the same types.

    Parameters
    ----------
    value : object
        Anything. Identity of shared lists and dicts is kept by the pickle only.

    Raises
    ------
    ResultNotStorable
        If the value can be neither written as JSON nor pickled; names the part.
    """
    if value is None:
        return _NOTHING
    if _is_tree(value):
        try:
            body = _JSON.encode(value).encode()
        except (ValueError, RecursionError):  # NaN, infinity, a lone surrogate
            pass
        else:
            return Encoded("json", body, type(value).__name__, True)
    try:
        body = _pickled(value)
    except Exception as error:  # a user's __reduce__ may raise anything
        raise ResultNotStorable(_why_not(value, error)) from error
    return Encoded("pickle", body, type_name(value), False)


def decode(kind: str, body: bytes) -> Any:
    """Read what ``encode`` wrote; a pickle only ever from a store one owns.

    Raises
    ------
    ValueError
        If ``kind`` is neither "json" nor "pickle".
    """
    if kind == "json":
        return _READ_JSON(body.decode())
    if kind == "pickle":
        return pickle.loads(body)
    raise ValueError(f"a value of kind {kind!r} was met; 'json' or 'pickle' was wanted")


def is_plain(value: object) -> bool:
    """Tell whether JSON keeps every type in a value (NaN and infinity aside)."""
    return _is_tree(value)


def type_name(value: object) -> str:
    """Name the type of a value as its user knows it: ``pandas.DataFrame``."""
    kind = type(value)
    module = str(getattr(kind, "__module__", ""))
    if module in ("builtins", "__main__", ""):
        return kind.__qualname__
    # pandas.core.frame.DataFrame is known as pandas.DataFrame
    return f"{module.partition('.')[0]}.{kind.__qualname__}"


def safe_repr(value: object, most: int = 300) -> str:
    """Give the repr of anything, cut to ``most`` characters, without ever raising."""
    try:
        text = repr(value)
    except Exception:  # a hostile __repr__, or an integer too long for text
        return f"<{type_name(value)} without a repr>"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _pickled(value: object) -> bytes:
    # By value for what the notebook defined: the reader has no such __main__.
    with io.BytesIO() as body:
        Pickler(body, protocol=5).dump(value)
        return body.getvalue()


def _is_tree(value: object) -> bool:
    """Tell whether JSON keeps every type in a value, and the text stays in bounds."""
    kind = type(value)
    if kind in _ATOMS:
        return kind is not int or -MAX_INTEGER <= value <= MAX_INTEGER  # type: ignore[operator]
    if kind is not dict and kind is not list:
        return False
    return _Walk().fits(value, 0)


class _Walk:
    """One look over nested dicts and lists, bounded also for cycles."""

    __slots__ = ("repeated", "seen")

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.repeated = 0

    def fits(self, value: Any, depth: int) -> bool:
        if depth > MAX_DEPTH or not self.is_new_or_small(value):
            return False
        if type(value) is dict:
            if not (value.keys() and set(map(type, value)) - {str}):
                return self.all_fit(value.values(), depth)
            return False
        return self.all_fit(value, depth)

    def all_fit(self, items: Any, depth: int) -> bool:
        for item in items:
            kind = type(item)
            if kind is int:
                if not -MAX_INTEGER <= item <= MAX_INTEGER:
                    return False
            elif kind is str:
                if len(item) > LONG_TEXT and not self.is_new_or_small(item):
                    return False
            elif kind is dict or kind is list:
                if not self.fits(item, depth + 1):
                    return False
            elif kind not in _ATOMS:
                return False
        return True

    def is_new_or_small(self, value: Any) -> bool:
        # Without this, ten lists that hold each other twice make a text of 2**10.
        if id(value) in self.seen:
            self.repeated += len(value) + 1
            return self.repeated <= MAX_REPEATED
        self.seen.add(id(value))
        return True


def _why_not(value: object, error: Exception) -> str:
    path, part, cause = _culprit(value, error)
    where = f"its part {path} ({type_name(part)})" if path else "it"
    instead = INSTEAD.get(type(part).__name__, INSTEAD_OF_OTHERS)
    return (
        f"the value is {with_article(type_name(value))}, and {where} can be neither "
        f"written as JSON nor pickled: {_said(cause)}; {instead}. "
        f"It was {safe_repr(value)}"
    )


INSTEAD_OF_OTHERS = (
    "return what can be stored (numbers, text, arrays, frames) or save it to "
    "self.output_dir"
)
INSTEAD = {
    "generator": "a generator gives its items once, and only here: return list(...)",
    "async_generator": "return [item async for item in ...]",
    "coroutine": "nobody has awaited it: return await ...",
}


def _said(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # an exception whose __str__ raises
        return type(error).__name__


def _culprit(value: object, error: Exception) -> tuple[str, object, Exception]:
    """Follow the first part that fails, three levels down and 100 wide."""
    path = ""
    for _ in range(3):
        if type(value) is dict:
            parts = [(f"[{safe_repr(k)}]", v) for k, v in islice(value.items(), 100)]
        elif type(value) in (list, tuple):
            parts = [(f"[{n}]", v) for n, v in enumerate(islice(value, 100))]  # type: ignore[call-overload]
        else:
            break
        for step, part in parts:
            try:
                _pickled(part)
            except Exception as cause:
                path, value, error = path + step, part, cause
                break
        else:
            break
    return path, value, error
