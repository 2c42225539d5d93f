"""The real things that tests run on: a store, an executor with real workers."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from chutes_nb import Chute, processes, runtime, waking
from chutes_nb.lanes.process import _children
from chutes_nb.paths import interpreter
from chutes_nb.store import Store, jobs
from rows import DEFINITION, EXECUTOR, WORKER, add_crew, is_gone, until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with one definition, one executor and one worker."""
    store = Store(tmp_path / "home")
    with store.writing() as tx:
        add_crew(tx, EXECUTOR, WORKER)
        jobs.add_definition(tx, DEFINITION)
    yield store
    store.close()


@contextlib.contextmanager
def living_in(home: Path, workers: int) -> Iterator[Chute]:
    """A chute whose jobs run for real in a home of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHUTES_NB_HOME", str(home))
        patch.setenv("CHUTES_NB_MAX_WORKERS", str(workers))
        patch.setenv("CHUTES_NB_HOST_IDLE_S", "0.5")
        patch.setattr(runtime, "_settings", {})
        try:
            yield Chute(username="me", name="tests")
        finally:
            store = runtime.store()
            end_workers(store)
            runtime.stop()
            store.close()


@pytest.fixture(scope="module")
def chute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chute]:
    """A chute for all tests of a module, with up to four warm workers."""
    with living_in(tmp_path_factory.mktemp("chute") / "home", workers=4) as chute:
        yield chute


@pytest.fixture
def own_chute(tmp_path: Path) -> Iterator[Chute]:
    """A chute for one test: its own home, executor and up to two workers."""
    with living_in(tmp_path / "home", workers=2) as chute:
        yield chute


@pytest.fixture
def lone_chute(tmp_path: Path) -> Iterator[Chute]:
    """A chute for one test that runs one job at a time."""
    with living_in(tmp_path / "home", workers=1) as chute:
        yield chute


def end_workers(store: Store) -> None:
    """End every job and worker of a store, first in the way that is meant."""
    for state in ("queued", "retrying", "running"):
        for job in store.jobs(status=state)[0]:
            store.request_cancel(job["job_id"], by="the end of the test")
    executor = runtime.current_executor()
    if executor is not None and executor.store is store:
        assert executor.is_running, "the executor has died; see its log"
        executor.look()
        until(lambda: not any(store.counts()[one] for one in ("queued", "running")))
        until(lambda: retired(executor))
    end_host(store)
    # Places in the kernel, which have no socket, end with the executor.
    workers = (
        "SELECT * FROM workers WHERE ended_at IS NULL AND socket NOT IN ('', 'dask')"
    )
    for row in store.reader.all(workers):
        kill_worker(row)


def retired(executor: runtime.Executor) -> bool:
    """Retire the workers that are idle by now; whether there are none left."""
    idle = [one for one in executor.handles if one.is_idle]
    executor.call(lambda: [executor.lane.retire(one) for one in idle]).result(60)
    return not executor.handles


def end_host(store: Store) -> None:
    """End the detached host of a store, if there is one."""
    lock = waking.host_lock(store, interpreter())
    pids = holders(lock)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until(lambda: not processes.is_held(lock))
    for process in waking._started:
        process.wait(60)
    until(lambda: all(is_gone(pid) for pid in pids))


def holders(lock: Path) -> list[int]:
    """Processes that have a file open."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(fd) == str(lock) for fd in (entry / "fd").iterdir()):
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def kill_worker(row: SimpleNamespace) -> None:
    """Kill a worker by its row, with all that it started."""
    processes.kill_marked(row["id"])
    until(lambda: not processes.is_held(Path(row["lease"])))
    child = _children.pop(row["id"], None)
    if child is not None:
        child.wait(60)


@pytest.fixture(scope="session", autouse=True)
def no_worker_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the session where a test leaves a process behind."""
    yield
    base = os.fsencode(tmp_path_factory.getbasetemp())
    with contextlib.suppress(AssertionError):  # one that is about to end is not left
        until(lambda: not living_below(base))
    left = living_below(base)
    said = [commands_of(pid) for pid in left]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"processes were left behind: {said}"


def living_below(base: bytes) -> list[int]:
    """Processes whose home is somewhere in a folder, but for this one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environ = (entry / "environ").read_bytes()
            # With the slash: pytest-1 is no home of what runs in pytest-10.
            if b"CHUTES_NB_HOME=" + base + b"/" in environ:
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid() and not processes.is_zombie(pid)]


def commands_of(pid: int) -> str:
    """Say what a process is: its number, its parent's, and its command."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return f"{pid} of {process.ppid()}: {' '.join(process.cmdline())}"
    return f"{pid}, which has just ended"
