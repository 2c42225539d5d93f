"""Work goes on when no kernel is left: the detached host, and who takes over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from chutes_nb import host, processes, runtime, waking
from chutes_nb.errors import ChutesError
from chutes_nb.paths import interpreter
from chutes_nb.store import Store, fleet, intake, jobs
from living import holders, living_in
from rows import DEFINITION, NOBODY, NOW, queue, until

S = 60.0
PYTHON = interpreter()
# A kernel in small: submits jobs, says so once some of them run, and stays.
KERNEL = """
    import os, sys, time
    from chutes_nb import Chute, runtime
    chute = Chute(name="tests")
    folder, count, running = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

    @chute.job(retry=1, retry_delay=0, timeout=120)
    def work(self, n: int, folder: str):
        with open(f"{folder}/ledger", "a") as ledger:
            ledger.write(f"{self.job_id} {self.attempt} {os.getpid()}\\n")
        while not {f"gate-{n}", "gate"} & set(os.listdir(folder)):
            time.sleep(0.02)
        return n

    jobs = work.map([{"n": n, "folder": folder} for n in range(count)])
    while runtime.store().counts()["running"] < running:
        time.sleep(0.01)
    print(runtime.executor().id, flush=True)
    time.sleep(600)
"""
# Ends at once and in order, with a retry to come and no worker left.
SCRIPT = """
    import os, sys, time
    from chutes_nb import Chute
    chute = Chute(name="tests")

    @chute.job(retry=1, retry_delay=5)
    def second(self):
        if self.attempt == 1:
            os.kill(os.getpid(), 9)
        return sorted(os.environ)

    job = second.submit()
    while job.status != "retrying":
        time.sleep(0.01)
    print(job.id, flush=True)
"""


# The same, but its worker still is on its way out when it ends.
SLOW_EXIT = """
    import os, time
    from chutes_nb import Chute
    chute = Chute(name="tests")
    os.environ["CHUTES_NB_FAILPOINTS"] = "exit.before_unlock=1:sleep3"  # of workers

    @chute.job(retry=1, retry_delay=5, fresh=True)
    def second(self):
        if self.attempt == 1:
            raise ValueError("the first attempt fails")
        return sorted(os.environ)

    job = second.submit()
    while job.status != "retrying":
        time.sleep(0.01)
    del os.environ["CHUTES_NB_FAILPOINTS"]
    time.sleep(0.3)  # by then it has been told to go
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store whose jobs run for real; no executor of this process until asked."""
    with living_in(tmp_path / "home", workers=10):
        yield runtime.store()


class Kernel:
    """A process that has submitted jobs; ``with`` ends it."""

    def __init__(self, folder: Path, count: int, running: int) -> None:
        code = [PYTHON, "-c", textwrap.dedent(KERNEL), folder, str(count), str(running)]
        self.process = subprocess.Popen(code, stdout=subprocess.PIPE, text=True)
        self.executor = self.process.stdout.readline().strip()
        assert self.executor, "the kernel has ended"

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        with self.process:
            self.process.kill()


def killed_kernel(folder: Path, count: int, running: int) -> None:
    """Leave behind what a kernel does that is killed in the midst of its jobs."""
    with Kernel(folder, count, running):
        pass


def ledger(folder: Path) -> Counter[tuple[str, str]]:
    """How often each attempt of each job has begun, as the bodies wrote it."""
    lines = [line.split() for line in (folder / "ledger").read_text().splitlines()]
    return Counter((job, attempt) for job, attempt, _ in lines)


def completed(store: Store) -> int:
    return store.counts()["completed"]


def host_is_there(store: Store) -> bool:
    return processes.is_held(waking.host_lock(store, PYTHON))


def living_hosts(store: Store) -> list[str]:
    """Ids of the hosts that hold their lease."""
    rows = fleet.unended_executors(store.reader, PYTHON)
    return [
        row["id"]
        for row in rows
        if row["kind"] == "host" and processes.is_held(Path(row["lease"]))
    ]


def owners(store: Store) -> set[str]:
    """Executors of the jobs that have not ended."""
    rows = store.reader.all("SELECT executor FROM jobs WHERE finished_at IS NULL")
    return {row[0] for row in rows}


def host_at_work(store: Store, folder: Path) -> str:
    """Bring about a host that has taken over; its id."""
    killed_kernel(folder, 12, 10)
    (folder / "gate-0").touch()

    def found() -> set[str]:
        hosts = set(living_hosts(store))
        return hosts if owners(store) == hosts else set()

    return str(until(found, S).pop())


# -- no kernel at all --------------------------------------------------------
def test_all_completes_by_itself_when_only_the_kernel_was_killed(store, tmp_path):
    killed_kernel(tmp_path, 60, 10)
    (tmp_path / "gate").touch()
    until(lambda: completed(store) == 60, S)
    assert set(ledger(tmp_path).values()) == {1}
    assert {attempt for _, attempt in ledger(tmp_path)} == {"1"}
    assert runtime.current_executor() is None


def test_a_host_ends_itself_and_its_workers_when_nothing_is_left(store, tmp_path):
    killed_kernel(tmp_path, 12, 10)
    (tmp_path / "gate").touch()
    until(lambda: completed(store) == 12, S)
    until(lambda: not host_is_there(store), S)
    assert fleet.unended_executors(store.reader, PYTHON) == []
    assert not store.reader.all("SELECT 1 FROM workers WHERE ended_at IS NULL")
    assert [path.suffix for path in store.leases.iterdir()] == [".lock"]


def test_a_kernel_that_ends_with_no_worker_left_starts_the_host_itself(store):
    process = subprocess.run(
        [PYTHON, "-c", textwrap.dedent(SCRIPT)],
        env={**os.environ, "MINE": "kept", "JPY_PARENT_PID": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    until(lambda: completed(store) == 1, S)
    row = store.detail(process.stdout.strip())
    assert [one["status"] for one in row["attempts"]] == ["interrupted", "completed"]
    names = row["result"]["view"]["application/json"]
    assert "MINE" in names
    assert "JPY_PARENT_PID" not in names


def test_a_kernel_that_ends_with_its_last_worker_on_the_way_out_starts_the_host(store):
    subprocess.run([PYTHON, "-c", textwrap.dedent(SLOW_EXIT)], check=True)
    until(lambda: completed(store) == 1, S)


def test_a_host_keeps_to_the_number_of_workers_of_the_kernel_before_it(
    store, tmp_path, monkeypatch
):
    monkeypatch.setenv("CHUTES_NB_MAX_WORKERS", "2")
    killed_kernel(tmp_path, 8, 2)
    monkeypatch.delenv("CHUTES_NB_MAX_WORKERS")
    (tmp_path / "gate-0").touch()
    until(lambda: living_hosts(store), S)
    row = store.reader.one("SELECT max_workers FROM executors WHERE kind = 'host'")
    assert row[0] == 2


# -- who may be the host -----------------------------------------------------
def test_no_host_is_started_while_a_kernel_lives(store, tmp_path):
    with Kernel(tmp_path, 12, 10):
        assert waking.is_needed(store, PYTHON) is False
        assert waking.wake_host(store) is False
    assert waking.is_needed(store, PYTHON) is True


def test_no_host_is_started_for_what_a_living_worker_settles_alone(store, tmp_path):
    killed_kernel(tmp_path, 1, 1)
    assert waking.is_needed(store, PYTHON) is False
    (tmp_path / "gate").touch()
    until(lambda: completed(store) == 1, S)
    assert waking.is_needed(store, PYTHON) is False
    assert not host_is_there(store)


def test_of_two_who_would_start_the_host_one_wins(store, tmp_path):
    killed_kernel(tmp_path, 12, 10)
    lock = waking.claim_host(store, PYTHON)
    assert lock is not None
    assert waking.claim_host(store, PYTHON) is None
    assert waking.wake_host(store) is False
    os.close(lock)
    assert waking.wake_host(store) is True


def test_a_host_of_another_interpreter_leaves_these_jobs_alone(store, tmp_path):
    killed_kernel(tmp_path, 12, 10)
    assert waking.is_needed(store, "/another/python") is False


def test_a_second_host_is_refused_with_a_readable_word(store):
    lock = processes.take_lease(waking.host_lock(store, PYTHON))
    run = subprocess.run(
        [PYTHON, "-m", "chutes_nb.host", store.home],
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(lock)
    assert run.returncode == 1
    assert "runs already" in run.stderr


def test_an_idle_time_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("CHUTES_NB_HOST_IDLE_S", "soon")
    with pytest.raises(ChutesError, match="must be a number of seconds"):
        host.idle_s()


def test_a_living_kernel_keeps_its_jobs_where_it_has_another_temp_folder(
    store, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "run"
    elsewhere.mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(elsewhere))  # as in another container
        patch.setenv("TMPDIR", str(elsewhere))
        kernel = Kernel(tmp_path, 12, 10)
    with kernel:
        mine = runtime.executor()
        (tmp_path / "gate").touch()
        until(lambda: completed(store) == 12, S)
        rows = store.reader.all("SELECT DISTINCT executor FROM jobs")
        assert [row[0] for row in rows] == [kernel.executor]
        assert mine.handles == []


def test_an_executor_inside_a_job_is_nobodys_heir(store, tmp_path, monkeypatch):
    killed_kernel(tmp_path, 12, 10)
    with monkeypatch.context() as patch:
        patch.setenv(processes.WORKER_MARK, "a-worker")  # as in a job's environment
        nested = Kernel(tmp_path, 0, 0)
    with nested:
        assert waking.is_needed(store, PYTHON)
        (tmp_path / "gate").touch()
        until(lambda: completed(store) == 12, S)
    rows = store.reader.all("SELECT DISTINCT executor FROM jobs")
    assert nested.executor not in [row[0] for row in rows]
    assert set(ledger(tmp_path).values()) == {1}


# -- beside an earlier version -------------------------------------------------
@pytest.fixture
def other_name(tmp_path):
    """This interpreter as an earlier version named it: as it was started."""
    folder = tmp_path / "link"
    folder.symlink_to(Path(PYTHON).parent)
    return str(folder / Path(PYTHON).name)


def add_executor(store: Store, name: str, python: str, kind: str = "kernel") -> int:
    """Record an executor; it lives until what is returned is closed."""
    lease = store.leases / f"{name}.executor"
    with store.writing() as tx:
        place = {"python": python, "lease": str(lease), "sqlite": "3", "now": NOW}
        fleet.add_executor(tx, name, kind=kind, who=NOBODY, **place)
        jobs.add_definition(tx, DEFINITION)
    queue(store, executor=name)
    return processes.take_lease(lease)


def test_what_was_left_under_another_name_is_taken_over(store, tmp_path, other_name):
    killed_kernel(tmp_path, 12, 10)
    with store.writing() as tx:
        tx.run("UPDATE executors SET python = :name", {"name": other_name})
    assert waking.is_needed(store, PYTHON) is True
    mine = runtime.executor()
    until(lambda: owners(store) == {mine.id}, S)
    (tmp_path / "gate").touch()
    until(lambda: completed(store) == 12, S)
    assert set(ledger(tmp_path).values()) == {1}


def test_a_host_has_one_lock_whatever_its_interpreter_is_called(store, other_name):
    assert waking.host_lock(store, other_name) == waking.host_lock(store, PYTHON)
    os.close(add_executor(store, "old", other_name))
    assert waking.is_needed(store, other_name) is True
    assert waking.is_needed(store, PYTHON) is True


def test_who_knows_this_interpreter_by_another_name_only_is_no_heir(store, other_name):
    old = add_executor(store, "old", other_name)
    assert waking.is_needed(store, PYTHON) is False  # its own jobs it runs itself
    os.close(add_executor(store, "host", PYTHON, "host"))
    assert waking.is_needed(store, PYTHON) is True
    served = host.Host(store, 60.0, host.Request())
    assert served._has_successor() is False
    new = add_executor(store, "new", PYTHON)
    assert served._has_successor() is True
    assert waking.is_needed(store, PYTHON) is False
    os.close(new)
    os.close(old)


def test_of_two_with_another_name_the_living_one_is_the_heir(store, other_name):
    os.close(add_executor(store, "first", other_name))
    old = add_executor(store, "second", other_name)
    assert waking.is_needed(store, PYTHON) is False
    os.close(old)


def test_a_job_by_name_goes_to_the_living_whatever_the_interpreter_is_called(
    store, other_name
):
    os.close(add_executor(store, "dead", other_name))
    living = add_executor(store, "living", PYTHON)
    with store.writing() as tx:
        found = [
            intake.place_for(tx, name, store.leases)
            for name in (other_name, PYTHON, "/another/python")
        ]
    os.close(living)
    assert found[:2] == [("living", True)] * 2
    assert found[2].is_alive is False
    assert found[2].executor not in ("living", "dead")


# -- who takes over ----------------------------------------------------------
def test_a_host_lets_go_when_a_kernel_comes_and_nothing_runs_twice(store, tmp_path):
    host_at_work(store, tmp_path)
    mine = runtime.executor()
    until(lambda: owners(store) == {mine.id})
    until(lambda: all(one.is_ready for one in mine.handles))
    until(lambda: not host_is_there(store))
    (tmp_path / "gate").touch()
    until(lambda: completed(store) == 12, S)
    assert set(ledger(tmp_path).values()) == {1}
    assert {attempt for _, attempt in ledger(tmp_path)} == {"1"}


def test_host_and_workers_killed_together_leave_it_all_to_a_new_kernel(
    store, tmp_path, caplog
):
    found = host_at_work(store, tmp_path)
    (pid,) = store.reader.one("SELECT pid FROM executors WHERE id = :id", {"id": found})
    rows = store.reader.all("SELECT pid FROM workers WHERE ended_at IS NULL")
    for one in [pid, *(row[0] for row in rows if row[0] is not None)]:
        with contextlib.suppress(ProcessLookupError):  # a worker that is just ending
            os.kill(one, signal.SIGKILL)
    (tmp_path / "gate").touch()
    runtime.executor()
    until(lambda: completed(store) == 12, S)
    assert "no worker can start" not in caplog.text  # no birth of ours has failed
    assert set(ledger(tmp_path).values()) == {1}


def test_a_killed_host_is_followed_by_another(store, tmp_path):
    first = host_at_work(store, tmp_path)
    for pid in holders(waking.host_lock(store, PYTHON)):
        os.kill(pid, signal.SIGKILL)
    (tmp_path / "gate-1").touch()
    until(lambda: set(living_hosts(store)) - {first}, S)
    (tmp_path / "gate").touch()
    until(lambda: completed(store) == 12, S)
    assert set(ledger(tmp_path).values()) == {1}


def test_a_host_that_is_told_to_end_leaves_its_jobs_to_run(store, tmp_path):
    host_at_work(store, tmp_path)
    lock = waking.host_lock(store, PYTHON)
    # What it forks has the lock too, until that is a worker.
    (pid,) = until(lambda: found if len(found := holders(lock)) == 1 else None)
    os.kill(pid, signal.SIGTERM)
    until(lambda: pid not in holders(lock))
    assert store.counts()["running"] >= 9


# -- several kernels ---------------------------------------------------------
def test_two_kernels_on_one_store_run_each_job_once(store, tmp_path):
    (tmp_path / "gate").touch()
    with Kernel(tmp_path, 40, 0) as one, Kernel(tmp_path, 40, 0) as other:
        until(lambda: completed(store) == 80, S)
        rows = store.reader.all("SELECT executor, count(*) FROM jobs GROUP BY executor")
        assert {row[0]: row[1] for row in rows} == {
            one.executor: 40,
            other.executor: 40,
        }
    assert len(ledger(tmp_path)) == 80
    assert set(ledger(tmp_path).values()) == {1}


def test_of_two_living_kernels_one_takes_what_a_third_left(store, tmp_path):
    killed_kernel(tmp_path, 20, 10)
    with Kernel(tmp_path, 0, 0) as one, Kernel(tmp_path, 0, 0) as other:
        both = {one.executor, other.executor}
        until(lambda: len(owners(store)) == 1 and owners(store) < both)
        (tmp_path / "gate").touch()
        until(lambda: completed(store) == 20, S)
    assert set(ledger(tmp_path).values()) == {1}


# -- many at once ------------------------------------------------------------
def test_a_thousand_waiting_jobs_are_taken_over(store, tmp_path):
    killed_kernel(tmp_path, 1010, 10)
    mine = runtime.executor()
    until(lambda: owners(store) == {mine.id})
    until(lambda: sum(one.is_ready for one in mine.handles) == 10)
    assert store.counts()["running"] == 10
    with store.writing() as tx:  # they have shown what they were for
        for row in tx.all("SELECT id FROM jobs WHERE state = 'queued'"):
            jobs.request_cancel(tx, row[0], "the test", time.time())
    (tmp_path / "gate").touch()
    until(lambda: completed(store) == 10, S)


# -- what a kernel has forked ------------------------------------------------
FORKING = """
    import os, sys, time
    from chutes_nb import Chute, runtime
    chute = Chute(name="tests")

    @chute.job
    def work(flag: str):
        while not os.path.exists(flag):
            time.sleep(0.02)
        return 1

    job = work.submit(flag=sys.argv[1])
    while not job.running():
        time.sleep(0.01)
    child = os.fork()  # as multiprocessing does it
    if child == 0:
        time.sleep(600)
    print(child, flush=True)
    time.sleep(600)
"""


def test_a_child_that_a_killed_kernel_has_forked_does_not_keep_its_jobs(
    store, tmp_path
):
    flag = tmp_path / "flag"
    code = [PYTHON, "-c", textwrap.dedent(FORKING), str(flag)]
    with subprocess.Popen(code, stdout=subprocess.PIPE, text=True) as kernel:
        child = int(kernel.stdout.readline())
        kernel.kill()
    try:
        mine = runtime.executor()
        until(lambda: owners(store) == {mine.id})
        flag.touch()
        until(lambda: completed(store) == 1, S)
    finally:
        os.kill(child, signal.SIGKILL)


UNSENT = """
    from chutes_nb import Chute
    chute = Chute(name="tests")

    @chute.job
    def work(n: int):
        return n

    work.submit(n=1).result()
    work.submit(n=2)  # the kernel dies behind the claim, before it sends the attempt
"""


def test_an_attempt_that_a_killed_kernel_never_sent_runs_without_another(
    store, monkeypatch
):
    monkeypatch.setenv("CHUTES_NB_MAX_WORKERS", "1")
    plan = {"CHUTES_NB_FAILPOINTS": "claim.after_commit=@2"}
    code = [PYTHON, "-c", textwrap.dedent(UNSENT)]
    killed = subprocess.run(code, env=os.environ | plan, check=False)
    assert killed.returncode == -signal.SIGKILL
    until(lambda: completed(store) == 2, S)
    rows = store.reader.all("SELECT number, state FROM attempts")
    assert [tuple(row) for row in rows] == [(1, "completed")] * 2
