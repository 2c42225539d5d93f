"""A large file by the client, over a line that breaks and a server that restarts."""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
import threading
import time
from dataclasses import dataclass

from chutes_nb import Chute
from chutes_nb.store.blobs import blob_path
from cutting import Line
from serving import TOKEN, Server

BLOCK = random.Random(1).randbytes(1 << 20)


class Blocks(io.RawIOBase):
    """A file of any size that takes no memory: one block, with its number in front."""

    def __init__(self, blocks: int) -> None:
        self._size, self._at = blocks << 20, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._at + size)
        pieces = []
        while self._at < end:
            number, inside = divmod(self._at, len(BLOCK))
            block = number.to_bytes(8, "big") + BLOCK[8:]
            piece = block[inside : inside + end - self._at]
            pieces.append(piece)
            self._at += len(piece)
        return b"".join(pieces)


@dataclass
class Sent:
    """What came of it."""

    size: int
    cuts: int
    restarts: int
    seconds: float
    grown_bytes: int
    is_whole: bool

    def __str__(self) -> str:
        rate = self.size / self.seconds / (1 << 20)
        return (
            f"{self.size >> 20:,} MiB with {self.cuts} cuts and {self.restarts} "
            f"restart in {self.seconds:.1f} s ({rate:.0f} MiB/s); hash "
            f"{'equal' if self.is_whole else 'WRONG'}; the server grew by "
            f"{self.grown_bytes / (1 << 20):.1f} MiB"
        )


def send(server: Server, mebibytes: int, cuts: int) -> Sent:
    """Upload a file; the server is killed in the middle and started again."""
    chance = random.Random(2)
    size = mebibytes << 20
    share = size // (cuts + 4)
    limits = [None, *(chance.randrange(share // 2, share) for _ in range(cuts))]
    restarting = threading.Thread(target=lambda: (server.kill(), server.start()))
    peak = 0
    base = server.memory()

    def on_progress(sent: int, _total: int) -> None:
        nonlocal peak, base
        if sent > size // 2 and not restarting.ident:
            restarting.start()
            restarting.join()
            base = server.memory()
        peak = max(peak, server.memory() - base)

    began = time.monotonic()
    with (
        Line(server.port, limits) as line,
        Chute.connect(
            f"http://127.0.0.1:{line.port}/base/", TOKEN, patience=60
        ) as chute,
    ):
        upload = asyncio.run(chute.upload(Blocks(mebibytes), "large", on_progress))
        taken, broken = time.monotonic() - began, line.cuts
    with blob_path(server.store().blobs, upload.sha256).open("rb") as kept:
        there = hashlib.file_digest(kept, "sha256").hexdigest()
    source, digest = Blocks(mebibytes), hashlib.sha256()
    while piece := source.read(1 << 20):
        digest.update(piece)
    is_whole = there == digest.hexdigest() == upload.sha256
    return Sent(size, broken, int(bool(restarting.ident)), taken, peak, is_whole)
