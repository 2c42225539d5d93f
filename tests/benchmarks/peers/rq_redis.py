"""RQ on a Redis of its own, on a private port, with its append-only file."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis
import rq

from . import WORKERS, NotHere, Peer
from .work import environ, first_line, noop

# Without a fork for each job, which is the default: the faster way by far.
WORKER = "--worker-class rq.worker.SimpleWorker --quiet"
DURABLE = "--bind 127.0.0.1 --appendonly yes --appendfsync everysec --daemonize no"


@contextmanager
def server() -> Iterator[str]:
    """A Redis server that only this process knows; its address."""
    binary = shutil.which("redis-server")
    if binary is None:
        raise NotHere(
            "redis-server is missing; on Debian: apt-get install redis-server"
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [binary, "--port", str(port), "--dir", folder, "--save", ""]
        process = subprocess.Popen(
            [*command, *DURABLE.split()], stdout=subprocess.DEVNULL
        )
        try:
            address = f"redis://127.0.0.1:{port}/0"
            _await(address)
            yield address
        finally:
            process.terminate()
            process.wait()


def _await(address: str) -> None:
    end = time.monotonic() + 10
    with redis.Redis.from_url(address) as client:
        while time.monotonic() < end:
            with contextlib.suppress(redis.ConnectionError):
                client.ping()
                return
            time.sleep(0.01)
    raise NotHere("redis-server did not start")


@contextmanager
def peer() -> Iterator[Peer]:
    """A queue with worker processes."""
    with server() as address, redis.Redis.from_url(address) as client:
        queue = rq.Queue("bench", connection=client)
        command = [sys.executable, "-m", "rq.cli", "worker", "bench", "--url", address]
        processes = [
            subprocess.Popen(
                [*command, *WORKER.split()],
                env=environ(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(WORKERS)
        ]

        def many(count: int) -> None:
            for job in [queue.enqueue(noop) for _ in range(count)]:
                job.latest_result(timeout=60)

        def one() -> float:
            result = queue.enqueue(first_line).latest_result(timeout=60)
            assert result is not None  # a minute is enough for a first line
            return float(result.return_value)

        try:
            yield Peer(
                "RQ, no fork",
                "all (Redis, append-only file, synced each second)",
                True,
                many,
                one,
                workers=lambda: [process.pid for process in processes],
                jobs=500,
            )
        finally:
            for process in processes:
                process.kill()
                process.wait()
