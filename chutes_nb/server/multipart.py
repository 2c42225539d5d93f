"""A multipart body as it comes in: texts are held, files go to disk at once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..files_in import clean_name, file_type
from ..paths import PRIVATE_FILE, private_dir
from ..store.blobs import take_over
from .faults import Refusal

UNSAID = "application/octet-stream"  # what curl says of all that it does not know
CALLBACKS = (
    *("part_begin", "part_data", "part_end", "end"),
    *("header_field", "header_value", "header_end", "headers_finished"),
)
MOST_PARTS = 1000
MOST_HEADER_BYTES = 16 << 10
MOST_TEXT_BYTES = 8 << 20


class Form:
    """Fields and files of one request.

    Parameters
    ----------
    content_type : str
        The request's header; it names the boundary.
    blobs : pathlib.Path
        The store's folder of contents.

    Attributes
    ----------
    texts : dict of str to list of str
    files : dict of str to list of dict
        ``name``, ``size``, ``type`` and ``sha256`` of each.

    Notes
    -----
    Every method may block but :meth:`drop`, which may be called at any time: they are
    called in a thread, one after the other.
    """

    def __init__(self, content_type: str, blobs: Path) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise _refused("the Content-Type names no boundary")
        self.texts: dict[str, list[str]] = {}
        self.files: dict[str, list[dict[str, Any]]] = {}
        self._blobs = private_dir(blobs)
        self._text_bytes = self._parts = 0
        self._is_over = self._is_dropped = False
        self._lock = threading.Lock()
        self._header = bytearray(), bytearray()
        self._part: _Part | None = None
        callbacks: Any = {
            f"on_{name}": getattr(self, f"_on_{name}") for name in CALLBACKS
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _refused(str(error)) from error

    def feed(self, body: bytes) -> None:
        """Take the next bytes; none any more once the form was let go of.

        Raises
        ------
        Refusal
            If they are no multipart body, or one that is too long.
        """
        try:
            with self._lock:
                if not self._is_dropped:
                    self._parse(body)
        finally:
            if self._is_dropped:  # meanwhile
                self.drop()

    def _parse(self, body: bytes) -> None:
        try:
            self._parser.write(body)
        except FormParserError as error:
            raise _refused(str(error)) from error
        except OSError as error:
            text = f"the file cannot be kept: {error}"
            raise Refusal(507, "StoreFull", text) from error

    def finish(self) -> None:
        """Check that the body came to its end."""
        if not self._is_over:
            raise _refused("it ends too early")

    def drop(self) -> None:
        """Let go of what was not finished; what is being taken in does so itself."""
        self._is_dropped = True
        if self._lock.acquire(blocking=False):
            try:
                part, self._part = self._part, None
                if part is not None:
                    part.drop()
            finally:
                self._lock.release()

    # -- what the parser finds -------------------------------------------------
    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise _refused(f"it has more than {MOST_PARTS} parts")
        self._part = _Part()
        self._header = bytearray(), bytearray()

    def _on_header_field(self, body: bytes, start: int, end: int) -> None:
        self._add_header(0, body[start:end])

    def _on_header_value(self, body: bytes, start: int, end: int) -> None:
        self._add_header(1, body[start:end])

    def _add_header(self, which: int, piece: bytes) -> None:
        self._header[which].extend(piece)
        if len(self._header[which]) > MOST_HEADER_BYTES:
            raise _refused("a header of a part is too long")

    def _on_header_end(self) -> None:
        name, value = (bytes(one) for one in self._header)
        self._header = bytearray(), bytearray()
        assert self._part is not None  # headers stand in parts
        self._part.headers[name.decode("latin-1").lower()] = value

    def _on_headers_finished(self) -> None:
        assert self._part is not None  # headers stand in parts
        self._part.begin(self._blobs)

    def _on_part_data(self, body: bytes, start: int, end: int) -> None:
        assert self._part is not None  # data stands in parts
        if self._part.file is None:
            self._text_bytes += end - start
            if self._text_bytes > MOST_TEXT_BYTES:
                text = f"its fields have more than {MOST_TEXT_BYTES:,} bytes"
                raise Refusal(413, "RequestTooLarge", text)
        self._part.add(body[start:end])

    def _on_part_end(self) -> None:
        part = self._part
        assert part is not None  # it began
        if part.file is not None:
            self.files.setdefault(part.name, []).append(part.kept(self._blobs))
        else:
            self.texts.setdefault(part.name, []).append(part.text())
        self._part = None  # not earlier: one that cannot be kept is let go of

    def _on_end(self) -> None:
        self._is_over = True


class _Part:
    """One field or file."""

    def __init__(self) -> None:
        self.headers: dict[str, bytes] = {}
        self.name = self._filename = ""
        self.file: BinaryIO | None = None
        self._path = Path()
        self._body = bytearray()
        self._digest = hashlib.sha256()

    def begin(self, blobs: Path) -> None:
        said = self.headers.get("content-disposition", b"")
        kind, options = parse_options_header(said)
        if kind != b"form-data" or not options.get(b"name"):
            raise _refused("a part of it has no name")
        self.name = options[b"name"].decode("utf-8", "replace")
        filename = options.get(b"filename")
        if filename is None:
            return
        self._filename = clean_name(filename.decode("utf-8", "replace"))
        fd, path = tempfile.mkstemp(prefix="new-", dir=blobs)
        os.fchmod(fd, PRIVATE_FILE)
        self._path, self.file = Path(path), os.fdopen(fd, "wb")

    def add(self, piece: bytes) -> None:
        if self.file is None:
            self._body += piece
        else:
            self._digest.update(piece)
            self.file.write(piece)

    def text(self) -> str:
        try:
            return self._body.decode()
        except UnicodeDecodeError as error:
            raise _refused(f"field {self.name[:100]!r} is no UTF-8") from error

    def kept(self, blobs: Path) -> dict[str, Any]:
        """Move the file to where the store keeps contents."""
        assert self.file is not None  # asked before
        self.file.close()
        blob = take_over(self._path, blobs, self._digest.hexdigest())
        said = self.headers.get("content-type", b"").decode("latin-1")
        kind = said.partition(";")[0].strip()[:200] or None
        if kind in (None, UNSAID):
            kind = file_type(self._filename)
        return {"name": self._filename, "type": kind} | blob._asdict()

    def drop(self) -> None:
        if self.file is not None:
            with contextlib.suppress(OSError):  # a full disk takes the rest as little
                self.file.close()
            self._path.unlink(missing_ok=True)


def payload_of(form: Form, schema: dict[str, Any]) -> dict[str, Any]:
    """Make a payload of the texts of a form, each read as its parameter is.

    Texts for a list or an object are JSON, or one field for each item of a list.
    """
    properties = _properties(schema, form.texts.keys() | form.files.keys())
    return {
        name: _value(texts, properties.get(name, {}), schema)
        for name, texts in form.texts.items()
    }


def _properties(schema: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Give what the names of a form are: parameters, or fields of the one model."""
    known: dict[str, Any] = schema.get("properties", {})
    candidates = schema.get("required") or list(known)
    if names & known.keys() or len(candidates) != 1:
        return known
    whole = _alternatives(known[candidates[0]], schema)
    return {k: v for one in whole for k, v in one.get("properties", {}).items()}


def _alternatives(said: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Give each of the schemas that a value may fit, behind references."""
    if "$ref" in said:
        said = schema.get("$defs", {}).get(said["$ref"].rpartition("/")[2], {})
    if "anyOf" not in said:
        return [said]
    return [inner for one in said["anyOf"] for inner in _alternatives(one, schema)]


def _value(texts: list[str], said: dict[str, Any], schema: dict[str, Any]) -> Any:
    kinds = _alternatives(said, schema)
    items = [one.get("items", {}) for one in kinds if one.get("type") == "array"]
    if not items:
        written = json.dumps(said)
        is_tree = any(one in written for one in ('"array"', '"object"', "$ref"))
        return _read(texts[-1]) if is_tree else texts[-1]
    whole = _read(texts[0])
    types = {one.get("type") for one in kinds}
    is_whole = isinstance(whole, list) or not types <= {"array", "null"}
    if len(texts) == 1 and (is_whole or (whole is None and "null" in types)):
        return whole
    inner = [kind for one in items for kind in _alternatives(one, schema)]
    if all(one.get("type") == "string" for one in inner):
        return [_read_as_text(text) for text in texts]
    return [_read(text) for text in texts]


def _read_as_text(text: str) -> str:
    """Read an item that may be in JSON's quotes; a number is a text here."""
    found = _read(text)
    return found if isinstance(found, str) else text


def _read(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _refused(why: str) -> Refusal:
    return Refusal(400, "BadForm", f"the body is no multipart form: {why}")
