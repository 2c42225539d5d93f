"""A disk that fills up at any write loses no job, and says so in words.

The store lies on a tmpfs of its own. Before each round it is filled but for so many
pages, one more each time, so that another write is the first one without room: of the
log, of its shared memory, of the journal, of a result, of a worker's folder.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from chutes_nb import runtime
from chutes_nb.errors import StoreFull
from living import living_in
from rows import until

from .verdict import Verdict

SIZE, PAGE_BYTES = "24m", 4096
MOST_JOBS = 400
BALLAST_EACH = 8
S = 60.0


@contextlib.contextmanager
def small_disk(place: Path, size: str = SIZE) -> Iterator[Path]:
    """A folder on a tmpfs of so many bytes.

    Raises
    ------
    PermissionError
        If nobody may mount one here.
    """
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", place]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PermissionError(done.stderr.strip())
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(place: Path, leave: int = 0) -> Path:
    """Take all room but so many bytes; returns the file to remove."""
    found = os.statvfs(place)
    file = place / "filler"
    with file.open("wb") as taken, contextlib.suppress(OSError):
        room = found.f_bavail * found.f_frsize - leave
        while room > 0:
            room -= os.write(taken.fileno(), bytes(min(room, 1 << 16)))
    return file


def prove(count: int) -> Verdict:
    """So many rounds, each with one page more of room than the one before."""
    with (
        tempfile.TemporaryDirectory() as folder,
        small_disk(Path(folder, "disk")) as place,
        living_in(place / "home", workers=2) as chute,
    ):

        @chute.job
        def work(n: int):
            if n % 4 == 0:
                print("a line of job", n)
            return f"{n}:" + "x" * (n % 5 * 1000)

        store = runtime.store()
        ballast = store.ballast.path
        ends: Counter[str] = Counter()
        words: Counter[str] = Counter()
        wrong, number, slowest = [], 0, 0.0
        for round_ in range(count):
            filler = fill(place, leave=round_ * PAGE_BYTES)
            acknowledged = {}
            with contextlib.suppress(StoreFull):
                for _ in range(MOST_JOBS):
                    acknowledged[number] = work.submit(n=number)
                    number += 1
                wrong.append(f"round {round_}: never full")
            filler.unlink()
            began = time.monotonic()
            for n, job in acknowledged.items():
                job.wait(S)
                ends[str(job.status)] += 1
                if job.status == "completed":
                    is_right = job.result(S) == f"{n}:" + "x" * (n % 5 * 1000)
                else:
                    words[job.reason or ""] += 1
                    is_right = "No space left" in (job.reason or "")
                if not is_right:
                    wrong.append(f"job {n}: {job.status}, {job.reason}")
            if work.submit(n=number).result(S) is None:
                wrong.append(f"round {round_}: no work after")
            slowest = max(slowest, time.monotonic() - began)
            number += 1
            if round_ % BALLAST_EACH == 0:  # taken anew each two seconds at most
                until(ballast.exists, S)
            store.prune(older_than_s=0)
            store.checkpoint(0)
        wrong += store.problems()
    told = "; ".join(f"{n} x {text}" for text, n in words.items())
    return Verdict(
        not wrong,
        f"{count} rounds, full at another write each, {sum(ends.values())} "
        f"acknowledged jobs: {dict(ends)}; the last of a round ended at most "
        f"{slowest:.1f} s after there was room again; {told or 'none failed'}"
        f"{'; ' * bool(wrong)}{' | '.join(wrong[:5])}",
    )
