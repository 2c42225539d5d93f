"""An attempt's place on a cluster, and its output as it comes in."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..paths import private_dir
from ..worker.capture import Capture, Look
from .berths import Berth
from .parcels import Known

if TYPE_CHECKING:
    from .cluster import Cluster


class Fed(Capture):
    """The output of an attempt elsewhere: pieces, kept here until the log has them.

    Parameters
    ----------
    name : str
        Stands for it among outputs; no file has that name.
    offset : int
        Bytes that are in the log store already.

    Attributes
    ----------
    upto : int
        So many bytes have come in, with those that were there before.
    """

    def __init__(self, name: str, offset: int = 0) -> None:
        super().__init__(name, offset)
        self._unread: deque[tuple[int, bytes]] = deque()
        self._read_pieces: deque[tuple[int, bytes]] = deque()
        self.upto = offset

    def feed(self, start: int, body: bytes) -> None:
        """Take a piece; what is known of it already is left out."""
        known = max(self.upto - start, 0)
        if body[known:]:
            self._unread.append((start + known, body[known:]))
            self.upto = start + len(body)

    def kept(self, end: int) -> None:
        """Let go of what the log store has."""
        super().kept(end)
        while self._read_pieces and _end(self._read_pieces[0]) <= self._kept:
            self._read_pieces.popleft()

    def goes_back(self, looks: Sequence[Look]) -> bool:
        """Read looks again; see :class:`Capture`."""
        self._unread.extendleft(reversed(self._read_pieces))
        self._read_pieces.clear()
        return super().goes_back(looks)

    @property
    def is_open(self) -> bool:
        """Whether there is something to read from: always."""
        return True

    def _next(self) -> tuple[bytes, int]:
        while self._unread:
            piece = self._unread.popleft()
            self._read_pieces.append(piece)
            start, body = piece
            if _end(piece) > self.offset:
                # Behind a gap, where somebody else has missed a piece, it goes on.
                self.offset = max(self.offset, start)
                return body[self.offset - start :], self.upto
        return b"", self.upto


class Remote(Berth):
    """A place for one attempt at a time on some cluster.

    Attributes
    ----------
    told : int
        Number of the newest telling that has been taken.
    may_run : bool
        The cluster may have heard of the attempt.
    is_known : bool
        It has, and will say how the attempt ends.
    """

    name = ""
    may_run = False
    told, checkpoint_at = 0, 0.0
    cluster: Cluster | None = None
    is_known = False

    @property
    def known(self) -> Known:
        """What has come in of the attempt."""
        assert isinstance(self.capture, Fed)  # put there with the name
        return Known(self.capture.upto, self.told, self.checkpoint_at)

    def has_still(self, name: str) -> bool:
        """Whether an attempt is here and not over."""
        return self.name == name and not self.is_ending

    # Behind a kernel that died nobody else knows whether the attempt has left. A
    # scheduler that was started anew meanwhile would say that it never came.
    def note_sent(self, name: str, scheduler: str) -> None:
        """Note to which run of a scheduler an attempt is sent, before it is."""
        private_dir(self.folder)
        self._note(name).write_text(scheduler)

    def sent_to(self, name: str) -> str | None:
        """Return that scheduler, None for an attempt that nobody has sent."""
        try:
            return self._note(name).read_text()
        except FileNotFoundError:
            return None

    def _note(self, name: str) -> Path:
        return self.folder / f"sent-{name}"

    def clear(self) -> None:
        """Forget the attempt that was here."""
        super().clear()
        self._note(self.name).unlink(missing_ok=True)
        self.name, self.cluster = "", None
        self.may_run = self.is_known = False
        self.told, self.checkpoint_at = 0, 0.0


def _end(piece: tuple[int, bytes]) -> int:
    return piece[0] + len(piece[1])
