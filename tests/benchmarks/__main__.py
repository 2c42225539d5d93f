"""``make bench``: how long the common steps take here, beside others, in one table.

Peers are started one at a time, in rounds, and medians are shown, since machines
differ and so do the minutes of one machine: read the ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from . import costs, million, reading, recovery, startup
from .peers import MODULES, WORKERS
from .responsiveness import answers_ms
from .speed import compare
from .table import number, rows

OUT = Path(__file__).resolve().parents[1] / "out" / "bench.md"
Measured = Iterator[tuple[str, str]]


def answers() -> Measured:
    """How soon a kernel answers while jobs burn the processors."""
    for busy in (0, 4):
        times = answers_ms(busy)
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        said = f"{number(p50)} ms (p99 {number(p99)})"
        yield f"a kernel answers `1` with {busy} CPU-bound jobs, p50", said


def machine() -> str:
    """Name the machine and the day."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [one for one in cpuinfo.read_text().splitlines() if "model name" in one]
        model = names[0].split(":", 1)[1].strip() if names else model
    return (
        f"{datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores of {model}, "
        f"load {os.getloadavg()[0]:.1f}; {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all peers")
    parser.add_argument("--singles", type=int, default=500, help="single jobs a round")
    parser.add_argument("--share", type=float, default=1.0, help="share of the jobs")
    parser.add_argument(
        "--jobs", type=int, default=1_000_000, help="in the large store"
    )
    parser.add_argument(
        "--only", nargs="*", default=[*MODULES, *SINGLE], help="peers and measures"
    )
    return parser.parse_args()


SINGLE: dict[str, Callable[[argparse.Namespace], Measured]] = {
    "costs": lambda asked: costs.measure(),
    "startup": lambda asked: startup.measure(),
    "reading": lambda asked: reading.measure(),
    "kernel": lambda asked: answers(),
    "recovery": lambda asked: recovery.measure(),
    "million": lambda asked: million.measure(asked.jobs),
}


def main() -> None:
    """Measure, print the tables, and write them to tests/out/bench.md."""
    asked = options()
    OUT.parent.mkdir(exist_ok=True)
    parts = [
        machine(),
        f"{asked.rounds} rounds, one peer at a time, {WORKERS} workers each; medians; "
        "in brackets against ProcessPoolExecutor.",
    ]
    print("\n\n".join(parts), flush=True)

    def say(part: str) -> None:
        parts.append(part)
        print(f"\n{part}", flush=True)
        OUT.write_text("\n\n".join(parts) + "\n")

    peers = [one for one in MODULES if one in asked.only]
    if peers:
        say(str(compare(peers, asked.rounds, asked.singles, asked.share)))
    alone: list[list[str]] = []
    for name in (one for one in SINGLE if one in asked.only):
        for what, said in SINGLE[name](asked):
            print(f"{what}: {said}", file=sys.stderr, flush=True)
            alone.append([what, said])
    if alone:
        say("\n".join(rows(["chutes_nb alone", ""], alone)))


if __name__ == "__main__":
    main()
