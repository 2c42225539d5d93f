"""A job's function as it was when it was submitted, ready to travel."""

from __future__ import annotations

import hashlib
import linecache
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from .binding import binder
from .buffers import Hashes
from .captures import Capture, Captures, captures
from .digests import Marks, fingerprint_of, marked
from .files_in import UploadKind
from .log_settings import loggers_of
from .pickling import dump
from .shell import current_shell
from .signatures import Signature, inspect_function

MOST_KEPT = 256  # definitions that are remembered for their next submit


@dataclass(frozen=True)
class Definition:
    """Everything a worker and the store need to know of a function.

    Attributes
    ----------
    key : str
        32 hexadecimal digits over all else; the same only for the same pickle.
    fingerprint : str
        32 hexadecimal digits over code and captured values, without names of
        files and lines: the same after a kernel restart, for ``reuse``.
    name : str
    code : bytes
        For ``loading.load``.
    buffers : tuple of str
        SHA-256 of the contents that ``code`` needs in the store.
    buffer_bytes : int
        What of them is this function's.
    source : str
        Text of the function; empty where it is not known.
    first_line : int
        Line of ``source`` in its cell, counted from 1.
    sources : mapping of file name to (cell number or None, text)
        All cells and local files that the functions come from.
    schema : dict
        JSON schema of the parameters.
    captured : tuple of Capture
        What travels, biggest first.
    missing : tuple of str
        Names that the function uses and nothing defines.
    marks : tuple of (str, str, str)
        Name, kind and mark of all it reaches; see ``marked``.
    modules : tuple of str
        Local modules, which travel by value.
    loggers : tuple of str
        Names of the loggers that it uses.
    has_mutable : bool
        Whether a value that travels can change in place.
    takes_self, is_async, wants_output_dir : bool
    upload_parameters : mapping of parameter name to upload kind
    """

    key: str
    fingerprint: str
    name: str
    code: bytes
    buffers: tuple[str, ...]
    buffer_bytes: int
    source: str
    first_line: int
    sources: Mapping[str, tuple[int | None, str]]
    schema: Mapping[str, Any]
    captured: tuple[Capture, ...]
    missing: tuple[str, ...]
    marks: Marks
    modules: tuple[str, ...]
    loggers: tuple[str, ...]
    has_mutable: bool
    takes_self: bool
    is_async: bool
    wants_output_dir: bool
    upload_parameters: Mapping[str, UploadKind]


_Kept = tuple[FunctionType, Captures, Definition]
_kept: OrderedDict[tuple[Any, ...], _Kept] = OrderedDict()
_kept_lock = threading.Lock()


def define(
    function: FunctionType,
    name: str | None = None,
    *,
    signature: Signature | None = None,
    upload: bool = False,
    extras: Mapping[str, Any] | None = None,
    blobs: Path | None = None,
) -> Definition:
    """Make a definition, or give the last one where nothing it holds has changed.

    Parameters
    ----------
    function : function
    name : str or None
        The job's name; the function's own where None.
    signature : Signature or None
        From ``inspect_function``, where it is known already.
    upload : bool
        Whether the job takes files; counts where ``signature`` is None.
    extras : mapping of str to object, or None
        Globals to give the function beside those it is seen to use.
    blobs : Path or None
        Folder of contents for large arrays and frames; see ``pickling.dump``.

    Raises
    ------
    DefinitionError, CaptureTooLarge
        See ``inspect_function`` and ``pickling.dump``.
    """
    name = name or function.__name__
    key = (id(function), name, upload, id(signature), blobs)
    if not extras:
        with _kept_lock:
            kept = _kept.get(key)
        if kept and kept[0] is function and kept[1].still_hold():
            return kept[2]
    if signature is None:
        signature = inspect_function(function, upload=upload)
    reached = captures(function)
    made = _made(function, name, signature, reached, extras or {}, blobs)
    # A name that is missing may be defined by the next cell.
    if not extras and reached.is_stable and not made.missing:
        with _kept_lock:
            # The function is kept too, so that its id cannot come to mean another.
            _kept[key] = (function, reached, made)
            while len(_kept) > MOST_KEPT:
                _kept.popitem(last=False)
    return made


def outline(function: FunctionType, name: str, signature: Signature) -> Definition:
    """Make the definition of a function that stays where it is: nothing is pickled.

    Its ``key``, ``fingerprint`` and ``marks`` are empty; see :func:`fingerprint`.
    """
    return _described(name, signature, captures(function), function)


def fingerprint(function: FunctionType, name: str, signature: Signature) -> str:
    """Return the fingerprint of a function that stays where it is."""
    reached = captures(function)
    return fingerprint_of(
        _kind_mark(name, signature), reached, marked(reached, Hashes())
    )


def _made(
    function: FunctionType,
    name: str,
    signature: Signature,
    reached: Captures,
    extras: Mapping[str, Any],
    blobs: Path | None,
) -> Definition:
    done = dump(function, extras, blobs=blobs, reached=reached)
    marks = marked(reached, done.hashes, extras)
    mark = _kind_mark(name, signature)
    made = _described(name, signature, reached, function)
    return replace(
        made,
        key=hashlib.sha256(mark + done.body).hexdigest()[:32],
        fingerprint=fingerprint_of(mark, reached, marks),
        code=done.body,
        buffers=done.buffers,
        buffer_bytes=done.buffer_bytes,
        missing=tuple(n for n in made.missing if n not in extras),
        marks=marks,
    )


def _kind_mark(name: str, signature: Signature) -> bytes:
    kind = f"{sys.version_info[:2]}|{name}|{signature.upload_parameters}|"
    return kind.encode()


def _described(
    name: str, signature: Signature, reached: Captures, function: FunctionType
) -> Definition:
    source, first_line = _source(_innermost(function).__code__)
    schema = binder(signature).validator.schema_once
    return Definition(
        key="",
        fingerprint="",
        name=name,
        code=b"",
        buffers=(),
        buffer_bytes=0,
        source=source,
        first_line=first_line,
        sources=sources_of(reached),
        schema=schema if schema["title"] == name else {**schema, "title": name},
        captured=reached.items,
        missing=tuple(reached.missing),
        marks=(),
        modules=tuple(module.__name__ for module in reached.modules),
        loggers=loggers_of(
            (thing for _, _, thing in reached.said),
            (one.__code__ for one in reached.functions),
        ),
        has_mutable=reached.has_mutable,
        takes_self=signature.takes_self,
        is_async=signature.is_async,
        wants_output_dir=signature.wants_output_dir,
        upload_parameters=signature.upload_parameters,
    )


def _innermost(function: Any) -> FunctionType:
    """Follow decorators down to the function whose text the user reads."""
    for _ in range(100):
        wrapped = getattr(function, "__wrapped__", None)
        if not isinstance(wrapped, FunctionType):
            break
        function = wrapped
    return function  # type: ignore[no-any-return]


def _source(code: CodeType) -> tuple[str, int]:
    lines = linecache.getlines(code.co_filename)
    first = code.co_firstlineno
    if not 0 < first <= len(lines):
        return "", first
    last = max(first, _last_line(code))
    return "".join(lines[first - 1 : last]), first


def _last_line(code: CodeType) -> int:
    # inspect.getsource reads the text token by token, which takes a millisecond.
    last = max((end for _, end, _, _ in code.co_positions() if end), default=0)
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return max([last, *map(_last_line, inner)])


def sources_of(reached: Captures) -> dict[str, tuple[int | None, str]]:
    """Return the cells and local files that functions come from."""
    found: dict[str, tuple[int | None, str]] = {}
    for function in reached.functions:
        name = function.__code__.co_filename
        if name not in found and (lines := linecache.getlines(name)):
            found[name] = (cell_number(name), "".join(lines))
    return found


def cell_number(file_name: str) -> int | None:
    """Give the execution count of the cell that a code's file name stands for."""
    compiler = getattr(current_shell(), "compile", None)
    number = (getattr(compiler, "_filename_map", None) or {}).get(file_name)
    return number if isinstance(number, int) else None


def sha256(text: str) -> str:
    """Hash a text; as hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
