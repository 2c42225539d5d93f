"""Workers of another version, as after an upgrade below a kernel that runs."""

from __future__ import annotations

import os
import time

from chutes_nb import runtime
from chutes_nb.lanes import process
from chutes_nb.states import State
from rows import is_gone, until

S = 30
GRACE_S = 0.1
OTHER = process.PROTOCOL + 1


def test_a_job_says_that_its_kernel_is_not_of_the_version_on_disk(
    own_chute, monkeypatch
):
    @own_chute.job
    def work():
        return 7

    hellos = []
    heard = process.ProcessLane._on_hello

    def hear(self, handle, protocol, busy):
        hellos.append(handle.id)
        heard(self, handle, protocol, busy)

    monkeypatch.setattr(process.ProcessLane, "_on_hello", hear)
    monkeypatch.setattr(process, "PROTOCOL", OTHER)
    job = work.submit()
    until(lambda: "restart the kernel" in (job.reason or ""))
    assert job.status is State.QUEUED
    assert len(hellos) == len(set(hellos))  # each has been called once
    monkeypatch.setattr(process, "PROTOCOL", OTHER - 1)
    assert job.result(S) == 7


def test_a_run_on_a_worker_of_another_version_goes_on_to_its_end(
    own_chute, monkeypatch, tmp_path
):
    ticks, flag = tmp_path / "ticks", tmp_path / "flag"

    @own_chute.job(grace=GRACE_S)
    def work(self):
        print("first")
        while not flag.exists():
            with ticks.open("a") as file:
                file.write(".")
            time.sleep(GRACE_S / 10)
        print("last")
        return os.getpid()

    job = work.submit()
    until(ticks.exists)
    runtime.stop()
    monkeypatch.setattr(process, "PROTOCOL", OTHER)
    executor = runtime.executor()
    until(lambda: any(one.is_foreign for one in executor.handles))
    (handle,) = executor.handles
    before = len(ticks.read_bytes())
    until(lambda: len(ticks.read_bytes()) > before + 30)  # far longer than its grace
    assert job.status is State.RUNNING
    flag.touch()
    assert job.result(S) == handle.identity.pid
    assert [one.number for one in job.attempts] == [1]
    assert job.logs().splitlines() == ["first", "last"]
    until(lambda: handle.id not in {one.id for one in executor.handles})
    assert is_gone(handle.identity.pid)


def test_a_run_on_a_worker_of_another_version_is_ended_at_its_timeout(
    own_chute, monkeypatch, tmp_path
):
    flag = tmp_path / "flag"

    @own_chute.job(timeout=2)
    def work():
        flag.touch()
        time.sleep(600)

    job = work.submit()
    until(flag.exists)
    runtime.stop()
    monkeypatch.setattr(process, "PROTOCOL", OTHER)
    runtime.executor()
    job.wait(S)
    assert job.status is State.TIMEOUT
    assert len(job.attempts) == 1
