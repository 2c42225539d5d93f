"""The kernel is killed, or kernel and host together: everything completes by itself."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

from chutes_nb import processes, waking
from chutes_nb.paths import interpreter
from chutes_nb.store import Store
from kernels import Kernel
from living import end_host, holders
from rows import until

from .verdict import Verdict

S = 120.0
RUNNING, QUEUED, MANY = 10, 50, 1000
MOST_S = 2.0  # from a new kernel to all jobs adopted
CELL = """
from chutes_nb import Chute, configure
configure(max_workers={running})
chute = Chute(name="killing")

@chute.job(retry=1, retry_delay=0, timeout=600)
def work(self, n: int, folder: str):
    import os, time
    fd = os.open(folder + "/ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{{n}} {{self.attempt}}\\n".encode())
    os.close(fd)
    while not {{"all", str(n)}} & set(os.listdir(folder)):
        time.sleep(0.02)
    return n

jobs = work.map([{{"n": n, "folder": {folder!r}}} for n in range({count})])
import time
while sum(job.running() for job in jobs) < {running}:
    time.sleep(0.02)
"""


class Scene:
    """A home with jobs in it, and a folder whose files let them go on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.gates = folder, folder / "gates"
        self.gates.mkdir()

    def kernel_with_jobs(self, count: int) -> Kernel:
        kernel = Kernel(self.folder).__enter__()
        cell = CELL.format(running=RUNNING, count=count, folder=str(self.gates))
        kernel.run(cell)
        self.store = Store(kernel.home)
        return kernel

    def starts(self) -> Counter[str]:
        """How often each attempt of each job has begun."""
        return Counter((self.gates / "ledger").read_text().splitlines())

    def hosts(self) -> list[int]:
        return holders(waking.host_lock(self.store, interpreter()))

    def has_host_at_work(self) -> bool:
        """Whether a host has taken over all that is left."""
        rows = self.store.reader.all(
            "SELECT DISTINCT e.kind, e.lease FROM jobs j JOIN executors e"
            " ON e.id = j.executor WHERE j.finished_at IS NULL"
        )
        return [row["kind"] for row in rows] == ["host"] and processes.is_held(
            Path(rows[0]["lease"])
        )

    def counts(self) -> tuple[int, int, int]:
        found = self.store.counts()
        return found["running"], found["queued"], found["completed"]

    def close(self) -> None:
        end_host(self.store)
        self.store.close()


def kill(*pids: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def pid_of(kernel: Kernel) -> int:
    return int(kernel.manager.provisioner.pid)  # type: ignore[union-attr]


def kernel_alone() -> Verdict:
    """Only the kernel is killed, and no other one comes."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        kernel = scene.kernel_with_jobs(RUNNING + QUEUED)
        before = scene.counts()
        kill(pid_of(kernel))
        (scene.gates / "all").touch()
        began = time.monotonic()
        until(lambda: scene.counts() == (0, 0, RUNNING + QUEUED), S)
        took = time.monotonic() - began
        starts = scene.starts()
        scene.close()
        kernel.__exit__()
    is_right = before[:2] == (RUNNING, QUEUED) and set(starts.values()) == {1}
    return Verdict(
        is_right and len(starts) == RUNNING + QUEUED,
        f"kernel killed with {before[0]} running and {before[1]} queued: "
        f"{len(starts)} completed with no kernel {took:.1f} s later, each begun once",
    )


def kernel_and_host(queued: int = QUEUED, most_s: float = MOST_S) -> Verdict:
    """Host and kernel are killed in one moment; one new kernel is started."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        kernel = scene.kernel_with_jobs(RUNNING + queued + 1)
        kill(pid_of(kernel))
        (scene.gates / "0").touch()  # its worker is alone then, and starts the host
        until(lambda: scene.has_host_at_work(), S)
        until(lambda: scene.counts()[:2] == (RUNNING, queued), S)
        kernel.restart(kill=True)  # comes to a host at work, and is killed with it
        hosts = scene.hosts()
        kernel.client.execute("%load_ext chutes_nb")
        kill(pid_of(kernel), *hosts)
        until(lambda: not set(hosts) & set(scene.hosts()))
        kernel.restart(kill=True)
        began = time.monotonic()
        kernel.run("%load_ext chutes_nb")
        own = kernel.value("from chutes_nb import runtime\nruntime.executor().id")
        query = "SELECT DISTINCT executor FROM jobs WHERE finished_at IS NULL"
        until(lambda: [row[0] for row in scene.store.reader.all(query)] == [own], 30)
        ready = "sum(one.is_ready for one in runtime.executor().handles)"
        until(lambda: kernel.value(ready) == RUNNING, 30)
        took = time.monotonic() - began
        counts = scene.counts()
        (scene.gates / "all").touch()
        until(lambda: scene.counts() == (0, 0, RUNNING + queued + 1), S)
        starts = scene.starts()
        kernel.run("runtime.stop()")
        scene.close()
        kernel.__exit__()
    is_right = counts == (RUNNING, queued, 1) and set(starts.values()) == {1}
    return Verdict(
        is_right and took < most_s and len(hosts) == 1,
        f"kernel and host killed together: {took:.2f} s from %load_ext to "
        f"{counts[0]} running jobs adopted and {counts[1]} queued; then "
        f"{len(starts)} completed, each begun once",
    )


def prove(count: int) -> Verdict:
    """Both so many times, and once with many jobs that wait."""
    verdicts = [way() for _ in range(count) for way in (kernel_alone, kernel_and_host)]
    verdicts.append(kernel_and_host(MANY))
    bad = [one for one in verdicts if not one.holds]
    shown = bad or verdicts[-3:]
    return Verdict(
        not bad,
        f"{len(verdicts) - len(bad)} of {len(verdicts)}; "
        + "; ".join(one.words for one in shown[:4]),
    )
