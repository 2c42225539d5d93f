"""The global names that a piece of byte code uses, read in microseconds."""

from __future__ import annotations

import dis
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

_LOAD_GLOBAL = dis.opmap["LOAD_GLOBAL"]
_LOAD_NAME = dis.opmap["LOAD_NAME"]
_STORE_GLOBAL = dis.opmap["STORE_GLOBAL"]
_STORE_NAME = dis.opmap["STORE_NAME"]
_EXTENDED = dis.EXTENDED_ARG
# What pandas reads of the caller's variables, and in which texts.
_READERS = frozenset({"query", "eval"})
_SAID = re.compile(r"@([^\W\d]\w*)")


@dataclass(frozen=True, slots=True)
class Names:
    """Global names in a code object and all code inside it.

    Attributes
    ----------
    said : frozenset of str
        Names in texts for ``DataFrame.query`` and ``eval``, such as ``"x > @limit"``.
    """

    loaded: tuple[str, ...]
    stored: frozenset[str]
    in_class_body_only: frozenset[str]
    said: frozenset[str]


@functools.lru_cache(maxsize=4096)
def names_in(code: CodeType) -> Names:
    """Read the global names that code uses, in the order of their use."""
    loaded: dict[str, None] = {}
    in_body: dict[str, None] = {}
    stored: set[str] = set()
    said: set[str] = set()
    for inner in _nested(code):
        own: set[str] = set()
        if not _READERS.isdisjoint(inner.co_names):
            texts = [one for one in inner.co_consts if isinstance(one, str)]
            said.update(_SAID.findall("\n".join(texts)))
        for op, name in _named_ops(inner):
            if op == _LOAD_GLOBAL:
                loaded[name] = None
            elif op == _LOAD_NAME:
                if name not in own:
                    in_body[name] = None
            elif op == _STORE_GLOBAL:
                stored.add(name)
            else:
                own.add(name)
    only = {name for name in in_body if name not in loaded}
    every = tuple(name for name in {**loaded, **in_body} if name not in _GIVEN)
    return Names(every, frozenset(stored), frozenset(only), frozenset(said))


@functools.lru_cache(maxsize=4096)
def attributes_in(code: CodeType) -> frozenset[str]:
    """Read the names that code may read as attributes, those inside it too."""
    return frozenset(name for inner in _nested(code) for name in inner.co_names)


_GIVEN = frozenset({"__name__", "__qualname__", "__module__", "__class__"})


@functools.lru_cache(maxsize=1024)
def names_in_text(text: str) -> tuple[str, ...]:
    """Read the names that an annotation written as text uses."""
    try:
        return compile(text, "<annotation>", "eval").co_names
    except (SyntaxError, ValueError):  # an annotation may be any text
        return ()


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _named_ops(code: CodeType) -> Iterator[tuple[int, str]]:
    # By hand: dis.get_instructions takes ten times as long, for each new function.
    raw, names, extended = code.co_code, code.co_names, 0
    for op, low in zip(raw[::2], raw[1::2], strict=True):
        arg = extended | low
        extended = arg << 8 if op == _EXTENDED else 0
        if op == _LOAD_GLOBAL:
            yield op, names[arg >> 1]  # the lowest bit asks for a NULL before it
        elif op == _LOAD_NAME or op in (_STORE_GLOBAL, _STORE_NAME):
            yield op, names[arg]
