"""An attempt's place on a cluster, and its output as it comes in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..worker.capture import Capture
from .berths import Berth

if TYPE_CHECKING:
    from .cluster import Cluster


class Fed(Capture):
    """The output of an attempt elsewhere: pieces as they come in."""

    def __init__(self, offset: int = 0) -> None:
        super().__init__("", offset)
        self._pieces: deque[tuple[int, bytes]] = deque()
        self.upto = offset

    def feed(self, start: int, body: bytes) -> None:
        """Take a piece; what is known of it already is left out."""
        known = max(self.upto - start, 0)
        if body[known:]:
            self._pieces.append((start + known, body[known:]))
            self.upto = start + len(body)

    @property
    def is_open(self) -> bool:
        """Whether there is something to read from: always."""
        return True

    def _next(self) -> tuple[bytes, int]:
        if not self._pieces:
            return b"", self.offset
        self.offset, body = self._pieces.popleft()
        return body, self.upto


class Remote(Berth):
    """A place for one attempt at a time on some cluster.

    Attributes
    ----------
    since : float
        Time of the newest telling that has been taken, by the clock over there.
    may_run : bool
        The cluster may have heard of the attempt.
    """

    name = ""
    may_run = False
    since = checkpoint_at = 0.0
    cluster: Cluster | None = None

    def has_still(self, name: str) -> bool:
        """Whether an attempt is here and not over."""
        return self.name == name and not self.is_ending

    def clear(self) -> None:
        """Forget the attempt that was here."""
        super().clear()
        self.name, self.cluster, self.may_run = "", None, False
        self.since = self.checkpoint_at = 0.0
