"""What a result names: the texts in it that may be paths of files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LOOKED_AT = 10_000  # values of a result that are looked at
LONGEST_PATH = 4096
_DEEPEST = 8


def texts_in(result: Any) -> Iterator[str]:
    """Give the strings and paths in a result that could name a file."""
    stack: list[tuple[Any, int]] = [(result, 0)]
    looked = 0
    while stack and looked < LOOKED_AT:
        value, depth = stack.pop()
        looked += 1
        if isinstance(value, Path):
            yield str(value)
        elif isinstance(value, str):
            if 0 < len(value) < LONGEST_PATH and "\0" not in value:
                yield value
        elif depth < _DEEPEST:
            stack.extend((part, depth + 1) for part in reversed(_parts(value)))


def _parts(value: Any) -> list[Any]:
    """Give what a container, a record or a model holds."""
    if value is None or isinstance(value, bool | int | float):
        return []  # most results: what follows takes longer than many a body
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, type):
        return []
    if dataclasses.is_dataclass(value):
        return [getattr(value, one.name, None) for one in dataclasses.fields(value)]
    fields = getattr(type(value), "model_fields", None)  # of pydantic
    if not isinstance(fields, Mapping):
        return []
    return [getattr(value, name, None) for name in fields]
