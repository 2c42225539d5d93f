"""Hundreds of readers of the event stream, some of which do not read."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from cutting import Line
from rows import queue
from serving import TOKEN, Server

KEYS = {"Authorization": f"token {TOKEN}"}
TESTS = Path(__file__).parents[1]


@dataclass
class Streamed:
    """What came of it.

    Attributes
    ----------
    p50_ms, p95_ms : float
        Of ``GET jobs/ID/status`` while the readers listened and jobs moved.
    wanted, least, most : int
        Moves that there were, and that the readers got.
    """

    readers: int
    silent: int
    asked: int
    p50_ms: float
    p95_ms: float
    wanted: int
    least: int
    most: int

    def __str__(self) -> str:
        return (
            f"{self.readers} readers and {self.silent} that do not read; status "
            f"{self.asked} times: p50 {self.p50_ms:.1f} ms, p95 {self.p95_ms:.1f} ms; "
            f"{self.wanted} moves, each reader got {self.least} to {self.most}"
        )


@contextmanager
def moving(server: Server, pause_s: float) -> Iterator[list[int]]:
    """Have jobs queued and cancelled meanwhile; gives a list with their number."""
    store, stop, count = server.store(), threading.Event(), [0]

    def move() -> None:
        while not stop.wait(pause_s):
            store.request_cancel(queue(store), by="a test")
            count[0] += 2

    mover = threading.Thread(target=move)
    mover.start()
    try:
        yield count
    finally:
        stop.set()
        mover.join()


def many(
    server: Server, job: str, reading: int, silent: int, seconds: float
) -> Streamed:
    """Listen with many while jobs move and one asks for a status again and again."""
    since = server.store().rev()
    arguments = [str(one) for one in (server.port, reading, silent, since)]
    readers = subprocess.Popen(
        [sys.executable, "-m", "load.readers", *arguments],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert readers.stdin is not None
    assert readers.stdout is not None
    try:
        assert readers.stdout.readline() == "ready\n"
        with moving(server, 0.05) as count:
            taken = sorted(_asked(server, job, seconds))
        newest = server.store().rev()
        _until_told(server, newest)
        told, _ = readers.communicate("", 60)
    finally:
        readers.kill()
        readers.wait()
    found = json.loads(told)
    return Streamed(
        found["readers"],
        silent,
        len(taken),
        taken[len(taken) // 2] * 1000,
        taken[int(len(taken) * 0.95)] * 1000,
        count[0],
        found["least"],
        found["most"],
    )


def _asked(server: Server, job: str, seconds: float) -> Iterator[float]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        answer = server.client.get(f"jobs/{job}/status")
        yield time.perf_counter() - began
        assert answer.status_code == 200
        time.sleep(0.005)  # a page asks, and rests; this is no race


def _until_told(server: Server, rev: int) -> None:
    """Wait until a reader that comes last of all has got a revision."""
    with (
        httpx.Client(headers=KEYS, timeout=30) as client,
        client.stream("GET", f"{server.base}/events?since={rev - 1}") as answer,
    ):
        for line in answer.iter_lines():
            if line.startswith("id: ") and int(line[4:]) >= rev:
                break
    time.sleep(1.0)  # the others are told a few at a time, over a quarter of a second


def cut_off(server: Server, cuts: int) -> tuple[int, int]:
    """Follow the stream over so many cuts; gives moves wanted and moves got."""
    store = server.store()
    since, got = store.rev(), []
    begin = since
    with Line(server.port) as line, moving(server, 0.01):
        url = f"http://127.0.0.1:{line.port}/base/chutes/events"
        for _ in range(cuts):
            headers = {**KEYS, "Last-Event-ID": str(since)}
            with contextlib.suppress(httpx.TransportError):
                for number, moves in _events(url, headers):
                    since, got = number, got + moves
                    line.cut()  # what is on its way is lost, or comes all the same
    newest = store.rev()
    while since < newest:
        headers = {**KEYS, "Last-Event-ID": str(since)}
        since, moves = next(_events(f"{server.base}/events", headers))
        got += moves
    wanted = [m["rev"] for m in store.changes(begin, 1_000_000)["moves"]]
    assert got == wanted, "a move was lost, or told twice"
    return len(wanted), len(got)


def _events(url: str, headers: dict[str, str]) -> Iterator[tuple[int, list[int]]]:
    with (
        httpx.Client(timeout=30) as client,
        client.stream("GET", url, headers=headers) as answer,
    ):
        number = 0
        for line in answer.iter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("data: "):
                yield number, [move["rev"] for move in json.loads(line[6:])["moves"]]
