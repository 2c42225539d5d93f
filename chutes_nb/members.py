"""What a subclass of ``Chute`` gives its jobs: methods and constants of its class."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import FunctionType
from typing import Any

OWN = "__chutes_token__"  # the class that has it is Chute itself


def members_of(kind: type) -> dict[str, Any]:
    """Return what the classes below ``Chute`` define, as the class has it.

    Names with two underscores are left out: they make the chute, which is not made
    again where a job runs.
    """
    found: dict[str, Any] = {}
    for one in kind.__mro__:
        if OWN in vars(one):
            break
        for name, value in vars(one).items():
            if not name.startswith("__"):
                found.setdefault(name, value)
    return found


def bound(kind: type, name: str, owner: object) -> Any:
    """Read what a class defines as an attribute of another object (``__get__``)."""
    found = members_of(kind)[name]
    get = getattr(type(found), "__get__", None)
    return found if get is None else get(found, owner, kind)


def functions_in(member: Any) -> Iterator[FunctionType]:
    """Give the functions that a member of a class is made of."""
    if isinstance(member, staticmethod | classmethod):
        member = member.__func__
    elif isinstance(member, functools.cached_property):
        member = member.func
    parts: tuple[Any, ...] = (member,)
    if isinstance(member, property):
        parts = (member.fget, member.fset, member.fdel)
    for part in parts:
        if isinstance(part, FunctionType):
            yield part
