"""Large buffers of a pickle as files: one for each content, for workers to map."""

from __future__ import annotations

import hashlib
import pickle
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from .store.blobs import keep_memory, still_kept

FILE_BYTES = 256 * 1024  # buffers from here on go into files
MOST_FILES = 64  # a worker has a descriptor open for each; the rest share one file
ALIGNED = 64  # bytes; what begins at a cache line is read fastest
ALONE_BYTES = 8 << 20  # from here on hashing is worth a thread of its own
SEEN_SAMPLE, MOST_SEEN = 4096, 1024

# Sizes and samples of buffers that were written before: mostly they still are there.
_seen: dict[tuple[int, bytes], None] = {}


class Place(NamedTuple):
    """Where a buffer lies.

    Attributes
    ----------
    sha256 : str
        Name of the file among the store's contents.
    offset, size : int
        Bytes within it.
    """

    sha256: str
    offset: int
    size: int


class Hashes:
    """SHA-256 of memory that was hashed a moment ago, while nobody frees it."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[memoryview, str]] = {}

    def of(self, raw: memoryview) -> str:
        """Give the hash of a buffer, computed where it is not known."""
        known = self._known.get(_memory(raw))
        return hashlib.sha256(raw).hexdigest() if known is None else known[1]

    def remember(self, raw: memoryview, sha256: str) -> None:
        """Note a hash; the memory stays as long as this does."""
        place = _memory(raw)
        if place[0]:
            self._known[place] = raw, sha256


class Aside:
    """Buffers that one pickling leaves out of its pickle.

    Parameters
    ----------
    blobs : pathlib.Path
        The store's folder of contents.
    """

    def __init__(self, blobs: Path) -> None:
        self._blobs = blobs
        self._buffers: list[memoryview] = []
        self.hashes = Hashes()

    def take(self, buffer: pickle.PickleBuffer) -> bool:
        """Take a buffer if it is large; whether it was (as ``buffer_callback`` not)."""
        raw = buffer.raw()
        if raw.nbytes < FILE_BYTES:
            return False
        self._buffers.append(raw)
        return True

    @property
    def size_bytes(self) -> int:
        """Size of all that was taken."""
        return sum(raw.nbytes for raw in self._buffers)

    def place(self) -> tuple[Place, ...]:
        """Put what was taken into files; gives their places in the same order."""
        largest = sorted(
            range(len(self._buffers)), key=lambda n: -self._buffers[n].nbytes
        )
        own, rest = largest[: MOST_FILES - 1], sorted(largest[MOST_FILES - 1 :])
        found: dict[int, Place] = {}
        for n in own:
            raw = self._buffers[n]
            sha256 = _kept(raw, self._blobs)
            self.hashes.remember(raw, sha256)
            found[n] = Place(sha256, 0, raw.nbytes)
        if rest:
            packed, starts = _packed([self._buffers[n] for n in rest])
            sha256 = _kept(memoryview(packed), self._blobs)
            for n, start in zip(rest, starts, strict=True):
                found[n] = Place(sha256, start, self._buffers[n].nbytes)
        return tuple(found[n] for n in range(len(self._buffers)))


def _memory(raw: memoryview) -> tuple[int, int]:
    """Address and size of a buffer; address 0 where it cannot be told."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return 0, 0
    interface = numpy.frombuffer(raw, numpy.uint8).__array_interface__
    return interface["data"][0], raw.nbytes


def _packed(buffers: list[memoryview]) -> tuple[bytearray, list[int]]:
    """Lay buffers one behind the other; with where each begins."""
    starts = [0]
    for raw in buffers:
        starts.append(starts[-1] + -(-raw.nbytes // ALIGNED) * ALIGNED)
    packed = bytearray(starts[-1])
    for raw, (start, _) in zip(buffers, pairwise(starts), strict=True):
        packed[start : start + raw.nbytes] = raw
    return packed, starts[:-1]


def _kept(raw: memoryview, blobs: Path) -> str:
    """Keep a buffer's content once; returns its hash.

    Notes
    -----
    Nobody can say of memory whether it was written to, so each submit hashes it. It
    is written only where that content is new: a buffer of known looks is hashed
    first, another one is hashed and written at the same time.
    """
    looks = (raw.nbytes, _sample(raw))
    if looks in _seen or raw.nbytes < ALONE_BYTES:
        sha256 = hashlib.sha256(raw).hexdigest()
        if still_kept(sha256, raw.nbytes, blobs):
            return sha256
    _seen[looks] = None
    if len(_seen) > MOST_SEEN:
        del _seen[next(iter(_seen))]
    return keep_memory(raw, blobs).sha256


def _sample(raw: memoryview) -> bytes:
    middle = raw.nbytes // 2
    starts = (0, middle, raw.nbytes - SEEN_SAMPLE)
    parts = [raw[at : at + SEEN_SAMPLE] for at in starts]
    return hashlib.sha256(b"".join(parts)).digest()
