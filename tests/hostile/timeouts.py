"""Counts what is left of jobs that ran out of time: ``python timeouts.py [JOBS]``.

Each body starts a subprocess and a grandchild in a session of its own, both deaf to
SIGTERM, and hangs. Five seconds after a job's limit nothing of it may be left.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from chutes_nb import Chute, runtime
from chutes_nb.processes import is_zombie

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


def main() -> int:
    """Run it, print what was found; 1 where something was left."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as home:
        os.environ["CHUTES_NB_HOME"] = str(Path(home) / "home")
        os.environ["CHUTES_NB_MAX_WORKERS"] = "4"
        folder = Path(home) / "pids"
        folder.mkdir()
        began = time.monotonic()
        chute = Chute(username="me", name="timeouts")
        timed_out, started, left = survivors(chute, folder, count)
        took = time.monotonic() - began
        runtime.stop()
    print(
        f"{timed_out} of {count} jobs timed out, in {took:.0f} s; "
        f"{started} processes were started, {len(left)} were left {WITHIN_S:g} s "
        "after the limit"
    )
    return int(timed_out < count or started < 2 * count or bool(left))


if __name__ == "__main__":
    sys.exit(main())
