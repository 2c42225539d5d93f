"""What is read of a flood of output: samples, and what looks like progress (pure)."""

from __future__ import annotations

import re

# So much is read at once, and so much more for each feed; a feed is 50 ms.
BURST_BYTES = 128 << 10
BYTES_A_FEED = 16 << 10
WINDOW_BYTES = 2 << 10
LEAST_NEEDLE = 4
_WORDS = re.compile(rb"[^\d\r\n\x1b]+")


class Samples:
    """Thins a flood before anything is read of it.

    A sane job's output passes whole. Of more, windows of whole lines are taken at even
    distances, always with the last one, and with the last line that holds the words
    of the line which told progress last: it may stand far above the end.
    """

    def __init__(self) -> None:
        self._credit = BURST_BYTES
        self._needle = b""

    def remember(self, segment: bytes) -> None:
        """Take note of a line that told progress."""
        if self._needle not in segment or not self._needle:
            words = max(_WORDS.findall(segment), key=len, default=b"")
            self._needle = words if len(words) >= LEAST_NEEDLE else b""

    def of(self, data: bytes) -> bytes:
        """Give what is to be read of the next bytes of the output."""
        self._credit = min(self._credit + BYTES_A_FEED, BURST_BYTES)
        if len(data) <= self._credit:
            self._credit -= len(data)
            return data
        count = max(self._credit, BYTES_A_FEED) // WINDOW_BYTES
        self._credit = 0
        distance = len(data) // count
        windows = [self._window(data, n * distance) for n in range(count - 1)]
        end = len(data) - WINDOW_BYTES
        last = data.find(b"\n", end) + 1 or end
        return b"".join([*windows, self._told_last(data, last), data[last:]])

    def _window(self, data: bytes, at: int) -> bytes:
        start = data.find(b"\n", at, at + WINDOW_BYTES) + 1 if at else 0
        stop = data.rfind(b"\n", at, at + WINDOW_BYTES) + 1
        return data[start:stop] if (start or not at) and stop > start else b""

    def _told_last(self, data: bytes, before: int) -> bytes:
        """Find the last line like the one that told progress last."""
        at = data.rfind(self._needle, 0, before) if self._needle else -1
        if at < 0:
            return b""
        start = data.rfind(b"\n", 0, at) + 1
        stop = data.find(b"\n", at, before) + 1
        is_line = stop > start and stop - start <= WINDOW_BYTES
        return data[start:stop] if is_line else b""
