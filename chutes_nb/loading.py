"""A pickled definition back into a function, with the worker's chute in its place."""

from __future__ import annotations

import functools
import io
import json
import linecache
import mmap
import pickle
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, BinaryIO

# A pickle of protocol 5 begins with b"\x80"; this one has buffers in files, whose
# places follow as one line of JSON: [[sha256, offset, size], ...].
BUFFERED = b"buffers:"
# What follows is the name of the content that has the pickle itself.
SPILLED = b"content:"
# Annotations of text, also of one that who calls the function elsewhere may leave out.
_TEXTS = (str, str | None, "str", "str | None", "Optional[str]")

_place = threading.local()


def load(code: bytes, chute_proxy: object, blobs: Path | None = None) -> FunctionType:
    """Make the function of a definition again.

    Parameters
    ----------
    code : bytes
        What ``pickling.dump`` wrote.
    chute_proxy : object
        Stands where the function means its live Chute.
    blobs : Path or None
        Directory of the large buffers, needed where ``dump`` was given one.

    Raises
    ------
    LookupError
        If a content that the definition needs is not in ``blobs``.
    """
    function, extras = load_value(code, chute_proxy, blobs)
    function.__globals__.update(extras)
    return function  # type: ignore[no-any-return]


def load_value(code: bytes, chute_proxy: object, blobs: Path | None = None) -> Any:
    """Read what ``pickling.pickled`` wrote; see ``load`` for the parameters."""
    buffers: list[memoryview] = []
    if code.startswith(SPILLED):
        code = _read(code[len(SPILLED) :].decode(), blobs)
    if code.startswith(BUFFERED):
        line, _, code = code[len(BUFFERED) :].partition(b"\n")
        buffers = _mapped(json.loads(line), blobs)
    before = getattr(_place, "chute", None)
    _place.chute = (chute_proxy,)
    try:
        return pickle.Unpickler(io.BytesIO(code), buffers=buffers).load()
    finally:
        _place.chute = before


def current_chute() -> object:
    """Give the chute of the load that is going on; pickles call this by name.

    Raises
    ------
    RuntimeError
        If the bytes are read by a plain ``pickle.loads``.
    """
    place = getattr(_place, "chute", None)
    if place is None:
        raise RuntimeError(
            "a pickle that means a live Chute was read outside a worker; "
            "read it with chutes_nb.loading.load"
        )
    return place[0]


def cached_again(function: Any, parameters: Mapping[str, Any]) -> Any:
    """Wrap a function in an empty ``functools.lru_cache`` as it was wrapped before."""
    return functools.lru_cache(**parameters)(function)


def dispatched_again(registered: list[tuple[type, Any]]) -> Any:
    """Make a ``functools.singledispatch`` of what was registered, object's first."""
    (_, function), *others = registered
    made = functools.singledispatch(function)
    for kind, other in others:
        made.register(kind, other)
    return made


def dispatching_again(function: Any, dispatcher: Any) -> Any:
    """Make a ``functools.singledispatchmethod`` with all that was registered."""
    made = functools.singledispatchmethod(function)
    made.dispatcher = dispatcher
    return made


def bound_arguments(
    function: FunctionType, bound: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Split bound values into those given by position and those given by name.

    Notes
    -----
    ``self`` is no part of it; only parameters before a ``/`` go by position.
    """
    count = function.__code__.co_posonlyargcount
    if not count:
        return [], dict(bound)
    names = [name for name in function.__code__.co_varnames[:count] if name in bound]
    rest = {name: value for name, value in bound.items() if name not in names}
    return [bound[name] for name in names], rest


def as_annotated(function: Callable[..., Any], output_dir: Path) -> Path | str:
    """Give the folder as ``output_dir`` takes it: as text where it is a ``str``."""
    annotations = getattr(function, "__annotations__", {})
    is_text = annotations.get("output_dir") in _TEXTS
    return str(output_dir) if is_text else output_dir


def show_sources(sources: Mapping[str, tuple[int | None, str]]) -> None:
    """Tell ``linecache`` the text of notebook cells, so that tracebacks show lines.

    Parameters
    ----------
    sources : mapping of file name to (cell number or None, text)
        As in ``Definition.sources``.
    """
    for name, (_, text) in sources.items():
        # A time of None keeps linecache from looking for the file on disk.
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)


def _mapped(places: list[list[Any]], blobs: Path | None) -> list[memoryview]:
    """Map the buffers at (content, offset, size); those of one content together."""
    files = {name: _map_file(name, blobs) for name, _, _ in places}
    found = []
    for name, offset, size in places:
        piece = memoryview(files[name])[offset : offset + size]
        if piece.nbytes != size:
            raise LookupError(f"a buffer is cut short in the store: {name}")
        found.append(piece)
    return found


def _map_file(name: str, blobs: Path | None) -> mmap.mmap:
    with _content(name, blobs) as file:
        # Copy on write: the job may change its array, the file never changes.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _read(name: str, blobs: Path | None) -> bytes:
    with _content(name, blobs) as file:
        return file.read()


def _content(name: str, blobs: Path | None) -> BinaryIO:
    if blobs is None:
        raise LookupError("the pickle has parts in files, but no directory came")
    path = blobs / name[:2] / name
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise LookupError(
            f"what this job was given is gone from the store: {path}; submit it again"
        ) from error
