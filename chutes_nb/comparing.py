"""Which of the variables that a job took along have changed since."""

from __future__ import annotations

from collections import OrderedDict
from types import FunctionType

from .buffers import Hashes
from .captures import captures
from .digests import Marks, marked

MOST_REMEMBERED = 256  # definitions

# Functions by the keys of their definitions, with what they reached then.
_given: OrderedDict[str, tuple[FunctionType, Marks]] = OrderedDict()


def remember(definition: str, function: FunctionType, marks: Marks) -> None:
    """Note what a definition takes along."""
    _given[definition] = function, marks
    _given.move_to_end(definition)
    while len(_given) > MOST_REMEMBERED:
        _given.popitem(last=False)


def forget() -> None:
    """Forget all, as a new process would know nothing."""
    _given.clear()


def changed_since(definition: str, most_bytes: int | None = None) -> list[str] | None:
    """Name the variables that are not any more what a definition took along.

    Large arrays are read as a whole for it, about a gigabyte a second.

    Parameters
    ----------
    most_bytes : int, optional
        Look at nothing where there is more to be read.

    Returns
    -------
    list of str or None
        None where this process did not make the definition, has forgotten it, or
        did not look.
    """
    given = _given.get(definition)
    if given is None:
        return None
    function, before = given
    reached = captures(function)
    if most_bytes is not None and reached.size_bytes > most_bytes:
        return None
    now = set(marked(reached, Hashes()))
    lost = [name for name, kind, mark in before if (name, kind, mark) not in now]
    return list(dict.fromkeys(lost))
