"""How soon every state is right again after kill -9 with 1,000 jobs in flight."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from chutes_nb import processes, runtime
from chutes_nb.store import Store

from .peers.own import home
from .peers.work import environ
from .table import milliseconds

RUNNING = 8
KERNEL = """
import sys, time
from chutes_nb import Chute, configure
configure(max_workers=int(sys.argv[1]))
chute = Chute(name="bench")

@chute.job(retry=1, retry_delay=0.01, grace=0.1)
def long(self, seconds: float) -> None:
    print("begun")
    time.sleep(seconds)

jobs = long.map([{"seconds": 600}] * int(sys.argv[2]))
while sum(job.running() for job in jobs[:int(sys.argv[1])]) < int(sys.argv[1]):
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(600)
"""
# Wrong is what nobody living answers for: a job of an executor that is gone, or one
# that is said to run where no process is.
WRONG = """
SELECT count(*)
  FROM jobs
 WHERE finished_at IS NULL
   AND (executor NOT IN (SELECT id FROM executors
                          WHERE ended_at IS NULL AND id <> :dead)
        OR state = 'running' AND worker IN (SELECT value FROM json_each(:gone)))
"""


def measure(jobs: int = 1000) -> Iterator[tuple[str, str]]:
    """What was measured, and how long it took."""
    for with_workers, who in ((False, "the kernel"), (True, "kernel and workers")):
        with home(workers=RUNNING):
            took = recover(jobs, with_workers)
        what = f"all states right after `kill -9` of {who}, {jobs:,} jobs in flight"
        yield f"{what}, {RUNNING} of them running", milliseconds(took)


def recover(jobs: int, with_workers: bool) -> float:
    """Kill a kernel that has submitted jobs; seconds until the next has them right."""
    command = [sys.executable, "-c", KERNEL, str(RUNNING), str(jobs)]
    kernel = subprocess.Popen(command, env=environ(), stdout=subprocess.PIPE)
    assert kernel.stdout is not None  # asked for above
    kernel.stdout.readline()
    store = runtime.store()
    dead = store.reader.one("SELECT id FROM executors WHERE ended_at IS NULL")
    assert dead is not None  # it has jobs
    workers = store.reader.all("SELECT id, lease FROM workers WHERE ended_at IS NULL")
    with kernel:
        kernel.kill()
    if with_workers:
        for worker in workers:
            processes.kill_marked(worker["id"])
            while processes.is_held(Path(worker["lease"])):
                time.sleep(0.001)
    gone = [worker["id"] for worker in workers] if with_workers else []
    began = time.perf_counter()
    runtime.executor()
    wait_until_right(store, dead["id"], gone)
    took = time.perf_counter() - began
    end(store, [worker["id"] for worker in workers])
    return took


def wait_until_right(store: Store, dead: str, gone: list[str]) -> None:
    """Look until nothing is wrong any more."""
    names = "[" + ",".join(f'"{one}"' for one in gone) + "]"
    end_at = time.monotonic() + 60
    while True:
        row = store.reader.one(WRONG, {"dead": dead, "gone": names})
        if row is not None and row[0] == 0:
            return
        if time.monotonic() > end_at:
            raise TimeoutError("the states did not come right within a minute")
        time.sleep(0.001)


def end(store: Store, workers: list[str]) -> None:
    """End what the killed kernel had started."""
    runtime.stop()
    for row in store.reader.all("SELECT id FROM workers WHERE ended_at IS NULL"):
        processes.kill_marked(row["id"])
    for worker in workers:
        processes.kill_marked(worker, spare=os.getpid())
