"""Jobs on a cluster whose line breaks, whose disk is full, or whose home goes away."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from chutes_nb import Chute, JobInterrupted, get_job, processes, runtime
from chutes_nb.lanes import abroad
from chutes_nb.lanes.abroad import HOME_PREFIX, Abroad, _own_home
from chutes_nb.lanes.holder import Holder
from chutes_nb.lanes.parcels import Known, Spec
from chutes_nb.processes import take_lease
from chutes_nb.states import State
from chutes_nb.store import Store
from chutes_nb.worker.frames import Telling
from living import living_in
from rows import DEFINITION, bring, until
from test_dask_lane import S, running_cluster, wait_for
from test_stacks import PROVOKED
from test_store_disk import NEEDS_MOUNT, small_disk

distributed = pytest.importorskip("distributed")

# What distributed itself leaves to the end of the process.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with running_cluster(2) as cluster:
        yield cluster


HEAD = """
import os, sys, time
from chutes_nb import Chute
chute = Chute(name="left", executor="dask", address=sys.argv[1])
gate = sys.argv[2]

def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.02)
"""
FOOT = """
while not all("begun" in job.logs() for job in jobs):
    time.sleep(0.02)
print(*[job.id for job in jobs], flush=True)
time.sleep(600)
"""


def left_by_a_kernel(home: Path, cluster: Any, gate: Path, script: str) -> list[str]:
    """Ids of the jobs of a script that was killed once they had begun."""
    environ = {**os.environ, "CHUTES_NB_HOME": str(home), "CHUTES_NB_HOST_IDLE_S": "0"}
    code = HEAD + script + FOOT
    arguments = [sys.executable, "-c", code, cluster.scheduler_address, str(gate)]
    with subprocess.Popen(
        arguments, env=environ, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        ids = run.stdout.readline().split()
        run.kill()
    return ids


@contextlib.contextmanager
def opened(home: Path) -> Iterator[Store]:
    store = Store(home)
    yield store
    store.close()


# -- a home that goes away, or whose clock is another ----------------------------------
def test_an_heir_hears_all_that_was_told_whatever_the_clocks_say(cluster, tmp_path):
    home, gate = tmp_path / "home", tmp_path / "gate"
    script = """
@chute.job
def work(self, gate: str):
    print("begun, loss=0.5")
    wait_for(gate)
    self.emit("part")
    self.log(1, acc=0.5)
    time.sleep(1)  # so that it is told before the end, not with it
    return 1

jobs = [work.submit(gate=gate)]
while "loss" not in jobs[0].metrics:
    time.sleep(0.02)
"""
    (job_id,) = left_by_a_kernel(home, cluster, gate, script)
    with opened(home) as store, store.writing() as tx:
        # As a home has it whose clock is ahead of the cluster's.
        assert tx.run("UPDATE metrics SET at = at + 3600 WHERE name = 'loss'")
    with living_in(home, workers=1):
        gate.touch()
        job = get_job(job_id)
        assert job.result(S) == 1
        assert (job.partial, job.metrics["acc"]) == (["part"], [(1.0, 0.5)])


def test_an_extension_that_no_kernel_heard_is_heard_by_the_next(cluster, tmp_path):
    home, gate = tmp_path / "home", tmp_path / "gate"
    script = """
@chute.job(timeout=5, grace=0.2)
def work(self, gate: str):
    began = time.monotonic()
    print("begun")
    while time.monotonic() < began + 6:
        time.sleep(0.02)
    return True

jobs = [work.submit(gate=gate)]
"""
    (job_id,) = left_by_a_kernel(home, cluster, gate, script)
    with opened(home) as store:
        assert store.request_extend(job_id, 60)
    with living_in(home, workers=1):
        assert get_job(job_id).result(S) is True


def attempt_in(store: Store) -> Abroad:
    """An attempt as its executor on the cluster has it; it runs nothing."""
    task = {"id": bring(store, State.RUNNING), "attempt": 1}
    return Abroad(Spec("job-1", (3, 11), DEFINITION, task, None, {}), store)


def test_a_checkpoint_that_is_known_is_not_read_at_each_look(store):
    here, body = attempt_in(store), b"x" * 2_000_000
    store.save_checkpoint(here.job, 1, 7.0, "pickle", body)
    kept = here.news(Known()).checkpoint
    assert kept is not None
    assert kept[1:] == (7.0, "pickle", body)
    shutil.rmtree(store.home / "kept")  # who reads it now fails
    assert here.news(Known(checkpoint_at=kept[0])).checkpoint is None


def test_what_a_worker_tells_again_on_a_new_line_is_told_once(store, tmp_path):
    here, holder = attempt_in(store), Holder("worker", tmp_path)
    for batch, body in ((1, b"1"), (1, b"1"), (2, b"2")):
        here.told(holder, [Telling("partial", ("json", body))], batch=batch)
    assert [one.telling.value[1] for one in here.news(Known()).told] == [b"1", b"2"]


def test_a_full_disk_at_home_keeps_a_result_waiting_and_nobody_else(tmp_path, cluster):
    gate = tmp_path / "gate"
    with living_in(tmp_path / "home", workers=1) as local:
        chute = Chute(executor="dask", address=cluster.scheduler_address)

        @chute.job
        def work(self, gate: str):
            print("begun")
            wait_for(gate)
            (self.output_dir / "file").write_bytes(b"content")
            return 7

        other = local.job(name="other")(lambda: 1)
        assert other.submit().result(S) == 1  # there is a worker from now on
        job = work.submit(gate=str(gate))
        until(lambda: job.info.log_end, S)
        blobs = runtime.store().blobs
        blobs.rename(blobs.with_name("away"))
        blobs.touch()  # nothing can be kept below it
        client = distributed.Client(cluster.scheduler_address, set_as_default=False)
        with client:
            gate.touch()
            until(lambda: not any(client.processing().values()), S)
        assert other.submit().result(S) == 1
        assert job.running()
        blobs.unlink()
        blobs.with_name("away").rename(blobs)
        assert job.result(S) == 7
        assert [file.read() for file in job.files] == [b"content"]


# -- a machine of the cluster that is in trouble ---------------------------------------
@NEEDS_MOUNT
def test_a_disk_that_is_full_over_there_costs_no_output_and_no_result(tmp_path):
    with (
        small_disk(tmp_path / "small", 12 << 20) as place,
        running_cluster(1, env={"TMPDIR": str(place)}) as cluster,
        living_in(tmp_path / "home", workers=1),
    ):
        chute = Chute(executor="dask", address=cluster.scheduler_address)

        @chute.job(grace=0.5)
        def work(self, place: str):
            filler = Path(place, "filler")
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
            # Room for what is printed, and none for the log beside it.
            os.truncate(filler, filler.stat().st_size - 500_000)
            sys.stdout.write("x" * 399_999 + "\n")
            sys.stdout.flush()
            time.sleep(1)
            return 5

        job = work.submit(place=str(place))
        assert job.result(S) == 5
        assert job.logs() == "x" * 399_999 + "\n"


@NEEDS_MOUNT
def test_what_has_no_room_on_the_cluster_says_so(tmp_path):
    with (
        small_disk(tmp_path / "small", 12 << 20) as place,
        running_cluster(1, env={"TMPDIR": str(place)}) as cluster,
        living_in(tmp_path / "home", workers=1),
    ):
        chute = Chute(executor="dask", address=cluster.scheduler_address)

        @chute.job(upload=True)
        def work(self, data: bytes):
            return len(data)

        job = work.submit(data=bytes(16 << 20))
        assert isinstance(job.exception(S), JobInterrupted)
        assert "No space left on device" in job.reason


def test_what_the_machine_has_no_memory_for_says_so(tmp_path):
    room = 256 << 20

    def limit():
        used = int(Path("/proc/self/statm").read_text().split()[0])
        most = used * resource.getpagesize() + room
        resource.setrlimit(resource.RLIMIT_AS, (most, most))

    with running_cluster(1) as cluster, living_in(tmp_path / "home", workers=1):
        chute = Chute(executor="dask", address=cluster.scheduler_address)

        @chute.job
        def work(self, size: int):
            with (self.output_dir / "file").open("wb") as file:
                file.truncate(size)

        with distributed.Client(cluster, set_as_default=False) as client:
            client.run(limit)
        job = work.submit(size=2 * room)
        assert isinstance(job.exception(S), JobInterrupted)
        assert "MemoryError" in job.reason


def test_a_worker_that_never_says_a_word_is_not_waited_for(tmp_path, monkeypatch):
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(silent))
    monkeypatch.setattr(abroad, "BIRTH_S", 0.5)
    task = {"id": "job-1", "attempt": 1, "chute": "tests", "name": "work"}
    task |= {"max_attempts": 1, "grace_s": 1.0, "timeout_s": None}
    task |= {"input_kind": "json", "input": b"{}", "definition": DEFINITION.key}
    with opened(tmp_path / "home") as store:
        spec = Spec("job-1-1", sys.version_info[:2], DEFINITION, task, None, {})
        report = anyio.run(Abroad(spec, store).run)
        (worker,) = store.reader.all("SELECT id FROM workers")
    assert report.ending is not None
    assert report.ending.state is State.INTERRUPTED
    assert "no worker of chutes_nb can start" in report.ending.reason
    assert not processes.marked(worker["id"])


def test_the_folder_of_a_child_that_was_left_stays_while_it_lives(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    leases = tmp_path / f"{HOME_PREFIX}old" / "leases"
    leases.mkdir(parents=True)
    (leases.parent / "held").touch()  # by a dask worker that is no more
    os.utime(leases.parent, (0, 0))
    lease = take_lease(leases / "child.lease")
    os.close(_own_home()[1])
    assert leases.exists()
    os.close(lease)
    os.close(_own_home()[1])
    assert not leases.parent.exists()


def test_a_dask_worker_with_garbage_goes_on_while_its_stacks_are_read(tmp_path):
    with running_cluster(1) as cluster, living_in(tmp_path / "home", workers=1):
        chute = Chute(executor="dask", address=cluster.scheduler_address)
        work = chute.job(name="work")(lambda: True)
        assert work.submit().result(S)
        with distributed.Client(cluster, set_as_default=False) as client:
            as_dask_does = f"{PROVOKED}provoke(lambda: sys._current_frames())"
            client.submit(exec, as_dask_does, {}).result(S)
