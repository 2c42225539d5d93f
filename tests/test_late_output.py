"""A log that could not be written when its attempt ended is not lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from chutes_nb import JobInterrupted, StoreFull, get_job, prune, runtime
from chutes_nb.store import late, logs, pruning, settling
from rows import until

S = 60.0
FULL = "log.before_commit=1:FULL"
LINES = [f"line {n}" for n in range(200)]
# A kernel in small whose log store is on a full disk; it dies with a job ended.
KERNEL = """
    import sys, time
    from chutes_nb import Chute
    chute = Chute(name="tests")

    @chute.job(executor=sys.argv[1])
    def say(self):
        for n in range(200):
            print(f"loss={n}")
        return "said"

    job = say.submit()
    job.result(60)
    say.submit().result(60)  # its worker knows by then that the first is settled
    print(job.id, flush=True)
    time.sleep(60)
"""


def owed() -> list[late.Late]:
    store = runtime.store()
    return list(late.outputs(store.reader, store.log_reader, store.runs))


def said_on_a_full_disk(chute, disk):
    """A job that has ended, and its log not."""

    @chute.job
    def say():
        print("said")

    disk.is_full = True
    job = say.submit()
    assert job.result(S) is None
    return job


def held() -> list[str]:
    """Outputs of this home that this process has open."""
    runs = f"{runtime.store().runs}/"
    fds = os.listdir("/proc/self/fd")
    paths = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in fds]
    return [one for one in paths if one.startswith(runs) and ".out" in one]


def filled() -> list[Path]:
    found = []
    for one in runtime.store().runs.glob("*.out"):
        with contextlib.suppress(FileNotFoundError):  # it has just been brought in
            found += [one] if one.stat().st_size else []
    return found


@pytest.mark.parametrize("place", ["process", "kernel"])
def test_the_next_executor_brings_in_what_a_dead_one_could_not_write(own_chute, place):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KERNEL), place],
        env=os.environ | {"CHUTES_NB_FAILPOINTS": FULL, "CHUTES_NB_MAX_WORKERS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        job = get_job(process.stdout.readline().strip())
        assert job.logs() == ""
        process.send_signal(signal.SIGKILL)
    runtime.executor()  # or the detached host, which its worker has started
    until(lambda: job.logs().splitlines() == [f"loss={n}" for n in range(200)], S)
    assert job.result(S) == "said"
    until(lambda: not owed(), S)
    until(lambda: len(job.metrics.get("loss", ())) == 200, S)
    assert [value for _, value in job.metrics["loss"]] == list(range(200))


def test_a_job_ends_before_its_log_which_comes_once_there_is_room(own_chute, disk):
    @own_chute.job
    def say():
        for n in range(200):
            print("line", n)

    disk.is_full = True
    first, second = say.submit(), say.submit()
    assert [one.result(S) for one in (first, second)] == [None, None]
    assert say.submit().result(S) is None  # the worker goes on
    assert (first.logs(), second.logs()) == ("", "")
    assert len(owed()) == 3
    disk.is_full = False
    until(lambda: not owed(), S)
    for job in (first, second):
        assert job.logs().splitlines() == LINES
    until(lambda: not filled(), S)


def test_a_log_that_waited_for_room_has_all_lines_in_their_order_once(
    own_chute, disk, tmp_path
):
    gate = tmp_path / "gate"

    @own_chute.job
    def count(gate: str):
        n = 0
        while not os.path.exists(gate):
            print(f"loss={n}")
            n += 1
            time.sleep(0.002)
        return n

    job = count.submit(gate=str(gate))
    until(lambda: job.logs(), S)
    for _ in range(2):
        before = disk.refused
        disk.is_full = True
        until(lambda before=before: disk.refused > before + 1, S)
        disk.is_full = False
        seen = len(job.logs())
        until(lambda seen=seen: len(job.logs()) > seen, S)
    disk.is_full = True
    gate.touch()
    count = job.result(S)
    disk.is_full = False
    until(lambda: not owed(), S)
    assert job.logs() == "".join(f"loss={n}\n" for n in range(count))
    until(lambda: job.metrics["loss"][-1][1] == count - 1, S)
    values = [value for _, value in job.metrics["loss"]]
    assert values == sorted(set(values))


def test_a_dead_worker_s_folder_leaves_its_output_until_its_end_is_written(
    own_chute, disk, monkeypatch
):
    @own_chute.job
    def die():
        print("line 0", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    finish = settling.finish_attempt

    def refuse(*given):
        if disk.is_full:
            raise StoreFull("no room for the end")
        return finish(*given)

    monkeypatch.setattr(settling, "finish_attempt", refuse)
    disk.is_full = True
    job = die.submit()
    store = runtime.store()
    until(lambda: disk.refused, S)
    (worker,) = store.reader.one("SELECT worker FROM attempts")
    until(lambda: not (store.runs / worker).exists(), S)
    disk.is_full = False
    assert isinstance(job.exception(S), JobInterrupted)
    until(lambda: "line 0" in job.logs(), S)


def test_many_late_outputs_take_one_open_file(own_chute, disk):
    @own_chute.job
    def say(n: int):
        print("line", n)

    disk.is_full = True
    jobs = list(say.map([{"n": n} for n in range(60)]))
    for job in jobs:
        assert job.result(S) is None
    assert len(held()) < 10
    disk.is_full = False
    until(lambda: not filled(), S)
    assert [job.logs() for job in jobs] == [f"line {n}\n" for n in range(60)]


def test_an_executor_that_stops_leaves_no_late_output_open(own_chute, disk):
    job = said_on_a_full_disk(own_chute, disk)
    runtime.stop()
    assert held() == []
    disk.is_full = False
    runtime.executor()
    until(lambda: job.logs() == "said\n", S)


def test_output_that_cannot_be_written_does_not_pile_up_in_memory(
    own_chute, disk, tmp_path
):
    gate = tmp_path / "gate"

    @own_chute.job
    def flood(gate: str):
        for n in range(40):
            print(f"{n:02d}" + "x" * 99_997)
        while not os.path.exists(gate):
            time.sleep(0.01)

    disk.is_full = True
    job = flood.submit(gate=str(gate))
    until(lambda: disk.refused > 2, S)
    executor = runtime.executor()
    (handle,) = (one for one in executor.handles if one.task is not None)
    until(lambda: executor.call(lambda: handle.capture.offset).result(S) == 0, S)
    disk.is_full = False
    until(lambda: len(job.logs()) == 40 * 100_000, S)
    gate.touch()
    assert job.result(S) is None


def test_prune_leaves_what_a_log_lacks(own_chute, disk, monkeypatch):
    monkeypatch.setattr(pruning, "YOUNG_S", -1.0)

    job = said_on_a_full_disk(own_chute, disk)
    runtime.executor().call(lambda: None).result(S)
    with runtime.store().writing() as tx:
        tx.run("UPDATE workers SET ended_at = started_at")
    prune()
    assert len(owed()) == 1
    disk.is_full = False
    until(lambda: job.logs() == "said\n", S)


def test_a_job_that_was_deleted_meanwhile_is_owed_nothing(own_chute, disk):
    job = said_on_a_full_disk(own_chute, disk)
    runtime.store().delete(job.id)
    disk.is_full = False
    assert owed() == []
    until(lambda: not filled(), S)
    held = runtime.store().log_reader
    assert logs.end(held, job.id, 1) == 0


@pytest.mark.parametrize("times", [1, 2, 4])
def test_large_output_is_whole_however_often_it_is_refused(own_chute, disk, times):
    @own_chute.job
    def flood():
        print("\n".join(f"{n:0999d}" for n in range(3000)))

    disk.is_full, disk.most = True, times
    job = flood.submit()
    assert job.result(S) is None
    until(lambda: not owed(), S)
    assert job.logs().split() == [f"{n:0999d}" for n in range(3000)]
    assert disk.refused == times


def test_an_executor_that_stops_leaves_the_output_of_no_running_job_open(
    own_chute, tmp_path
):
    gate = tmp_path / "gate"

    @own_chute.job
    def wait(gate: str):
        print("begun")
        while not os.path.exists(gate):
            time.sleep(0.01)

    job = wait.submit(gate=str(gate))
    until(job.logs, S)
    assert held()
    runtime.stop()
    assert held() == []
    runtime.executor()
    gate.touch()
    assert job.result(S) is None
    assert job.logs() == "begun\n"
