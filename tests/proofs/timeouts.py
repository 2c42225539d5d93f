"""Nothing is left of a job that ran out of time, whatever it had started.

Each body starts a subprocess and a grandchild in a session of its own, both deaf to
SIGTERM, and hangs. Five seconds after a job's limit nothing of it may be left.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from pathlib import Path

from chutes_nb import Chute
from chutes_nb.processes import is_zombie
from living import living_in

from .verdict import Verdict

TIMEOUT_S, GRACE_S, WITHIN_S = 0.5, 0.5, 5.0
DEAF = "trap '' TERM; echo $$ >> {path}; while :; do sleep 1; done"


def hang(self, path: str):
    """Start a child and a daemon, and hang."""
    script = DEAF.format(path=path)
    subprocess.run(["setsid", "--fork", "bash", "-c", script], check=True)
    with subprocess.Popen(["bash", "-c", script]):
        time.sleep(600)


def left_over(folder: Path, name: str) -> list[int]:
    """Processes of one job that still are there."""
    found = [int(line) for line in (folder / name).read_text().split()]
    return [pid for pid in found if not is_zombie(pid)]


def survivors(chute: Chute, folder: Path, count: int) -> tuple[int, int, list[int]]:
    """Run jobs into their limit.

    Returns
    -------
    tuple
        How many timed out, how many processes they had started, and which of these
        were there five seconds after the limit of their job.
    """
    job_function = chute.job(timeout=TIMEOUT_S, grace=GRACE_S)(hang)
    jobs = [job_function.submit(path=str(folder / str(n))) for n in range(count)]
    left: list[int] = []

    def watch(number: int) -> None:
        job = jobs[number]
        job.wait(600)
        # From its beginning, not its end: an end that comes late is no excuse.
        limit = job.info.started_at + TIMEOUT_S
        time.sleep(max(0.0, limit + WITHIN_S - time.time()))
        left.extend(left_over(folder, str(number)))

    threads = [threading.Thread(target=watch, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    timed_out = sum(job.status == "timeout" for job in jobs)
    started = sum(len(path.read_text().split()) for path in folder.iterdir())
    return timed_out, started, left


def prove(count: int) -> Verdict:
    """So many jobs run into their limit, four at once."""
    with tempfile.TemporaryDirectory() as place, living_in(Path(place), 4) as chute:
        folder = Path(place, "pids")
        folder.mkdir()
        began = time.monotonic()
        timed_out, started, left = survivors(chute, folder, count)
        took = time.monotonic() - began
    return Verdict(
        timed_out == count and started == 2 * count and not left,
        f"{timed_out} of {count} jobs timed out, in {took:.0f} s; {started} processes "
        f"were started, {len(left)} were left {WITHIN_S:g} s after the limit",
    )
