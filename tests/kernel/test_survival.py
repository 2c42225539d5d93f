"""Jobs go on while their kernel is interrupted, restarted and killed."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.provisioning import LocalProvisioner

from chutes_nb.store import Store
from kernels import Kernel
from rows import until

pytestmark = pytest.mark.kernel

# The body tells its process, waits for a file between two halves, and tells more:
# what happens to the kernel happens while it is known to run.
CELL = """
from chutes_nb import Chute, get_job
chute = Chute(name="survival")

@chute.job(timeout=120)
def work(self, go: str) -> dict:
    import os, pathlib, time
    for i in range(20):
        print("line", i)
        time.sleep(0.01)
    print("half way")
    while not pathlib.Path(go).exists():
        time.sleep(0.01)
    for i in range(20, 40):
        print("line", i)
    return {"pid": os.getpid(), "lines": list(range(40))}
"""
LINES = [*(f"line {i}" for i in range(20)), "half way"]
LINES += [f"line {i}" for i in range(20, 40)]


@pytest.fixture
def own_kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel for one test, since the test ends it."""
    with Kernel(tmp_path) as started:
        yield started


def submitted(kernel: Kernel, go: Path) -> str:
    """Id of a job that is half way through."""
    kernel.run(CELL)
    job_id = kernel.value(f"job = work.submit(go={str(go)!r})\njob.id")
    half = "import time\nwhile 'half way' not in job.logs():\n    time.sleep(0.02)"
    kernel.run(half)
    return str(job_id)


def kernel_pid(kernel: Kernel) -> int:
    provisioner = kernel.manager.provisioner
    assert isinstance(provisioner, LocalProvisioner)
    return int(provisioner.pid or 0)


def interrupt(kernel: Kernel) -> None:
    kernel.manager.interrupt_kernel()


def restart(kernel: Kernel) -> None:
    kernel.restart()


def restart_now(kernel: Kernel) -> None:
    kernel.restart(kill=True)


def kill_9(kernel: Kernel) -> None:
    os.kill(kernel_pid(kernel), signal.SIGKILL)
    kernel.restart(kill=True)


EVENTS = [interrupt, restart, restart_now, kill_9]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_a_running_job_goes_on_through(
    own_kernel: Kernel, tmp_path: Path, event: Callable[[Kernel], None]
) -> None:
    go = tmp_path / "go"
    job_id = submitted(own_kernel, go)
    worker = "[r[0] for r in job._store.reader.all('SELECT worker FROM attempts')]"
    before = own_kernel.value(worker)

    event(own_kernel)
    own_kernel.run(f"from chutes_nb import get_job\njob = get_job({job_id!r})")
    assert own_kernel.value("str(job.status)") == "running"
    go.touch()

    result = own_kernel.value("job.result(30)")
    assert result["lines"] == list(range(40))
    assert own_kernel.value("[a.number for a in job.attempts]") == [1]
    assert own_kernel.value(worker) == before
    assert own_kernel.value("job.logs()").splitlines() == LINES


def test_a_job_that_ends_while_no_kernel_lives_is_completed_when_the_next_looks(
    own_kernel: Kernel, tmp_path: Path
) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    own_kernel.run(CELL)
    own_kernel.run(
        "@chute.job\n"
        "def leaves(go: str, done: str):\n"
        "    import pathlib, time\n"
        "    print('begun')\n"
        "    while not pathlib.Path(go).exists():\n"
        "        time.sleep(0.01)\n"
        "    print('ended')\n"
        "    pathlib.Path(done).touch()\n"
        "    return 'left behind'\n"
    )
    job_id = own_kernel.value(
        f"job = leaves.submit(go={str(go)!r}, done={str(done)!r})\njob.id"
    )
    own_kernel.run("import time\nwhile not job.logs():\n    time.sleep(0.02)")
    os.kill(kernel_pid(own_kernel), signal.SIGKILL)

    go.touch()
    until(done.exists)
    own_kernel.restart(kill=True)

    # No waiting: it was settled by the worker itself, before anybody came.
    look = f"from chutes_nb import get_job\njob = get_job({job_id!r})\n"
    own_kernel.run(f"{look}while not job.done():\n    pass")
    assert own_kernel.value("job.result_now(), job.logs()") == (
        "left behind",
        "begun\nended\n",
    )


def test_a_queued_job_of_a_killed_kernel_runs_under_the_next(
    own_kernel: Kernel, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    submitted(own_kernel, go)
    queued = own_kernel.value(
        "from chutes_nb import configure\n"
        "configure(max_workers=1)\n"
        f"later = work.submit(go={str(go)!r})\n"
        "later.id"
    )
    os.kill(kernel_pid(own_kernel), signal.SIGKILL)
    own_kernel.restart(kill=True)
    go.touch()

    result = own_kernel.value(
        f"from chutes_nb import get_job\nget_job({queued!r}).result(30)"
    )
    assert result["lines"] == list(range(40))


def test_queued_jobs_of_a_killed_kernel_run_with_no_kernel_at_all(
    own_kernel: Kernel, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    submitted(own_kernel, go)
    own_kernel.run(
        "from chutes_nb import configure\n"
        "configure(max_workers=1)\n"
        f"later = work.map([{{'go': {str(go)!r}}}] * 3)"
    )
    store = Store(own_kernel.home)
    os.kill(kernel_pid(own_kernel), signal.SIGKILL)
    go.touch()
    until(lambda: store.counts()["completed"] == 4, 60)
    numbers = store.reader.all("SELECT DISTINCT number FROM attempts")
    assert [row[0] for row in numbers] == [1]
    store.close()


# Keeps each item as it comes, and hangs in the middle of the first attempt.
ITEMS = """
from chutes_nb import Chute, get_job
chute = Chute(name="items")

@chute.job(timeout={timeout}, grace=1, retry={retry}, retry_on_timeout=True)
def items(self) -> dict:
    import time
    begun = self.restore(0)
    for n in range(begun, 100):
        if n == 50 and not begun:
            print("at 50")
            time.sleep(600)
        self.emit(n)
        self.item = n
        self.checkpoint(n + 1)
    return {{"begun": begun}}
"""
AT_50 = "import time\nwhile 'at 50' not in job.logs():\n    time.sleep(0.02)"


def test_what_a_job_kept_until_its_timeout_is_there_after_a_restart_and_gone_on_from(
    own_kernel: Kernel,
) -> None:
    own_kernel.run(ITEMS.format(timeout=5, retry=0))
    job_id = own_kernel.value("job = items.submit()\njob.wait(60)\njob.id")
    restart_now(own_kernel)

    own_kernel.run(f"from chutes_nb import get_job\njob = get_job({job_id!r})")
    assert own_kernel.value("str(job.status)") == "timeout"
    assert own_kernel.value("job.partial") == list(range(50))
    assert own_kernel.value("job.state") == {"item": 49}
    again = own_kernel.value("again = job.retry()\nagain.result(60), again.partial")
    assert again == ({"begun": 50}, list(range(50, 100)))


@pytest.mark.parametrize("event", [restart, kill_9], ids=lambda event: event.__name__)
def test_the_next_attempt_goes_on_from_the_checkpoint_though_the_kernel_went_meanwhile(
    own_kernel: Kernel, event: Callable[[Kernel], None]
) -> None:
    own_kernel.run(ITEMS.format(timeout=8, retry=1))
    job_id = own_kernel.value("job = items.submit()\njob.id")
    own_kernel.run(AT_50)
    event(own_kernel)

    own_kernel.run(f"from chutes_nb import get_job\njob = get_job({job_id!r})")
    assert own_kernel.value("job.result(60)") == {"begun": 50}
    ends = "[str(attempt.status) for attempt in job.attempts]"
    assert own_kernel.value(ends) == ["timeout", "completed"]
    assert own_kernel.value("job.partial") == list(range(100))


TELLS = """
from chutes_nb import Chute
chute = Chute(name="tells")

@chute.job
def tells(self, go: str, told: str):
    import pathlib, time
    print("begun")
    while not pathlib.Path(go).exists():
        time.sleep(0.01)
    for n in range(10):
        self.emit(n)
        self.log(step=n, loss=1 / (n + 1))
    self.item = 9
    time.sleep(0.5)  # it is told meanwhile, and not later with the end
    pathlib.Path(told).touch()
"""


def test_what_a_job_had_told_a_kernel_is_not_lost_with_it_and_is_there_once(
    own_kernel: Kernel, tmp_path: Path
) -> None:
    go, told = tmp_path / "go", tmp_path / "told"
    own_kernel.run(TELLS)
    job_id = own_kernel.value(
        f"job = tells.submit(go={str(go)!r}, told={str(told)!r})\njob.id"
    )
    own_kernel.run("import time\nwhile not job.logs():\n    time.sleep(0.02)")
    store = Store(own_kernel.home)
    gate = store.gate()
    gate.enter()  # so that the kernel can write nothing of what it hears
    try:
        go.touch()
        until(told.exists)
        os.kill(kernel_pid(own_kernel), signal.SIGKILL)
    finally:
        gate.leave()
    until(lambda: store.counts()["completed"] == 1, 60)
    store.close()
    own_kernel.restart(kill=True)
    own_kernel.run(f"from chutes_nb import get_job\njob = get_job({job_id!r})")
    assert own_kernel.value("job.partial") == list(range(10))
    assert own_kernel.value("job.state") == {"item": 9}
    assert own_kernel.value("[n for n, _ in job.metrics['loss']]") == list(range(10))


def test_the_kernel_answers_while_four_jobs_burn_the_processors(
    own_kernel: Kernel,
) -> None:
    own_kernel.run(
        "from chutes_nb import Chute, configure\n"
        "configure(max_workers=4)\n"
        "chute = Chute(name='busy')\n"
        "@chute.job\n"
        "def burn():\n"
        "    while True:\n"
        "        pass\n"
        "jobs = [burn.submit() for _ in range(4)]\n"
        "import time\n"
        "while not all(job.running() for job in jobs):\n"
        "    time.sleep(0.01)\n"
    )
    times = []
    for _ in range(20):
        began = time.perf_counter()
        assert own_kernel.value("1") == 1
        times.append(time.perf_counter() - began)
    own_kernel.run("[job.cancel() for job in jobs]\n[job.wait(30) for job in jobs]")
    # Generous: it is the freeze of a second that this finds, not a slow machine.
    assert statistics.median(times) < 1.0
