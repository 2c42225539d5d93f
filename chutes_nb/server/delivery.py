"""Bytes as an attachment: headers that keep them from being run, and ranges."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

from ..files_in import clean_name
from .faults import Refusal

# What a browser may take for what it is; all else comes as plain bytes.
SAFE_TYPES = re.compile(
    r"(image/(png|jpeg|gif|webp|avif|bmp|tiff)|audio/[\w.+-]+|video/[\w.+-]+"
    r"|font/[\w.+-]+|text/(plain|csv|tab-separated-values)|application/(json|pdf|zip"
    r"|gzip|x-tar|x-ndjson|vnd\.apache\.parquet|vnd\.ms-excel))\Z"
)
OCTETS = "application/octet-stream"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


class Span(NamedTuple):
    """A part of a file: first byte, and the one after the last."""

    start: int
    stop: int


def attachment(name: str) -> str:
    """Write the header that has a browser save what comes, under a harmless name."""
    name = clean_name(name)
    plain = re.sub(r"[^\w .+()-]", "_", name, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def safe_type(kind: str) -> str:
    """Give the media type that a file is served as."""
    return kind if SAFE_TYPES.match(kind) else OCTETS


def asked_span(header: str | None, size: int) -> Span | None:
    """Read a Range header; None where the whole is wanted.

    Raises
    ------
    Refusal
        416 where no byte of it is there.
    """
    match = _RANGE.match(header.strip()) if header else None
    if match is None or match[1] == match[2] == "":
        return None  # several ranges, or another unit: the whole is a right answer
    first, last = match[1][:20], match[2][:20]
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
    if first and last and int(last) < int(first):
        return None
    if start >= stop:
        raise Refusal(
            416,
            "RangeNotSatisfiable",
            f"the file has {size} bytes",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return Span(start, stop)
