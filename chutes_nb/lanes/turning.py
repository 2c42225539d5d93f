"""Puts a function around a method for a while, whoever else replaces it meanwhile.

IPython itself puts a ``write`` of its own on the streams for each cell, and then puts
back what was there before. A stand-in on the stream would be taken away by that, so
it stands on the class, where it comes before all that is set on an object.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

Around = Callable[[Any], Any]
MARK = "chutes_nb_inner"  # on each function that was put around another
_MISSING = object()


class Turned:
    """A method of a class with a function around it; a data descriptor.

    Parameters
    ----------
    plain : function
        The method as it was.
    around : callable
        Takes the bound method, gives what is called in its place.
    """

    def __init__(self, name: str, plain: Any, around: Around) -> None:
        self._name, self._plain, self._around = name, plain, around

    def __get__(self, thing: Any, owner: type | None = None) -> Any:
        if thing is None:
            return self._plain
        inner = vars(thing).get(self._name, _MISSING)
        if inner is _MISSING:
            inner = self._plain.__get__(thing, owner)
        return _marked(self._around(inner), inner)

    def __set__(self, thing: Any, value: Any) -> None:
        # What is put back was got here, with the function around it already.
        vars(thing)[self._name] = getattr(value, MARK, value)

    def __delete__(self, thing: Any) -> None:
        vars(thing).pop(self._name, None)


class Turning:
    """All that was turned, to be turned back."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any, Any]] = []

    def turn(self, thing: Any, name: str, around: Around) -> None:
        """Turn a method of an object, on its class where that can be changed."""
        if not hasattr(thing, name) or hasattr(getattr(thing, name), MARK):
            return
        kind = type(thing)
        if not hasattr(thing, "__dict__"):
            return
        try:
            self._put(kind, name, Turned(name, getattr(kind, name), around))
        except TypeError:  # a class made in C: nobody but the object can be changed
            inner = getattr(thing, name)
            with contextlib.suppress(AttributeError, TypeError):
                self._put(thing, name, _marked(around(inner), inner))

    def turn_function(self, kind: type, name: str, around: Around) -> None:
        """Turn a method for all objects of a class, which they do not replace."""
        inner = getattr(kind, name)
        if not hasattr(inner, MARK):
            self._put(kind, name, _marked(around(inner), inner))

    def _put(self, place: Any, name: str, stand_in: Any) -> None:
        before = vars(place).get(name, _MISSING)
        setattr(place, name, stand_in)
        self._undo.append((place, name, stand_in, before))

    def back(self) -> None:
        """Put all back, except where somebody has put his own since."""
        while self._undo:
            place, name, stand_in, before = self._undo.pop()
            if vars(place).get(name) is not stand_in:
                continue
            if before is _MISSING:
                delattr(place, name)
            else:
                setattr(place, name, before)


def _marked(stand_in: Any, inner: Any) -> Any:
    setattr(stand_in, MARK, inner)
    return stand_in
