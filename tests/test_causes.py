"""The cause of an end is named: by signal, memory, time, or whoever asked for it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from chutes_nb import JobInterrupted, JobTimeout, runtime
from chutes_nb.policy import lost
from chutes_nb.states import State
from chutes_nb.worker import memory
from rows import pid_in, until

S = 30.0
ROOM_BYTES = 256 << 20


# -- words ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "silent_s", "more", "reason"),
    [
        (
            -9,
            12.2,
            {},
            "killed by signal 9 (SIGKILL), perhaps out of memory; "
            "last output 12 s before",
        ),
        (
            -9,
            None,
            {"memory": "peak 2.1 GB, limit 4 GB"},
            "killed by signal 9 (SIGKILL), perhaps out of memory "
            "(peak 2.1 GB, limit 4 GB)",
        ),
        (
            -9,
            None,
            {"is_out_of_memory": True, "memory": "peak 4 GB, limit 4 GB"},
            "killed by signal 9 (SIGKILL), out of memory (peak 4 GB, limit 4 GB)",
        ),
        (
            None,
            None,
            {"is_out_of_memory": True},
            "killed by signal 9 (SIGKILL), out of memory",
        ),
        (None, 3.0, {}, "its worker ended, nobody knows how; last output 3 s before"),
        (None, None, {"is_rebooted": True}, "the machine was started anew"),
        (-15, None, {}, "ended from outside by signal 15 (SIGTERM)"),
    ],
)
def test_a_worker_lost_from_outside_is_interrupted_for_a_named_reason(
    code, silent_s, more, reason
):
    ending = lost(code, silent_s, **more)
    assert (ending.state, ending.reason) == (State.INTERRUPTED, reason)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0, "the body ended its worker with exit code 0 and no result"),
        (-11, "the body crashed its worker: signal 11 (SIGSEGV)"),
        (-signal.SIGXCPU, "it used up its limit of CPU time"),
    ],
)
def test_a_worker_that_its_body_ended_has_failed(code, reason):
    ending = lost(code, None)
    assert (ending.state, ending.reason) == (State.FAILED, reason)


# -- the real thing --------------------------------------------------------------
def test_the_last_output_of_an_adopted_attempt_is_told(lone_chute, tmp_path):
    @lone_chute.job
    def fall_silent(self, path: str):
        print("last words", flush=True)
        Path(path).write_text(str(os.getpid()))
        time.sleep(60)

    job = fall_silent.submit(path=str(tmp_path / "pid"))
    pid = pid_in(tmp_path / "pid")
    until(lambda: job.info.log_end)
    runtime.stop()
    runtime.executor()
    until(lambda: any(one.transport for one in runtime.executor().handles))
    os.kill(pid, signal.SIGKILL)
    assert isinstance(job.exception(S), JobInterrupted)
    assert "; last output " in job.reason
    assert job.reason.endswith(" s before")


def test_the_peak_of_a_killed_worker_is_told(lone_chute):
    @lone_chute.job
    def grow(self, size: int):
        room = bytearray(os.urandom(1 << 20) * (size >> 20))
        print(len(room), flush=True)
        time.sleep(60)

    job = grow.submit(size=ROOM_BYTES)
    handle = until(lambda: [one for one in runtime.executor().handles if one.task])[0]
    until(lambda: (handle.memory.peak or 0) > ROOM_BYTES)
    os.kill(handle.identity.pid, signal.SIGKILL)
    assert isinstance(job.exception(S), JobInterrupted)
    assert "perhaps out of memory (peak " in job.reason
    assert " MB, " in job.reason


@pytest.fixture
def small_cgroup():
    """A cgroup of this process's own kind with little memory, where one can be made."""
    own = memory.cgroup_of()
    if own is None:
        pytest.skip("no cgroup counts memory here")
    group = own / f"chutes-tests-{os.getpid()}"
    limit = "memory.max" if (own / "memory.max").exists() else "memory.limit_in_bytes"
    try:
        group.mkdir()
        (group / limit).write_text(str(ROOM_BYTES))
    except OSError:
        pytest.skip("cgroups cannot be made here")
    yield group
    until(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def test_a_worker_that_the_system_killed_for_memory_is_told_so(
    lone_chute, small_cgroup, tmp_path
):
    gate = tmp_path / "gate"

    @lone_chute.job
    def grow_too_far(self, group: str, gate: str):
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
        while not os.path.exists(gate):
            time.sleep(0.01)
        return len(os.urandom(1 << 20) * 1024)

    job = grow_too_far.submit(group=str(small_cgroup), gate=str(gate))
    handle = until(lambda: [one for one in runtime.executor().handles if one.task])[0]
    until(lambda: "limit 268 MB" in handle.memory.in_words())  # it was seen there
    gate.touch()
    assert isinstance(job.exception(S), JobInterrupted)
    assert "killed by signal 9 (SIGKILL), out of memory (peak " in job.reason
    assert "limit 268 MB" in job.reason


def test_a_deadline_that_passes_in_the_queue_names_itself(lone_chute):
    @lone_chute.job
    def hold(self):
        time.sleep(60)

    @lone_chute.job(deadline=0.3)
    def wait(self):
        return 1

    first = hold.submit()
    until(first.running)
    job = wait.submit()
    assert isinstance(job.exception(S), JobTimeout)
    assert job.reason.startswith("deadline")
    assert job.attempts == []
    first.cancel()


def test_the_peak_of_this_process_is_known():
    assert sys.platform != "linux" or memory.peak_bytes() > 1 << 20
