"""Ten gigabytes from one job: the disk stays near the cap, and other jobs are heard.

A process of its own asks every two milliseconds what the whole home takes of the disk
(allocated blocks; holes are none), the way ``du`` does. Meanwhile another job's status
is asked for. The output is written by a program (``yes``, ``head``), with pauses too,
or by the body, by lines and in large pieces.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

from chutes_nb import Chute, Job, runtime
from chutes_nb.store.logs import FLOOD_TAIL_BYTES, HEAD_BYTES, cap_bytes
from living import living_in
from rows import until

from .verdict import Verdict

GIGA = 1_000_000_000
ASK_S = 0.02
MOST_S = 900.0
MOST_STATUS_S = 0.2
MOST_ABOVE = 0.02  # of the looks may find more: where the cap is reached all is kept
LINE = "x" * 79
# Each samples until its input ends, then prints what it saw, in bytes.
SAMPLER = """
import os, select, sys, time
def taken(folder):
    total = 0
    for entry in os.scandir(folder):
        try:
            if entry.is_dir(follow_symlinks=False):
                total += taken(entry.path)
            else:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
        except FileNotFoundError:
            pass
    return total
seen = []
print(flush=True)
while not select.select([sys.stdin], [], [], 0.002)[0]:
    seen.append(taken(sys.argv[1]))
print(*seen)
"""


class Sampler:
    """Asks what a folder takes of the disk, from a process of its own."""

    def __init__(self, folder: Path) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", SAMPLER, str(folder)]
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()  # it is there

    def seen(self) -> list[int]:
        """End it; the sizes that it saw, in bytes."""
        told, _ = self._process.communicate()
        return [int(size) for size in told.split()]


def by_program(command: str) -> Callable[[Chute, int], Job]:
    """Return who submits a job whose output a shell command writes."""

    def submit(chute: Chute, size: int) -> Job:
        @chute.job
        def flood(command: str):
            import subprocess

            subprocess.run(["sh", "-c", command], check=False)

        return flood.submit(command=command.format(size=size, tenth=size // 10))

    return submit


def by_lines(chute: Chute, size: int) -> Job:
    """Submit a job that prints line by line."""

    @chute.job
    def flood(size: int):
        for _ in range(size // 80):
            print(LINE)

    return flood.submit(size=size)


def by_pieces(chute: Chute, size: int) -> Job:
    """Submit a job that prints a megabyte at a time."""

    @chute.job
    def flood(size: int):
        piece = (LINE + "\n") * 12_500
        for _ in range(size // len(piece)):
            print(piece, end="")

    return flood.submit(size=size)


def watched(
    submit: Callable[[Chute, int], Job], size: int, most_above: float
) -> tuple[bool, str]:
    """Run one flood to its end; whether all was as promised, and the figures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        living_in(Path(folder, "home"), workers=2) as chute,
    ):

        @chute.job
        def wait_for(flag: str):
            import os
            import time

            while not os.path.exists(flag):
                time.sleep(0.05)

        other = wait_for.submit(flag=str(Path(folder, "over")))
        store = runtime.store()
        until(lambda: other.status == "running")
        until(store.ballast.path.exists)
        sampler, answers, tails = Sampler(store.home), [], []
        time.sleep(0.2)
        began = time.monotonic()
        job = submit(chute, size)
        while not job.done() and time.monotonic() - began < MOST_S:
            asked = time.monotonic()
            is_running = other.status == "running"
            answers.append(time.monotonic() - asked)
            assert is_running, other.reason
            asked = time.monotonic()
            job.logs(tail=100)
            tails.append(time.monotonic() - asked)
            time.sleep(ASK_S)
        took = time.monotonic() - began
        seen = sampler.seen()
        Path(folder, "over").touch()
        log, state = job.logs(), str(job.status)
        other.wait(MOST_S)
    late, tail = (quantiles(one, n=20)[-1] for one in (answers, tails))
    above, growth = grown_by(seen)
    words = (
        f"{state}, {size / GIGA:.1f} GB in {took:.1f} s "
        f"({size / took / GIGA:.2f} GB/s); grown by {growth}; "
        f"status p95 {1e3 * late:.1f} ms, tail p95 {1e3 * tail:.1f} ms; "
        f"log of {len(log) / 1e6:.1f} MB; load {os.getloadavg()[0]:.1f}"
    )
    is_right = state == "completed" and len(log) >= HEAD_BYTES + FLOOD_TAIL_BYTES
    return is_right and above <= most_above and late < MOST_STATUS_S, words


def grown_by(seen: list[int]) -> tuple[float, str]:
    """Say by how much a home has grown; first the share of looks above what it may."""
    grown = sorted(one - seen[0] for one in seen)
    most = cap_bytes() * 1.1
    above = sum(one > most for one in grown) / len(grown)
    words = (
        f"p50 {_mega(grown, 50)}, p95 {_mega(grown, 95)}, p99 {_mega(grown, 99)}, "
        f"at most {grown[-1] / 1e6:.1f}, at the end "
        f"{(seen[-1] - seen[0]) / 1e6:.1f} MB ({above:.2%} of {len(grown)} looks above "
        f"{most / 1e6:.2f})"
    )
    return above, words


def _mega(grown: list[int], percent: int) -> str:
    return f"{grown[(len(grown) - 1) * percent // 100] / 1e6:.1f}"


PAUSING = "for n in 1 2 3 4 5 6 7 8 9 10; do yes | head -c {tenth}; sleep 0.3; done"
SLOWER = {"pauses": 5, "lines": 10}  # of these a smaller part
FLOODS: dict[str, Callable[[Chute, int], Job]] = {
    "yes": by_program("yes | head -c {size}"),
    "head": by_program("head -c {size} /dev/zero"),
    "pauses": by_program(PAUSING),
    "lines": by_lines,
    "pieces": by_pieces,
}


def prove(count: int) -> Verdict:
    """So many tenths of a gigabyte by each of the ways; less by the slower ones."""
    holds, words = True, []
    for name, submit in FLOODS.items():
        size = max(GIGA // 10, count * GIGA // 10 // SLOWER.get(name, 1))
        is_right, found = watched(submit, size, MOST_ABOVE)
        holds &= is_right
        words.append(f"{name}: {found}")
    return Verdict(holds, "\n  " + "\n  ".join(words))
