"""Jobs on a cluster whose line breaks, which hangs, grows, or is started anew."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chutes_nb import Chute, JobCancelled, JobInterrupted, get_job, runtime
from chutes_nb.lanes import dask
from chutes_nb.policy import Ending
from chutes_nb.states import State
from cutting import Line
from living import living_in
from rows import is_gone, pid_in, until
from test_dask_faults import left_by_a_kernel
from test_dask_lane import S, running_cluster, wait_for

distributed = pytest.importorskip("distributed")

# What distributed itself leaves to the end of the process.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def running() -> list[Any]:
    """The attempts that this process has on clusters."""
    berths = list(runtime.executor().dask.handles.values())
    return [one for one in berths if one.task is not None]


def noted(berth: Any) -> list[str]:
    """Note each time that an attempt is not known to be there: it may be a moment."""
    losses: list[str] = []

    class Noting(type(berth)):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            if name == "is_known" and not value:
                losses.append(name)
            super().__setattr__(name, value)

    berth.__class__ = Noting
    return losses


def test_an_attempt_goes_on_when_the_line_to_its_scheduler_breaks(tmp_path):
    gate, marks = tmp_path / "gate", tmp_path / "marks"
    marks.mkdir()
    with running_cluster(2) as cluster:
        port = int(cluster.scheduler_address.rpartition(":")[2])
        with Line(port) as line, living_in(tmp_path / "home", workers=1):
            chute = Chute(executor="dask", address=f"tcp://127.0.0.1:{line.port}")

            @chute.job(retry=1, retry_delay=0, grace=0.5)
            def work(self, marks: str, gate: str):
                print("begun")
                Path(marks, str(self.attempt)).touch()
                wait_for(gate)
                self.emit("end")
                return self.attempt

            job = work.submit(marks=str(marks), gate=str(gate))
            until(lambda: job.info.log_end, S)
            (berth,) = running()
            losses = noted(berth)
            for n in range(1, 4):
                line.cut()
                until(lambda n=n: len(losses) >= n, S)  # it has noticed
                until(lambda: berth.is_known, S)  # and found the attempt again
            gate.touch()
            assert job.result(S) == 1
            assert os.listdir(marks) == ["1"]
            assert (job.partial, job.logs()) == (["end"], "begun\n")


def test_an_attempt_that_was_given_up_is_over_before_the_next_begins(tmp_path):
    pids = tmp_path / "pids"
    pids.mkdir()
    with running_cluster(2) as cluster, living_in(tmp_path / "home", workers=1):
        chute = Chute(executor="dask", address=cluster.scheduler_address)

        @chute.job(retry=1, retry_delay=0, grace=0.5)
        def work(self, pids: str):
            path = Path(pids, str(self.attempt))
            path.with_suffix(".new").write_text(str(os.getpid()))
            path.with_suffix(".new").rename(path)
            first = Path(pids, "1").read_text()
            while self.attempt == 1:
                wait_for(pids + "/never")
            return Path(f"/proc/{first}").exists()

        job = work.submit(pids=str(pids))
        until((pids / "1").exists, S)
        executor = runtime.executor()
        (berth,) = running()
        # As it is where the cluster has not answered for a minute.
        ending = Ending(State.INTERRUPTED, "no answer")
        executor.call(lambda: executor.dask._settles.ended(berth, ending, None))
        assert job.result(S) is False
        assert [one.status for one in job.attempts] == ["interrupted", "completed"]
        assert is_gone(pid_in(pids / "1"))


def test_a_scheduler_that_was_started_anew_begins_no_attempt_twice(tmp_path):
    home, gate = tmp_path / "home", tmp_path / "gate"
    marks = tmp_path / "marks"
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    script = f"""
@chute.job(grace=0.5)
def work(self, gate: str):
    with open({str(marks)!r}, "a") as file:
        file.write("x")
    print("begun", flush=True)
    wait_for(gate)

jobs = [work.submit(gate=gate)]
"""
    with running_cluster(1, scheduler_port=port) as cluster:
        (job_id,) = left_by_a_kernel(home, cluster, gate, script)
    with running_cluster(1, scheduler_port=port), living_in(home, workers=1):
        job = get_job(job_id)
        assert isinstance(job.exception(S), JobInterrupted)
        assert "does not know of it" in job.reason
        assert marks.read_text() == "x"


def test_what_several_attempts_left_is_found_on_one_line(tmp_path):
    home, gate = tmp_path / "home", tmp_path / "gate"
    script = """
@chute.job
def work(self, gate: str):
    print("begun")
    wait_for(gate)
    return 1

jobs = list(work.map([{"gate": gate}] * 2))
"""
    with running_cluster(2) as cluster:
        ids = left_by_a_kernel(home, cluster, gate, script)
        with living_in(home, workers=1):
            until(lambda: [one.is_known for one in running()] == [True, True], S)
            lines = [one for one in threading.enumerate() if one.name == "chutes-dask"]
            assert len(lines) == 1
            gate.touch()
            assert [get_job(one).result(S) for one in ids] == [1, 1]
        # Nothing of either is remembered there, however many there were.
        until(lambda: not cluster.scheduler.extensions["publish"].datasets, S)
        until(lambda: not cluster.scheduler.extensions["events"]._events, S)


def test_workers_that_come_later_take_the_jobs_that_wait(tmp_path):
    gate = tmp_path / "gate"
    with running_cluster(1) as cluster, living_in(tmp_path / "home", workers=1):
        chute = Chute(executor="dask", address=cluster.scheduler_address)

        @chute.job
        def work(self, gate: str):
            wait_for(gate)
            return 1

        jobs = list(work.map([{"gate": str(gate)}] * 3))
        until(lambda: any(job.running() for job in jobs), S)
        cluster.scale(3)
        until(lambda: all(job.running() for job in jobs), S)
        gate.touch()
        assert [job.result(S) for job in jobs] == [1, 1, 1]


def test_what_is_large_waits_for_the_first_worker(tmp_path):
    # One worker first, since dask starts a process of its own with that.
    with running_cluster(1) as cluster, living_in(tmp_path / "home", workers=1):
        cluster.scale(0)
        until(lambda: not cluster.scheduler.workers, S)
        chute = Chute(executor="dask", address=cluster.scheduler_address)

        @chute.job(upload=True)
        def work(self, data: bytes):
            return len(data)

        job = work.submit(data=bytes(2_000_000))
        # Longer than dask itself waits for a worker that data could go to.
        assert not job.wait(8)
        assert job.running()
        cluster.scale(1)
        assert job.result(S) == 2_000_000


@contextlib.contextmanager
def lone_scheduler(folder: Path) -> Iterator[tuple[Any, str]]:
    """A scheduler in a process of its own, with no worker."""
    place = folder / "scheduler.json"
    command = [Path(sys.executable).with_name("dask"), "scheduler"]
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with subprocess.Popen(
        [*command, *options, "--scheduler-file", str(place)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: place.exists() and place.read_text().endswith("}"), S)
            found = json.loads(place.read_text())
            yield process, found["address"]
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()


def test_a_scheduler_that_hangs_keeps_no_cancel_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr(dask, "CONFIRM_S", 1.0)
    with (
        lone_scheduler(tmp_path) as (process, address),
        living_in(tmp_path / "home", workers=1) as local,
    ):

        @local.job(grace=0.1)
        def here(self):
            print("begun")
            wait_for("/never")

        work = Chute(executor="dask", address=address).job(name="work", grace=0.1)(
            lambda: 1
        )
        mine, theirs = here.submit(), work.submit()
        until(lambda: mine.info.log_end, S)
        until(lambda: [one.is_known for one in running()] == [True], S)
        process.send_signal(signal.SIGSTOP)
        assert theirs.cancel()
        assert mine.cancel()
        assert isinstance(mine.exception(S), JobCancelled)
        assert isinstance(theirs.exception(S), JobCancelled)
        assert "did not confirm" in theirs.reason
