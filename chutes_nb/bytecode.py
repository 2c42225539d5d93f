"""The global names that a piece of byte code uses, read in microseconds."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from opcode import EXTENDED_ARG, opmap
from types import CodeType
from typing import Any

_LOAD_CONST = opmap["LOAD_CONST"]
_LOAD_GLOBAL = opmap["LOAD_GLOBAL"]
_LOAD_NAME = opmap["LOAD_NAME"]
_STORE_GLOBAL = opmap["STORE_GLOBAL"]
_STORE_NAME = opmap["STORE_NAME"]
# Since 3.12, in a class's body: of bounds of type parameters and values of "type".
_LOAD_FROM_CLASS = opmap.get("LOAD_FROM_DICT_OR_GLOBALS")
_NAMED = frozenset({_LOAD_NAME, _STORE_GLOBAL, _STORE_NAME, _LOAD_FROM_CLASS})
# What pandas reads of the caller's variables, and in which texts.
_READERS = frozenset({"query", "eval"})
_SAID = re.compile(r"@([^\W\d]\w*)")
# The tables that duckdb looks for there.
_SQL_READERS = frozenset({"sql", "duckdb"})
_TABLE = re.compile(r"\b(?:from|join)\s+([^\W\d]\w*)", re.IGNORECASE)
# What a formula of statsmodels calls: "y ~ np.log(x) + scaled(z)".
_FORMULA = re.compile(r"~(?!/)")
_QUOTED = re.compile(r"(['\"`]).*?\1")  # columns, whose names may be of several words
# "takes ~5 min": no formula has words side by side.
_PROSE = re.compile(r"\w\s+[^\W\d]")
_CALLED = re.compile(r"(?<![\w.])([^\W\d]\w*)\s*[.(]")


@dataclass(frozen=True, slots=True)
class Names:
    """Global names in a code object and all code inside it.

    Attributes
    ----------
    said : frozenset of str
        Names in texts for ``DataFrame.query`` and ``eval``, such as ``"x > @limit"``.
    tables : frozenset of str
        Names in texts of SQL that may be variables of the caller.
    called : frozenset of str
        Names in formulas of what is called there.
    """

    loaded: tuple[str, ...]
    stored: frozenset[str]
    in_class_body_only: frozenset[str]
    said: frozenset[str]
    tables: frozenset[str]
    called: frozenset[str]


@functools.lru_cache(maxsize=4096)
def names_in(code: CodeType) -> Names:
    """Read the global names that code uses, in the order of their use."""
    loaded: dict[str, None] = {}
    in_body: dict[str, None] = {}
    stored: set[str] = set()
    said, tables, called = _names_in_texts(code)
    of_bodies: set[str] = set()  # a body comes before the code that reads of it
    for inner in _nested(code):
        own: set[str] = set()
        for op, name in _named_ops(inner):
            if op == _LOAD_GLOBAL:
                loaded[name] = None
            elif op == _LOAD_NAME:
                if name not in own:
                    in_body[name] = None
            elif op == _LOAD_FROM_CLASS:
                if name not in of_bodies:
                    in_body[name] = None
            elif op == _STORE_GLOBAL:
                stored.add(name)
            else:
                own.add(name)
                of_bodies.add(name)
    only = {name for name in in_body if name not in loaded}
    every = tuple(name for name in {**loaded, **in_body} if name not in _GIVEN)
    return Names(
        every,
        frozenset(stored),
        frozenset(only),
        *map(frozenset, (said, tables, called)),
    )


def _names_in_texts(code: CodeType) -> tuple[set[str], set[str], set[str]]:
    """Read the names that texts say of variables, tables and what is called."""
    said: set[str] = set()
    tables: set[str] = set()
    called: set[str] = set()
    is_sql = not _SQL_READERS.isdisjoint(attributes_in(code))
    for inner in _nested(code):
        for text in (one for one in inner.co_consts if isinstance(one, str)):
            if not _READERS.isdisjoint(inner.co_names):
                said.update(_SAID.findall(text))
            if is_sql:
                tables.update(_TABLE.findall(text))
            if _is_formula(text):
                called.update(_CALLED.findall(text))
        tables.difference_update(inner.co_varnames, inner.co_cellvars)
    return said, tables, called


def _is_formula(text: str) -> bool:
    bare = _QUOTED.sub("", text) if "~" in text else ""
    return bool(_FORMULA.search(bare)) and not _PROSE.search(bare)


@functools.lru_cache(maxsize=4096)
def attributes_in(code: CodeType) -> frozenset[str]:
    """Read the names that code may read as attributes, those inside it too."""
    return frozenset(name for inner in _nested(code) for name in inner.co_names)


_GIVEN = frozenset(
    {"__name__", "__qualname__", "__module__", "__class__", "__annotations__"}
)


def constants_in(code: CodeType) -> tuple[Any, ...]:
    """Give the constants of code, without the line where the body of a class begins.

    Since Python 3.13 such a body notes it, and is no other one for that.
    """
    if "__firstlineno__" not in code.co_names:
        return code.co_consts
    loaded = [arg for op, arg in _ops(code) if op == _LOAD_CONST]
    return tuple(
        None if one == code.co_firstlineno and loaded.count(index) == 1 else one
        for index, one in enumerate(code.co_consts)
    )


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
    names = code.co_names
    for op, arg in _ops(code):
        if op == _LOAD_GLOBAL:
            yield op, names[arg >> 1]  # the lowest bit asks for a NULL before it
        elif op in _NAMED:
            yield op, names[arg]


def _ops(code: CodeType) -> Iterator[tuple[int, int]]:
    # By hand: dis.get_instructions takes ten times as long, for each new function.
    raw, extended = code.co_code, 0
    for op, low in zip(raw[::2], raw[1::2], strict=True):
        arg = extended | low
        extended = arg << 8 if op == EXTENDED_ARG else 0
        yield op, arg
