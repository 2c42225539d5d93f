"""Many readers of the event stream, in a process of their own.

``python -m load.readers PORT READING SILENT SINCE``: says "ready" once all are
connected, and what they got as JSON when its input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from typing import Any

from serving import TOKEN

AT_ONCE = 50


class Reader:
    """One connection to the stream; one that does not read keeps its socket full."""

    def __init__(self, port: int, since: int) -> None:
        self._port, self._since = port, since
        self.moves: list[str] = []
        self.reader: asyncio.StreamReader | None = None

    async def connect(self) -> None:
        """Send the request, and wait for the head of the answer."""
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        link.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(link, ("127.0.0.1", self._port))
        self.reader, self.writer = await asyncio.open_connection(
            sock=link, limit=1 << 24
        )
        self.writer.write(
            f"GET /base/chutes/events?since={self._since} HTTP/1.1\r\n"
            f"Host: localhost\r\nAuthorization: token {TOKEN}\r\n\r\n".encode()
        )
        await self.reader.readuntil(b"\r\n\r\n")

    async def read(self) -> None:
        """Take what comes, for ever."""
        assert self.reader is not None
        while line := await self.reader.readline():
            if line.startswith(b"data: "):
                self.moves += [m["to"] for m in json.loads(line[6:])["moves"]]


async def main(port: int, reading: int, silent: int, since: int) -> dict[str, Any]:
    """Connect all, and read until the input ends."""
    everybody = [Reader(port, since) for _ in range(reading + silent)]
    for start in range(0, len(everybody), AT_ONCE):
        group = everybody[start : start + AT_ONCE]
        await asyncio.gather(*(one.connect() for one in group))
    # A transport reads by itself until its buffer is full: it is told not to.
    for one in everybody[reading:]:
        one.writer.transport.pause_reading()
    tasks = [asyncio.ensure_future(one.read()) for one in everybody[:reading]]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
    counts = [len(one.moves) for one in everybody[:reading]]
    for one in everybody:
        one.writer.close()
    return {"least": min(counts), "most": max(counts), "readers": len(counts)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*map(int, sys.argv[1:])))), flush=True)
