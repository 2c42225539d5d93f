"""Hashes of values that are the same in every process.

A pickle has the items of a set in the order of their hashes, and those of texts differ
from one process to the next; of what a notebook defines it has a number that is drawn
for it, and files and lines. Of any other value this is the hash of its pickle.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum
from itertools import islice
from pathlib import Path, PurePath
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, TypeVar

from . import reusing
from .buffers import FILE_BYTES, Hashes
from .bytecode import attributes_in, constants_in
from .captures import Captures, captures
from .codec import Encoded, decode, safe_repr
from .errors import BindingError
from .files_in import facts_of
from .loading import SPILLED
from .locality import beside, travels_by_reference
from .members import functions_in
from .pickling import NO_LIMIT, Pickler, Sink
from .signatures import Signature
from .store.kernel import NOT_STORED

P = TypeVar("P", bound=Pickler)
_SETS = (set, frozenset)
MOST_LOOKED_AT = 10_000
_CODE = (FunctionType, MethodType)
_SIMPLE = (str, int, float, bool, bytes, complex, type(None))
# A pickle names it where it has a class or a function as a whole.
_DEFINED_HERE = b"cloudpickle.cloudpickle"
_SETTER = 5  # where what it gives for those has the function that sets their state
_OF_A_FUNCTION = "__defaults__", "__kwdefaults__", "__closure__", "__globals__"
# What a class has that is not what it does: it differs with place and process.
_OF_THE_PLACE = {
    *("__doc__", "__firstlineno__", "__static_attributes__", "__signature__"),
    *("__annotate__", "__annotations_cache__", "__classdictcell__", "_abc_impl"),
    *("_hashable_values_", "_unhashable_values_", "_unhashable_values_map_"),
}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
Marks = tuple[tuple[str, str, str], ...]


def digest_of(value: object, hashes: Hashes) -> str:
    """Hash a value's pickle, large buffers without a copy; as hexadecimal digits.

    Parameters
    ----------
    hashes : Hashes
        Of large buffers that have been hashed already.

    Raises
    ------
    Exception
        Whatever the value's own pickling raises.
    """
    return _digested(_pickler_for(value), value, hashes)[0]


def _digested(kind: Callable[..., P], value: object, hashes: Hashes) -> tuple[str, P]:
    """Hash a value's pickle; gives the hash, and who has pickled."""
    digest = hashlib.sha256()

    def feed(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        is_large = raw.nbytes >= FILE_BYTES
        digest.update(hashes.of(raw).encode() if is_large else raw)
        return False

    sink = Sink(NO_LIMIT, digest.update)
    pickler = kind(sink, protocol=5, buffer_callback=feed)
    pickler.dump(value)
    return digest.hexdigest(), pickler


def _class_of(one: object) -> type:
    return one if isinstance(one, type) else type(one)


def _may_differ(value: object) -> bool:
    """Whether a set, or what the notebook defines, is among what a value holds.

    As far as a short look can tell: these are seldom, and looking out for them at each
    thing that is pickled takes ten times as long.
    """
    stack, looked = [value], 0
    while stack and looked < MOST_LOOKED_AT:
        one, looked = stack.pop(), looked + 1
        kind = type(one)
        if kind in _SETS:
            if len(one) > 1:  # type: ignore[arg-type]
                return True
        elif kind is dict:
            stack.extend(islice(one.values(), MOST_LOOKED_AT))  # type: ignore[attr-defined]
        elif kind is list or kind is tuple:
            stack.extend(one[:MOST_LOOKED_AT])  # type: ignore[index]
        elif kind in _SIMPLE:
            continue
        elif kind in _CODE or _class_of(one).__module__ == "__main__":
            return True
        elif not isinstance(one, type):
            with contextlib.suppress(AttributeError):
                stack.append(dict(object.__getattribute__(one, "__dict__")))
                stack.append(one.__pydantic_fields_set__)  # type: ignore[attr-defined]
    return False


def input_digest(
    signature: Signature,
    given: dict[str, Any],
    encoded: Encoded,
    stored: Callable[[dict[str, Any]], Encoded],
) -> str:
    """Hash what a job is given, as the HTTP API does where JSON says it all.

    Parameters
    ----------
    encoded : Encoded
        All that is given, as it is stored.
    stored : callable
        Stores a part of it in the same way.

    Raises
    ------
    BindingError
        If it cannot be stored, and so not be compared.
    """
    files = {name: told for name, value in given.items() if (told := facts_of(value))}
    rest = {name: value for name, value in given.items() if name not in files}
    if encoded.kind == "pickle":
        rest = _in_order(signature, rest)
    if list(rest) != list(given):
        encoded = stored(rest)
    if encoded.body == NOT_STORED:
        raise BindingError(
            f"reuse=True compares what {signature.name} is given, and this cannot be "
            'stored; name the job with key="..." instead'
        )
    if encoded.kind == "json":
        return reusing.digest_of(decode(encoded.kind, encoded.body), files)
    return reusing.digest_of({"sha256": digest_of_input(rest, encoded.body)}, files)


def digest_of_input(given: dict[str, Any], body: bytes) -> str:
    """Hash arguments: by the pickle they have where it is the same in every process.

    Parameters
    ----------
    body : bytes
        The pickle. Its buffers have been hashed, so nothing large is hashed twice.
    """
    if body.startswith(SPILLED) or _DEFINED_HERE in body or _may_differ(given):
        with contextlib.suppress(Exception):  # it can be stored all the same
            digest, pickler = _digested(_pickler_for(given), given, Hashes())
            if pickler.has_replaced:
                return digest
    return hashlib.sha256(body).hexdigest()


def _in_order(signature: Signature, given: dict[str, Any]) -> dict[str, Any]:
    """Put arguments into the order of their parameters, others behind by name."""
    names = [one.name for one in signature.parameters if one.name in given]
    names += sorted(given.keys() - names)
    return {name: given[name] for name in names}


class _Stable(Pickler):
    """Pickles for a hash: nobody reads this again.

    Attributes
    ----------
    has_replaced : bool
        Whether it has written something in another way than other picklers do.
    """

    has_replaced = False

    def reducer_override(self, thing: Any) -> Any:
        """Say a class or function of the notebook by what it does."""
        if isinstance(thing, TypeVar) and not travels_by_reference(thing):
            self.has_replaced = True
            return _never, (repr(thing), thing.__bound__, thing.__constraints__)
        reduced = super().reducer_override(thing)
        if not isinstance(reduced, tuple) or len(reduced) <= _SETTER:
            return reduced  # by its name, or as something simple
        if isinstance(thing, type):
            names, state = _class_parts(thing, reduced[2][0])
        else:
            names, state = (thing.__qualname__,), {"code": _said_function(thing)}
            state |= {name: reduced[2][1][name] for name in _OF_A_FUNCTION}
        self.has_replaced = True
        # What it holds comes behind it, as it may lead back to it.
        return _never, names, state, None, None, _never


class _Canonical(_Stable):
    """Writes sets in one order too, for which it looks at each single thing."""

    # Sets never come to reducer_override: C code knows how to write them.
    def persistent_id(self, thing: Any) -> Any:
        if type(thing) not in _SETS or len(thing) < 2:
            return None
        ordered = _ordered(thing)
        if ordered is thing:
            return None  # what has parts of its own may lead back to this very set
        self.has_replaced = True
        return ordered


def _never(*_: object) -> None:
    """Stand where a pickle says who makes a thing again: of a hash nothing is made."""


def _pickler_for(value: object) -> type[_Stable]:
    return _Canonical if _may_differ(value) else _Stable


def _class_parts(
    kind: type, members: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give what names a class, and what it is made of, without where it stands."""
    names = type(kind), kind.__qualname__, kind.__bases__
    state = {
        name: _ordered(value)
        for name, value in sorted(members.items())
        if name not in _OF_THE_PLACE and not name.startswith("__pydantic_")
    }
    if (fields := vars(kind).get("__pydantic_fields__")) is not None:
        state["fields"] = _ADDRESS.sub("", safe_repr(fields, most=1_000_000))
    if issubclass(kind, Enum):
        state["members"] = {name: one.value for name, one in kind.__members__.items()}
    return names, state


def _ordered(value: Any) -> Any:
    """Give a set of plain items in one order, and anything else as it is."""
    if type(value) not in _SETS or (items := _all_said(value)) is None:
        return value
    return type(value).__name__, sorted(items)


def _said(item: object) -> str | None:
    """Write a plain item of a set in one way; None for any other."""
    if type(item) in _SIMPLE or isinstance(item, PurePath):
        return f"{type(item).__name__} {item!r}"
    if not isinstance(item, tuple | frozenset):
        return None
    parts = _all_said(item)
    if parts is None:
        return None
    inner = sorted(parts) if isinstance(item, frozenset) else parts
    return f"{type(item).__name__} {inner}"


def _all_said(items: Collection[object]) -> list[str] | None:
    found = [said for one in items if (said := _said(one)) is not None]
    return found if len(found) == len(items) else None


def fingerprint_of(mark: bytes, reached: Captures, marks: Marks) -> str:
    """Hash code and captured values, without names of files and lines."""
    digest = hashlib.sha256(mark)
    for said in (*map(_said_function, reached.functions), *_said_classes(reached)):
        digest.update(said.encode("utf-8", "replace"))
    for name, kind, value_mark in marks:
        digest.update(f"{name}={kind}:{value_mark}".encode())
    return digest.hexdigest()[:32]


def with_values(
    fingerprint: str, function: FunctionType, values: Mapping[str, Any]
) -> str:
    """Add to a fingerprint what the function reads of its chute by name.

    Parameters
    ----------
    values : mapping of str to object
        What there is to be read: set on the chute, or defined by its class.
    """
    waiting = list(captures(function).functions)
    said: dict[str, str] = {}
    while waiting:
        names = attributes_in(waiting.pop().__code__)
        for name in sorted(names & values.keys() - said.keys()):
            inner = [captures(one) for one in functions_in(values[name])]
            waiting += [one for reached in inner for one in reached.functions]
            parts = [fingerprint_of(b"", one, marked(one, Hashes())) for one in inner]
            said[name] = str(parts) if inner else _mark("value", values[name], Hashes())
    return _joined(fingerprint, said)


def with_sources(fingerprint: str, function: FunctionType) -> str:
    """Add to a fingerprint the sources of the modules that travel by their names.

    With all of the user's that they use in turn; installed ones are left out.
    """
    waiting = [_module_of(thing) for _, _, thing in captures(function).said]
    said: dict[str, str] = {}
    while waiting:
        module = waiting.pop()
        file = None if module is None else beside(module)
        if module is None or file is None or module.__name__ in said:
            continue
        with contextlib.suppress(OSError):  # it was imported, and is gone
            content = Path(file).read_bytes()
            said[module.__name__] = hashlib.sha256(content).hexdigest()
            waiting += map(_module_of, list(vars(module).values()))
    return _joined(fingerprint, said) + (reusing.READS_FILES if said else "")


def _joined(fingerprint: str, said: Mapping[str, str]) -> str:
    """Hash a fingerprint with more; where there is no more, it stays."""
    if not said:
        return fingerprint
    whole = repr((fingerprint, sorted(said.items()))).encode()
    return hashlib.sha256(whole).hexdigest()[:32]


def _module_of(thing: object) -> ModuleType | None:
    """Return a module, or the one that a function or class comes from."""
    if isinstance(thing, ModuleType):
        return thing
    if not isinstance(thing, FunctionType | type):
        return None
    return sys.modules.get(thing.__module__ or "")


def marked(
    reached: Captures,
    hashes: Hashes,
    extras: Mapping[str, Any] | None = None,
) -> Marks:
    """Give name, kind and a mark of all that a function reaches, in order.

    A mark stays the same while a value does; of code it is the type alone.
    """
    named = [(name, "value", value) for name, value in sorted((extras or {}).items())]
    return tuple(
        (name, kind, _mark(kind, value, hashes))
        for name, kind, value in (*reached.said, *named)
    )


def _mark(kind: str, value: Any, hashes: Hashes) -> str:
    mark = type(value).__qualname__
    if type(value) in _SIMPLE:
        said = repr(value).encode("utf-8", "replace")
        return f"{mark} {hashlib.sha256(said).hexdigest()}"
    if kind == "value":
        with contextlib.suppress(Exception):  # it went all the same: by its type
            return f"{mark} {digest_of(value, hashes)}"
    return mark


def _said_function(function: FunctionType) -> str:
    return repr(_said_code(function.__code__))


def _said_classes(reached: Captures) -> Iterator[str]:
    for kind in reached.classes:
        fields = getattr(kind, "__pydantic_fields__", {})
        plain = {
            name: value
            for name, value in vars(kind).items()
            if type(value) in _SIMPLE and name != "__firstlineno__"
        }
        said = (kind.__qualname__, getattr(kind, "__annotations__", {}), fields, plain)
        yield _ADDRESS.sub("", safe_repr(said, most=1_000_000))


def _said_code(code: CodeType) -> tuple[Any, ...]:
    """Say what code does, without where it stands."""
    constants = []
    for one in constants_in(code):
        if isinstance(one, CodeType):
            constants.append(repr(_said_code(one)))
        elif isinstance(one, frozenset):
            constants.append(repr(sorted(map(repr, one))))
        else:
            constants.append(repr(one))
    return (
        code.co_name,
        code.co_code,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_flags,
        constants,
    )
