"""Bytes that come in any cut → lines, redraws and depths (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .patterns import late

# Nobody's progress is longer; a gigabyte without a newline costs no memory.
LINE_LIMIT_BYTES = 4096
_DIGITS_ALIKE = bytes.maketrans(b"0123456789", b"1111111111")
_ESCAPES = late(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|"
    r"\x1b[()*+][0-9A-Za-z]|\x08"
)
_UP = late(r"\x1b\[(\d{0,4})A", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the screen a segment was drawn.

    Attributes
    ----------
    redraws : bool
        It overwrites its line.
    depth : int
        Lines below the outermost bar.
    climbed : int
        Lines climbed before it was drawn.
    """

    redraws: bool = False
    depth: int = 0
    climbed: int = 0


class Lines:
    """Cuts a stream into segments; each ends at a newline or before a redraw.

    A segment that begins with a carriage return redraws its line.
    """

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, chunk: bytes) -> tuple[list[bytes], list[bytes]]:
        """Return the finished segments, and their shapes (each digit a ``1``)."""
        # One pass in C a step: a print loop makes 100,000 lines of this.
        text = self._rest + chunk.replace(b"\r", b"\n\r")
        segments = text.split(b"\n")
        self._rest = segments.pop()[:LINE_LIMIT_BYTES]
        shapes = text.translate(_DIGITS_ALIKE).split(b"\n")
        shapes.pop()
        return segments, shapes

    @property
    def rest(self) -> bytes:
        """The unterminated last line, at most ``LINE_LIMIT_BYTES``."""
        return self._rest

    def clear(self) -> None:
        """Forget the unterminated last line."""
        self._rest = b""


def shape_of(segment: bytes) -> bytes:
    """Give a segment with every digit made a ``1``."""
    return segment.translate(_DIGITS_ALIKE)


def plain(segment: bytes) -> str:
    """Decode a segment and take out colours, cursor moves and control signs."""
    text = segment[:LINE_LIMIT_BYTES].decode("utf-8", "replace")
    if "\x1b" in text or "\x08" in text:
        text = _ESCAPES.sub("", text)
    return text.strip("\r\n\x00 ")


def place(segment: bytes) -> Place:
    r"""Tell where on the screen a segment was drawn.

    tqdm goes down by newlines, draws, and climbs again by ``ESC [ A``: the
    climbs *after* the text are its depth. rich climbs before it draws.
    """
    redraws = segment[:1] == b"\r"
    if b"\x1b[" not in segment:
        return Place(redraws)
    text = segment.decode("utf-8", "replace")
    drawn = _ESCAPES.sub(lambda match: "\x00" * len(match[0]), text)
    start = len(drawn) - len(drawn.lstrip("\x00\r\n "))
    end = len(drawn.rstrip("\x00\r\n "))
    return Place(redraws, _climbs(text[end:]), _climbs(text[:start]))


def _climbs(text: str) -> int:
    return sum(min(int(match[1] or 1), 99) for match in _UP.finditer(text))
