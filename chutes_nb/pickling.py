"""Functions and values as bytes that a fresh process can read, within a budget."""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import cloudpickle

from .captures import CACHED, Captures, captures
from .errors import CaptureTooLarge, DefinitionError
from .loading import BUFFERED, cached_again, current_chute
from .locality import travels_by_reference
from .sizes import approximate_size, shown_size
from .store.blobs import blob_path, keep

WARN_BYTES = 1_000_000
MOST_BYTES = 64_000_000
FILE_BYTES = 256 * 1024  # buffers from here on go into files that workers map

# cloudpickle keeps its by-value modules in one place for the whole process.
_by_value = threading.RLock()


class CaptureWarning(UserWarning):
    """A job carries much of the notebook with it."""


class Pickled(NamedTuple):
    """A pickle and the large buffers that it needs beside it.

    Attributes
    ----------
    body : bytes
    buffers : tuple of str
        SHA-256 of each, as files in the store's folder of contents.
    buffer_bytes : int
        Size of all buffers together.
    """

    body: bytes
    buffers: tuple[str, ...]
    buffer_bytes: int


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
    except Exception as error:  # a captured object's __reduce__ may raise anything
        raise DefinitionError(_unpicklable(function.__name__, named, error)) from error
    size = len(done.body) + done.buffer_bytes
    if size > WARN_BYTES:
        note = "; workers map it from one copy on disk" if done.buffers else ""
        warnings.warn(
            f"job {function.__name__} carries {shown_size(size)} of the notebook: "
            f"{_biggest(named)}{note}",
            CaptureWarning,
            stacklevel=3,
        )
    return done


def pickled(
    value: object, *, blobs: Path | None = None, most_bytes: int = MOST_BYTES
) -> Pickled:
    """Pickle any value as ``dump`` does a function; ``loading.load_value`` reads it.

    Parameters
    ----------
    most_bytes : int
        Limit of the pickle itself, without buffers that went into files.

    Raises
    ------
    CaptureTooLarge
        If the limit was passed.
    """
    try:
        return _pickled(value, blobs, most_bytes)
    except _Full:
        raise CaptureTooLarge(
            f"a {type(value).__name__} of more than {shown_size(most_bytes)} cannot "
            "travel to a job; give its path, or pass it as an array or a frame"
        ) from None


def add_to_digest(value: object, digest: hashlib._Hash) -> None:
    """Feed a value's pickle to a digest, large buffers without a copy.

    Raises
    ------
    Exception
        Whatever the value's own pickling raises.
    """
    sink = _Sink(1 << 62, digest.update)

    def feed(buffer: pickle.PickleBuffer) -> bool:
        digest.update(buffer.raw())
        return False

    _Pickler(sink, protocol=5, buffer_callback=feed).dump(value)


class _Sink:
    """Takes a pickle's bytes, and ends it when there are too many."""

    def __init__(self, most_bytes: int, take: Callable[[bytes], object]) -> None:
        self.left = most_bytes
        self.take = take

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise _Full

    def write(self, part: Any) -> None:
        self.spend(memoryview(part).nbytes)
        self.take(bytes(part))


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def reducer_override(self, thing: Any) -> Any:
        if getattr(type(thing), "__chutes_token__", None) == "chute":
            return current_chute, ()
        if isinstance(thing, CACHED) and not travels_by_reference(thing):
            # By itself it would be looked up by name, in a notebook not there.
            return cached_again, (thing.__wrapped__, thing.cache_parameters())
        return super().reducer_override(thing)


def _pickled(value: object, blobs: Path | None, most_bytes: int) -> Pickled:
    parts: list[bytes] = []
    sink = _Sink(most_bytes, parts.append)
    digests: list[str] = []
    in_files = 0

    def place(buffer: pickle.PickleBuffer) -> bool:
        nonlocal in_files
        raw = buffer.raw()
        if blobs is None or raw.nbytes < FILE_BYTES:
            # Looked at before the pickler makes a copy of it.
            if raw.nbytes > sink.left:
                raise _Full
            return True
        digests.append(_kept(raw, blobs))
        in_files += raw.nbytes
        return False

    _Pickler(sink, protocol=5, buffer_callback=place).dump(value)
    body = b"".join(parts)
    if digests:
        body = BUFFERED + json.dumps(digests).encode() + b"\n" + body
    return Pickled(body, tuple(digests), in_files)


def _kept(raw: memoryview, blobs: Path) -> str:
    # Most submits carry the array that the last one did: then nothing is written.
    sha256 = hashlib.sha256(raw).hexdigest()
    if not blob_path(blobs, sha256).exists():
        keep(_Reader(raw), blobs)  # type: ignore[arg-type]
    return sha256


class _Reader:
    """Reads a buffer in pieces without copying the whole of it first."""

    def __init__(self, raw: memoryview) -> None:
        self.raw, self.at = raw, 0

    def read(self, count: int) -> memoryview:
        piece = self.raw[self.at : self.at + count]
        self.at += piece.nbytes
        return piece


def _with_modules(
    value: object, modules: tuple[ModuleType, ...], blobs: Path | None
) -> Pickled:
    if not modules:
        return _pickled(value, blobs, MOST_BYTES)
    try:
        with _travelling(modules):
            return _pickled(value, blobs, MOST_BYTES)
    except Exception:
        # A module that holds a lock or a model: the worker imports it from disk.
        return _pickled(value, blobs, MOST_BYTES)


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


def _biggest(named: Mapping[str, Any]) -> str:
    sizes = {name: approximate_size(value) for name, value in named.items()}
    ranked = sorted(sizes.items(), key=lambda one: -one[1])
    kept = [one for one in ranked[:3] if one[1] * 10 >= ranked[0][1]]
    return ", ".join(
        f"{name} ({type(named[name]).__name__}, {shown_size(size)})"
        for name, size in kept
    )


def _too_large(function: str, named: Mapping[str, Any]) -> str:
    return (
        f"job {function} would carry more than {shown_size(MOST_BYTES)} of the "
        f"notebook with it: {_biggest(named)}; pass a path and load it inside the "
        "job, give it as a file with upload=True, or make it an array or a frame"
    )


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
                f"job {function} uses {name}, a {type(value).__name__}, which cannot "
                f"travel to a worker ({_said(cause)}); make it inside the job, or in "
                'a @chute.on_startup() hook, or use executor="kernel"'
            )
    return f"job {function} cannot travel to a worker ({_said(error)})"


def _said(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except Exception:  # an exception whose __str__ raises
        return type(error).__name__
