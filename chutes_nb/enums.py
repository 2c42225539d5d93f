"""Enums of a notebook as they are: cloudpickle keeps a value for each member alone.

Lost are aliases, what ``__init__`` and ``__new__`` have given the members, and what a
member is of the type that the enum is mixed with where ``__new__`` has chosen that.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any

Make = Callable[..., type[enum.Enum]]
Fill = Callable[[type[enum.Enum], tuple[Any, Any]], object]

_CREATOR = "__new_member__"  # where an enum keeps the ``__new__`` that its user wrote
_MEMBERS = 3  # where cloudpickle gives what an enum is made with
_OF_ENUM = {"_value_", "_name_", "_sort_order_", "__objclass__"}
# How a mixed type says what it is without the member's own methods.
_BARE: dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    str: str.__str__,
    float: float.__float__,
    bytes: lambda one: bytes(memoryview(one)),
}


def whole(kind: type[enum.Enum], reduced: Any) -> Any:
    """Complete what cloudpickle says of an enum that travels with its code.

    Parameters
    ----------
    reduced : tuple or str
        As :meth:`object.__reduce__` gives it; a name stays one.
    """
    if not isinstance(reduced, tuple) or len(reduced) < 6:
        return reduced
    make, given, (of_class, of_slots), *rest, fill = reduced
    members = kind.__members__
    values = {name: one._value_ for name, one in members.items()}
    given = *given[:_MEMBERS], values, *given[_MEMBERS + 1 :]
    raws = None
    if _CREATOR in vars(kind):
        bare = _BARE.get(kind._member_type_)  # type: ignore[attr-defined]
        raws = [bare(one) if bare else None for one in members.values()]
    facts = {one.name: _own(one) for one in kind}
    of_class = {name: of for name, of in of_class.items() if name not in members}
    state = of_class, of_slots, fill, facts
    return enum_again, (make, raws, given), state, *rest, fill_again


def _own(member: enum.Enum) -> dict[str, Any]:
    return {name: of for name, of in vars(member).items() if name not in _OF_ENUM}


def enum_again(make: Make, raws: list[Any] | None, given: Any) -> type[enum.Enum]:
    """Make an enum; its members are filled once it is known, as they may name it.

    Parameters
    ----------
    raws : list or None
        What each member is of the mixed type, where its user wrote ``__new__``, which
        is not called again: what it was given is known to nobody.
    """
    values = given[_MEMBERS]
    if raws is not None:
        members = zip(raws, values.values(), strict=True)
        values = {"__new__": _creator(members), **values}
    return make(*given[:_MEMBERS], values, *given[_MEMBERS + 1 :])


def _creator(members: Iterator[tuple[Any, Any]]) -> Callable[..., Any]:
    """Make a ``__new__`` that gives the members of an enum in their order."""

    def create(kind: type, *_: object) -> Any:
        raw, value = next(members)
        base: Any = object if raw is None else type(raw)
        made = base.__new__(kind) if raw is None else base.__new__(kind, raw)
        made._value_ = value
        return made

    return create


def fill_again(kind: type[enum.Enum], state: tuple[Any, Any, Fill, Any]) -> None:
    """Give an enum its methods, and its members what they had."""
    of_class, of_slots, fill, facts = state
    fill(kind, (of_class, of_slots))
    for name, own in facts.items():
        for fact, value in own.items():
            vars(kind[name]).setdefault(fact, value)
