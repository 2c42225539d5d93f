"""``make bench``: how long the common steps take here, beside others, in one table.

Rounds are interleaved and medians are shown, since machines differ and so do the
minutes of one machine: read the ratios.
"""

from __future__ import annotations

import platform
import sqlite3
import statistics
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime

from tests.benchmarks.peers import Peer, chutes, process_pool
from tests.benchmarks.responsiveness import answers_ms

ROUNDS = 3
JOBS = 2000
SINGLE = 200


def measure(peer: Peer, found: dict[tuple[str, str], list[float]]) -> None:
    """One round of one peer."""
    began = time.perf_counter()
    peer.many(JOBS)
    found[peer.name, "jobs/s"].append(JOBS / (time.perf_counter() - began))
    mapped = getattr(peer, "mapped", None)
    if mapped is not None:
        began = time.perf_counter()
        mapped(JOBS)
        found[peer.name, "mapped jobs/s"].append(JOBS / (time.perf_counter() - began))
    starts, whole = [], []
    for _ in range(SINGLE):
        began = time.perf_counter()
        first = peer.one()
        whole.append((time.perf_counter() - began) * 1000)
        starts.append((first - began) * 1000)
    found[peer.name, "start p50 ms"].append(statistics.median(starts))
    found[peer.name, "result p50 ms"].append(statistics.median(whole))
    found[peer.name, "result p99 ms"].append(sorted(whole)[int(SINGLE * 0.99)])


def main() -> None:
    """Measure, and print the tables."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with ExitStack() as stack:
        peers = [stack.enter_context(process_pool()), stack.enter_context(chutes())]
        for peer in peers:
            peer.many(50)  # workers are warm, as in a notebook after its first job
        for _ in range(ROUNDS):
            for peer in peers:
                measure(peer, found)
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, SQLite "
        f"{sqlite3.sqlite_version}, {ROUNDS} interleaved rounds of {JOBS} no-ops and "
        f"{SINGLE} single jobs, 2 workers; medians, x = against ProcessPoolExecutor\n"
    )
    names = [
        "jobs/s",
        "mapped jobs/s",
        "start p50 ms",
        "result p50 ms",
        "result p99 ms",
    ]
    print("| | durability | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names))
    for peer in peers:
        cells = []
        for name in names:
            values = found.get((peer.name, name))
            if not values:
                cells.append("-")
                continue
            value = statistics.median(values)
            base = found.get(("ProcessPoolExecutor", name))
            ratio = f" ({value / statistics.median(base):.2f}x)" if base else ""
            cells.append(
                f"{value:,.2f}{ratio}" if value < 100 else f"{value:,.0f}{ratio}"
            )
        print(f"| {peer.name} | {peer.durability} | " + " | ".join(cells) + " |")
    for busy in (0, 4):
        times = answers_ms(busy)
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        said = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"
        print(f"\nkernel answers 1 with {busy} CPU-bound jobs: {said}")


if __name__ == "__main__":
    main()
