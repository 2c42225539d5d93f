"""Text that is always text: a repr that cannot raise, without lone surrogates."""

from __future__ import annotations

import reprlib
from itertools import islice
from typing import Any

REPR_LIMIT = 20_000  # characters
# Python refuses to print longer ints, and takes seconds where it does not.
INT_LIMIT_BITS = 4_000
_PLAIN = (dict, list, tuple, set, frozenset, str, bytes, int)


class _Short(reprlib.Repr):
    """Cuts long containers before they are printed whole."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 8
        self.maxdict = self.maxlist = self.maxtuple = 200
        self.maxset = self.maxfrozenset = self.maxdeque = self.maxarray = 200
        self.maxstring = self.maxlong = self.maxother = REPR_LIMIT

    def repr_int(self, x: int, level: int) -> str:
        return int_text(x)

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        # reprlib's own sorts the keys.
        if x and level <= 0:
            return "{...}"
        told = [
            f"{self.repr1(key, level - 1)}: {self.repr1(value, level - 1)}"
            for key, value in islice(x.items(), self.maxdict)
        ]
        return f"{{{', '.join([*told, '...'] if len(x) > self.maxdict else told)}}}"

    def repr_str(self, x: str, level: int) -> str:
        return repr(x if len(x) <= REPR_LIMIT else x[:REPR_LIMIT] + "…")

    def repr_bytes(self, x: bytes, level: int) -> str:
        if len(x) <= 200:
            return repr(x)
        return f"{x[:200]!r}… ({len(x):,} bytes)"

    def repr_instance(self, x: Any, level: int) -> str:
        return own_repr(x)


def safe_repr(value: Any, limit: int = REPR_LIMIT) -> str:
    """Give a repr of at most ``limit`` characters; never raises.

    Parameters
    ----------
    value : object
        May have a ``__repr__`` that raises, or returns no string.
    limit : int
        Characters; what is longer is cut and marked with ``…``.
    """
    try:
        is_plain = type(value) in _PLAIN
        text = _Short().repr(value) if is_plain else own_repr(value)
    except Exception as error:
        text = unrepresentable(value, error)
    return clean(text, limit)


def own_repr(value: Any) -> str:
    """Call an object's own repr; what goes wrong in it becomes the text."""
    try:
        return str(repr(value))
    except Exception as error:
        return unrepresentable(value, error)


def unrepresentable(value: Any, error: BaseException) -> str:
    """Say what the object is, and why it cannot be printed."""
    return f"<{type_name(value)}: its repr raised {type(error).__name__}>"


def type_name(value: Any) -> str:
    """Give the qualified name of a value's type, without ``builtins.``."""
    kind = type(value)
    module = getattr(kind, "__module__", "builtins")
    name = getattr(kind, "__qualname__", "object")
    return str(name) if module == "builtins" else f"{module}.{name}"


def int_text(number: int) -> str:
    """Print an int; a huge one by its size."""
    bits = int(number).bit_length()
    if bits <= INT_LIMIT_BITS:
        return int.__repr__(number)
    return f"<int of about {int(bits * 0.30103) + 1:,} digits>"


def clean(text: str, limit: int | None = None) -> str:
    """Cut to ``limit`` characters and replace what UTF-8 cannot carry."""
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode("utf-8")
    return str(text)
