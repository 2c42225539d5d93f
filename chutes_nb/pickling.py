"""Functions and values as bytes that a fresh process can read, within a budget."""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import cloudpickle

from . import by_value
from .arrays import reduced_array
from .buffers import Aside, Hashes
from .by_value import CACHED
from .captures import Captures, captures
from .errors import CaptureTooLarge, DefinitionError, StoreError
from .loading import BUFFERED, current_chute
from .members import functions_in
from .sizes import approximate_size, shown_size
from .typing_names import reduced_name
from .wording import kind_of

WARN_BYTES = 1_000_000
MOST_BYTES = 64_000_000
NO_LIMIT = 1 << 62

# cloudpickle keeps its by-value modules in one place for the whole process.
_by_value = threading.RLock()
if hasattr(os, "register_at_fork"):  # who has it may be a thread that is not here
    os.register_at_fork(
        after_in_child=lambda: globals().update(_by_value=threading.RLock())
    )


class CaptureWarning(UserWarning):
    """A job carries much of the notebook with it, or will not find what it uses."""


class Pickled(NamedTuple):
    """A pickle and the large buffers that it needs beside it.

    Attributes
    ----------
    body : bytes
    buffers : tuple of str
        SHA-256 of each, as files in the store's folder of contents.
    buffer_bytes : int
        Size of all buffers together.
    hashes : Hashes
        Of the buffers, for who hashes the same value again at once.
    """

    body: bytes
    buffers: tuple[str, ...]
    buffer_bytes: int
    hashes: Hashes


class _Full(Exception):
    """The pickle passed its limit."""


def dump(
    function: FunctionType,
    extras: Mapping[str, Any] | None = None,
    *,
    blobs: Path | None = None,
    reached: Captures | None = None,
) -> Pickled:
    """Pickle a function with all it reaches; ``loading.load`` makes it again.

    Parameters
    ----------
    function : function
    extras : mapping of str to object, or None
        Globals to give the function beside those it is seen to use.
    blobs : Path or None
        Where large arrays and frames go as files; None keeps them in the pickle,
        where they count against the limit.
    reached : Captures or None
        Where ``captures(function)`` is known already.

    Warns
    -----
    CaptureWarning
        Above 1 MB, naming the biggest variables.

    Raises
    ------
    CaptureTooLarge
        Above 64 MB in the pickle, without having pickled all of it.
    StoreFull
        If there is no room for the large buffers.
    DefinitionError
        If something that the function reaches cannot be pickled.
    """
    if reached is None:
        reached = captures(function)
    everything = {**reached.class_names, **(extras or {})}
    named = {**reached.values, **(extras or {})}
    try:
        done = _with_modules((function, everything), reached.modules, blobs)
    except _Full:
        raise CaptureTooLarge(_too_large(function.__name__, named)) from None
    except StoreError:
        raise
    except Exception as error:  # a captured object's __reduce__ may raise anything
        raise DefinitionError(_unpicklable(function.__name__, named, error)) from error
    _tell(function.__name__, done, named, reached)
    return done


def pickled(
    value: object,
    *,
    blobs: Path | None = None,
    most_bytes: int = MOST_BYTES,
    modules: tuple[ModuleType, ...] = (),
) -> Pickled:
    """Pickle any value as ``dump`` does a function; ``loading.load_value`` reads it.

    Parameters
    ----------
    modules : tuple of module
        The notebook's own, which go along where that can be.
    most_bytes : int
        Limit of the pickle itself, without buffers that went into files.

    Raises
    ------
    CaptureTooLarge
        If the limit was passed.
    """
    try:
        return _with_modules(value, modules, blobs, most_bytes)
    except _Full:
        raise CaptureTooLarge(
            f"{kind_of(value)} of more than {shown_size(most_bytes)} cannot "
            "travel to a job; give its path, or pass it as an array or a frame"
        ) from None


def pickled_members(members: Mapping[str, Any], blobs: Path | None) -> Pickled:
    """Pickle what a class defines, with the notebook's own modules that it reaches."""
    modules: dict[str, ModuleType] = {}
    for member in members.values():
        for function in functions_in(member):
            modules |= {one.__name__: one for one in captures(function).modules}
    return pickled(members, blobs=blobs, modules=tuple(modules.values()))


class Sink:
    """Takes a pickle's bytes, and ends it when there are too many."""

    def __init__(self, most_bytes: int, take: Callable[[bytes], object]) -> None:
        self.left = most_bytes
        self.take = take

    def spend(self, count: int) -> None:
        """Count bytes that went elsewhere."""
        self.left -= count
        if self.left < 0:
            raise _Full

    def write(self, part: Any) -> None:
        """Take a part of the pickle."""
        self.spend(memoryview(part).nbytes)
        self.take(bytes(part))


class Pickler(by_value.Pickler):
    """Pickles what a job takes along: chutes by their names, arrays as buffers."""

    def reducer_override(self, thing: Any) -> Any:
        """Say how a thing is made again, where it is not made as others are."""
        if getattr(type(thing), "__chutes_token__", None) == "chute":
            return current_chute, ()
        reduced = reduced_array(thing) or reduced_name(thing)
        if reduced is not None:
            return reduced
        return super().reducer_override(thing)


def _pickled(value: object, blobs: Path | None, most_bytes: int) -> Pickled:
    parts: list[bytes] = []
    sink = Sink(most_bytes, parts.append)
    aside = None if blobs is None else Aside(blobs)

    def stays(buffer: pickle.PickleBuffer) -> bool:
        if aside is not None and aside.take(buffer):
            return False
        # Looked at before the pickler makes a copy of it.
        if buffer.raw().nbytes > sink.left:
            raise _Full
        return True

    Pickler(sink, protocol=5, buffer_callback=stays).dump(value)
    body = b"".join(parts)
    if aside is None or not aside.size_bytes:
        return Pickled(body, (), 0, Hashes())
    places = aside.place()
    body = BUFFERED + json.dumps(places).encode() + b"\n" + body
    contents = tuple(dict.fromkeys(place.sha256 for place in places))
    return Pickled(body, contents, aside.size_bytes, aside.hashes)


def _with_modules(
    value: object,
    modules: tuple[ModuleType, ...],
    blobs: Path | None,
    most_bytes: int = MOST_BYTES,
) -> Pickled:
    if not modules:
        return _pickled(value, blobs, most_bytes)
    try:
        with _travelling(modules):
            return _pickled(value, blobs, most_bytes)
    except StoreError:
        raise
    except Exception:
        # A module that holds a lock or a model: the worker imports it from disk.
        return _pickled(value, blobs, most_bytes)


@contextmanager
def _travelling(modules: tuple[ModuleType, ...]) -> Iterator[None]:
    with _by_value:
        known = cloudpickle.list_registry_pickle_by_value()
        added = [module for module in modules if module.__name__ not in known]
        for module in added:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            for module in added:
                cloudpickle.unregister_pickle_by_value(module)


def _tell(
    function: str, done: Pickled, named: Mapping[str, Any], reached: Captures
) -> None:
    """Warn of what a job carries, where it is much."""
    size = len(done.body) + done.buffer_bytes
    if size > WARN_BYTES:
        note = "; workers map it from one copy on disk" if done.buffers else ""
        if reached.modules:
            names = ", ".join(module.__name__ for module in reached.modules)
            note += f"; also the code of {names}"
        warn_user(
            f"job {function} carries {shown_size(size)} of the notebook: "
            f"{biggest(named)}{note}"
        )


def warn_user(message: str) -> None:
    """Warn at the line outside this package that asked for it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__package__") == _PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, CaptureWarning, stacklevel=level)


_PACKAGE = __name__.rpartition(".")[0]


def biggest(named: Mapping[str, Any]) -> str:
    """Name the biggest of some values, with type and size."""
    sizes = {name: approximate_size(value) for name, value in named.items()}
    ranked = sorted(sizes.items(), key=lambda one: -one[1])
    kept = [one for one in ranked[:3] if one[1] * 10 >= ranked[0][1]]
    return ", ".join(
        f"{name} ({type(named[name]).__name__}, {shown_size(size)})"
        for name, size in kept
    )


def _too_large(function: str, named: Mapping[str, Any]) -> str:
    columns = [one for value in named.values() for one in _columns_of_objects(value)]
    advice = "make it an array or a frame"
    if columns:
        advice = (
            f"make its columns of Python objects ({', '.join(columns[:3])}) text or "
            'categories: df.astype("category")'
        )
    return (
        f"job {function} would carry more than {shown_size(MOST_BYTES)} of the "
        f"notebook with it: {biggest(named)}; pass a path and load it inside the "
        f"job, give it as a file with upload=True, or {advice}"
    )


def _columns_of_objects(value: object) -> list[str]:
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.DataFrame):
        return []
    return [str(name) for name in value.select_dtypes("object")]


def _unpicklable(function: str, named: Mapping[str, Any], error: Exception) -> str:
    # A value before the helper that uses it.
    code = (FunctionType, ModuleType, type, CACHED)
    for name, value in sorted(named.items(), key=lambda v: isinstance(v[1], code)):
        try:
            _pickled(value, None, MOST_BYTES)
        except _Full:
            continue
        except Exception as cause:
            return (
                f"job {function} uses {name}, {kind_of(value)}, which cannot "
                f"travel to a worker ({_said(cause)}); make it inside the job, or in "
                'a @chute.on_startup() hook, or use executor="kernel"'
            )
    return f"job {function} cannot travel to a worker ({_said(error)})"


def _said(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:  # an exception whose __str__ raises
        return type(error).__name__
