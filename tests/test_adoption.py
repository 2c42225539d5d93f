"""Jobs outlive whoever ran them, and the next executor takes them over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from chutes_nb import (
    JobCancelled,
    JobInterrupted,
    JobTimeout,
    get_job,
    runtime,
)
from chutes_nb.settler import Settler
from chutes_nb.store import logs
from chutes_nb.worker.asking import read_note
from rows import is_gone, pid_in, until

S = 20.0
GRACE = 0.4
# For bodies that end when they are asked to, however busy the machine is: nobody lives
# who would settle the end of one that was killed instead.
AMPLE_GRACE = 30.0
LIMIT = 5.0  # far longer than it takes to be given more time
# A kernel in small: submits one job and stays, until it is killed.
KERNEL = """
    import os, sys, time
    from chutes_nb import Chute
    chute = Chute(name="tests")

    @chute.job(retry=1, retry_delay=0, timeout=60)
    def count(self, gate: str):
        with open(gate + ".ledger", "a") as ledger:
            ledger.write(f"{os.getpid()} {self.attempt}\\n")
        n = 0
        while not os.path.exists(gate):
            print("line", n)
            n += 1
            time.sleep(0.005)
        return n

    job = count.submit(gate=sys.argv[1])
    if sys.argv[2] == "end":
        print(job.id, flush=True)
        sys.exit()
    while not job.running():
        time.sleep(0.01)
    print(job.id, flush=True)
    time.sleep(60)
"""


# One whose job tells of progress to its end, and leaves a process that takes its time.
LEAVER = """
    import signal, subprocess, sys, time
    from chutes_nb import Chute
    chute = Chute(name="tests")
    STAYS = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"

    @chute.job(grace=1)
    def leave(self):
        subprocess.Popen([sys.executable, "-S", "-c", STAYS])
        for n in range(40):
            self.progress(n, 40)
            time.sleep(0.01)
        return "done"

    print(leave.submit().id, flush=True)
    time.sleep(60)
"""


# One whose job prints lines of ten bytes, each its own offset, far beyond the cap.
FLOODER = """
    import os, sys, time
    from chutes_nb import Chute
    chute = Chute(name="tests")

    @chute.job
    def flood(gate: str):
        at, step = 0, 1_000_000
        while at < 120 * step or not os.path.exists(gate):
            lines = (f"{n:09d}" for n in range(at, at + step, 10))
            print("\\n".join(lines))
            at += step
        return at

    print(flood.submit(gate=sys.argv[1]).id, flush=True)
    time.sleep(60)
"""


# One whose job ends its worker once the gate opens, as its arguments say.
QUITTER = """
    import os, sys, time
    from os import _exit
    from chutes_nb import Chute
    chute = Chute(name="tests")

    @chute.job(retry=1, retry_delay=0)
    def leave(self, gate: str, how: str):
        if self.attempt == 2:
            os.kill(os.getpid(), 9)
        if os.fork() == 0:
            os._exit(3)  # the child's code, not the worker's
        while not os.path.exists(gate):
            time.sleep(0.005)
        exec(how, globals() | {"_exit": _exit})

    job = leave.submit(gate=sys.argv[1], how=sys.argv[2])
    while not job.running():
        time.sleep(0.01)
    print(job.id, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def gate(tmp_path):
    """A file; jobs of this module go on once it is there."""
    return tmp_path / "gate"


def counting(chute, grace=GRACE, **options):
    """A job that prints lines until the gate opens, and returns how many."""

    @chute.job(grace=grace, **options)
    def count(self, gate: str):
        with open(gate + ".ledger", "a") as ledger:
            ledger.write(f"{os.getpid()} {self.attempt}\n")
        n = 0
        while not os.path.exists(gate):
            print("line", n)
            self.n = n
            n += 1
            time.sleep(0.005)
        return n

    return count


def ledger(gate: Path) -> list[tuple[int, int]]:
    """Process and attempt of each start of the body, as the body wrote them."""
    path = gate.with_name(gate.name + ".ledger")
    if not path.exists():
        return []
    lines = [line.split() for line in path.read_text().splitlines()]
    return [(int(pid), int(attempt)) for pid, attempt in lines]


def begun(chute, gate, grace=GRACE, **options):
    """A counting job whose body has begun, and its worker's process."""
    job = counting(chute, grace, **options).submit(gate=str(gate))
    return job, until(lambda: ledger(gate))[0][0]


def lines(n: int) -> str:
    return "".join(f"line {one}\n" for one in range(n))


def kernel(gate: Path, how: str) -> tuple[subprocess.Popen[str], str]:
    """Another process that has submitted a job; its id."""
    code = textwrap.dedent(KERNEL)
    process = subprocess.Popen(
        [sys.executable, "-c", code, gate, how], stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def test_an_end_is_kept_while_what_the_body_left_is_ended(chute):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LEAVER)],
        env=os.environ | {"CHUTES_NB_FAILPOINTS": "done.before_commit=@1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        job = get_job(process.stdout.readline().strip())
        assert process.wait(S) == -signal.SIGKILL
    assert job.result(S) == "done"
    assert len(job.attempts) == 1


def end(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()


# -- the next executor -------------------------------------------------------
def test_a_running_job_goes_on_under_the_next_executor(own_chute, gate):
    job, pid = begun(own_chute, gate)
    first = runtime.executor().id
    runtime.stop()
    assert runtime.executor().id != first
    seen = len(job.logs())
    until(lambda: len(job.logs()) > seen)
    gate.touch()
    n = job.result(S)
    assert job.logs() == lines(n)
    assert ledger(gate) == [(pid, 1)]
    assert [one.status for one in job.attempts] == ["completed"]


def test_a_worker_whose_adoption_failed_at_first_is_adopted_all_the_same(
    own_chute, gate, monkeypatch
):
    job, pid = begun(own_chute, gate)
    runtime.stop()
    adopt, calls = Settler.adopt, []

    def fails_once(*facts):
        calls.append(facts)
        if len(calls) == 1:
            raise OSError(24, "Too many open files")
        adopt(*facts)

    monkeypatch.setattr(Settler, "adopt", fails_once)
    runtime.executor()
    until(lambda: len(calls) == 2)
    gate.touch()
    job.result(S)
    assert ledger(gate) == [(pid, 1)]


def test_an_adopted_worker_is_warm_for_the_next_job(own_chute, gate):
    job, pid = begun(own_chute, gate)
    runtime.stop()
    runtime.executor()
    gate.touch()
    job.result(S)

    @own_chute.job
    def who(self):
        return os.getpid()

    assert who.submit().result(S) == pid


def test_an_adopted_job_is_cancelled_like_any_other(own_chute, gate):
    job, pid = begun(own_chute, gate)
    runtime.stop()
    runtime.executor()
    job.cancel()
    assert isinstance(job.exception(S), JobCancelled)
    until(lambda: is_gone(pid))


def test_an_adopted_job_keeps_its_timeout(own_chute, gate):
    job, _ = begun(own_chute, gate, timeout=0.6)
    runtime.stop()
    runtime.executor()
    assert isinstance(job.exception(S), JobTimeout)
    assert job.reason.startswith("timed out after 0.6 s")
    info = job.info
    assert info.finished_at - info.started_at >= 0.6


def test_an_adopted_job_can_be_given_more_time(own_chute, gate):
    job, _ = begun(own_chute, gate, timeout=LIMIT)
    began = time.time()
    runtime.stop()
    runtime.executor()
    assert job.extend(60)
    until(lambda: time.time() > began + LIMIT + 0.2)
    assert job.running()
    gate.touch()
    assert job.logs() is not None
    assert job.result(S) > 0


def test_queued_jobs_of_a_dead_executor_run_under_the_next(lone_chute, gate):
    job, _ = begun(lone_chute, gate)

    @lone_chute.job
    def after(self, n: int):
        return n

    queued = after.map(range(5))
    runtime.stop()
    assert {one.status for one in queued} == {"queued"}
    runtime.executor()
    gate.touch()
    assert queued.results(S) == list(range(5))
    assert job.result(S) >= 0


def test_a_waiting_retry_of_a_dead_executor_is_tried_by_the_next(own_chute):
    @own_chute.job(retry=1, retry_delay=600, retry_delay_max=600)
    def flaky(self):
        if self.attempt == 1:
            raise ValueError
        return self.attempt

    job = flaky.submit()
    until(lambda: job.status == "retrying")
    runtime.stop()
    soon = {"at": time.time() + 0.5, "job": job.id}
    with runtime.store().writing() as tx:  # as if it had waited for ten minutes
        tx.run("UPDATE jobs SET not_before = :at WHERE id = :job", soon)
    assert job.result(S) == 2


# -- nobody lives for a while ------------------------------------------------
def test_a_job_that_ends_while_nobody_lives_is_completed_with_its_log(own_chute, gate):
    job, _ = begun(own_chute, gate)
    runtime.stop()
    gate.touch()
    until(job.done)
    assert runtime.current_executor() is None
    n = job.result_now()
    assert job.logs() == lines(n)
    assert job.state == {"n": n - 1}


def test_output_and_state_are_seen_while_nobody_lives(own_chute, gate):
    job, _ = begun(own_chute, gate)
    runtime.stop()
    seen, n = len(job.logs()), job.state.get("n", 0)
    until(lambda: len(job.logs()) > seen)
    until(lambda: job.state.get("n", 0) > n)


def test_a_timeout_that_passes_while_nobody_lives_ends_the_job(own_chute, gate):
    job, pid = begun(own_chute, gate, AMPLE_GRACE, timeout=0.5)
    runtime.stop()
    until(job.done)
    assert job.status == "timeout"
    assert job.reason.startswith("timed out after 0.5 s")
    until(lambda: is_gone(pid))


def test_a_body_that_swallows_its_timeout_while_nobody_lives_is_killed(own_chute, gate):
    @own_chute.job(timeout=0.3, grace=0.3)
    def swallow(self):
        while True:
            try:
                time.sleep(0.05)
            except BaseException:
                continue

    job = swallow.submit()
    until(job.running)  # it may be gone before it could write its number into a file
    (pid,) = runtime.store().reader.one("SELECT pid FROM workers")
    runtime.stop()
    until(lambda: is_gone(pid))
    assert isinstance(job.exception(S), JobTimeout)
    assert job.reason.endswith("; it did not stop within 0.3 s and was killed")


def test_a_worker_notes_why_it_ends_itself_while_nobody_lives(own_chute, gate):
    """Its own watchdog may come too late to say that it was a timeout."""

    @own_chute.job(timeout=60.0, grace=60.0, retry=1, retry_delay=0)
    def linger(self, path: str):
        try:
            Path(path).write_text(str(os.getpid()))
            time.sleep(600)
        except BaseException:
            Path(path + ".asked").touch()
            time.sleep(600)

    job = linger.submit(path=str(gate))
    pid = pid_in(gate)
    (folder,) = [one.folder for one in runtime.executor().handles]
    runtime.stop()
    assert job.extend(-59)  # its body has begun, and no executor lives
    until(Path(f"{gate}.asked").exists)
    note = read_note(folder, job.id, 1)
    assert note is not None
    assert note.state == "timeout"
    os.killpg(pid, signal.SIGKILL)
    assert isinstance(job.exception(S), JobTimeout)


def test_a_cancel_is_heard_while_nobody_lives(own_chute, gate):
    job, pid = begun(own_chute, gate, AMPLE_GRACE)
    runtime.stop()
    assert job.cancel()
    until(job.done)
    assert job.status == "cancelled"
    until(lambda: is_gone(pid))  # as under an executor, which may come at any moment


def test_what_a_body_left_is_ended_while_nobody_lives(own_chute, gate):
    @own_chute.job(grace=GRACE)
    def leave(self, gate: str):
        nothing = ["sleep", "60"]
        left = subprocess.Popen(nothing, env={}, start_new_session=True)
        with open(gate + ".ledger", "a") as ledger:
            ledger.write(f"{os.getpid()} {self.attempt}\n")
        while not os.path.exists(gate):
            time.sleep(0.005)
        return left.pid

    job = leave.submit(gate=str(gate))
    ((pid, _),) = until(lambda: ledger(gate))
    runtime.stop()
    gate.touch()
    until(job.done)
    until(lambda: is_gone(job.result_now()))
    until(lambda: is_gone(pid))


def test_a_swallowed_cancel_while_nobody_lives_is_not_tried_again(own_chute, gate):
    @own_chute.job(grace=0.2, retry=1, retry_delay=0)
    def swallow(self, path: str):
        Path(path).write_text(str(os.getpid()))
        while True:
            try:
                time.sleep(0.05)
            except BaseException:
                continue

    job = swallow.submit(path=str(gate))
    pid = pid_in(gate)
    runtime.stop()
    assert job.cancel()
    until(lambda: is_gone(pid))
    assert isinstance(job.exception(S), JobCancelled)
    assert job.reason.endswith("; it did not stop within 0.2 s and was killed")
    assert len(job.attempts) == 1


def test_more_time_is_heard_of_while_nobody_lives(own_chute, gate):
    job, _ = begun(own_chute, gate, timeout=LIMIT)
    began = time.time()
    runtime.stop()
    assert job.extend(60)
    until(lambda: time.time() > began + LIMIT + GRACE + 0.4)
    assert job.running()
    gate.touch()
    until(job.done)
    assert job.result_now() > 0


def test_less_time_is_heard_of_while_nobody_lives(own_chute, gate):
    job, _ = begun(own_chute, gate, AMPLE_GRACE, timeout=60)
    runtime.stop()
    assert job.extend(-59.5)
    until(job.done)
    assert job.status == "timeout"
    assert job.reason.startswith("timed out after 0.5 s")


def test_a_deadline_that_passes_while_nobody_lives_ends_the_job(own_chute, gate):
    job, _ = begun(own_chute, gate, AMPLE_GRACE, deadline=600, retry=3)
    runtime.stop()
    soon = {"at": time.time() + 0.5, "job": job.id}
    with runtime.store().writing() as tx:  # as if it had been at work for ten minutes
        tx.run("UPDATE jobs SET deadline_at = :at WHERE id = :job", soon)
    until(job.done)
    assert job.status == "timeout"
    assert job.reason.startswith("deadline at line ")


def test_a_worker_killed_while_nobody_lived_is_settled_as_interrupted(own_chute, gate):
    job, pid = begun(own_chute, gate)
    runtime.stop()
    os.kill(pid, signal.SIGKILL)
    assert isinstance(job.exception(S), JobInterrupted)


@pytest.mark.skipif(sys.platform != "linux", reason="the file is one of Linux")
def test_a_lease_that_cannot_be_removed_keeps_no_job_from_its_end(own_chute, gate):
    job, pid = begun(own_chute, gate)
    runtime.stop()
    os.kill(pid, signal.SIGKILL)
    with runtime.store().writing() as tx:  # it can be opened and locked, not removed
        tx.run("UPDATE executors SET lease = '/proc/self/comm' WHERE ended_at IS NULL")
    runtime.executor()
    with pytest.raises(JobInterrupted):
        job.result(timeout=S)


def test_a_worker_killed_while_nobody_lived_is_tried_again(own_chute, gate):
    job, pid = begun(own_chute, gate, retry=1, retry_delay=0)
    runtime.stop()
    os.kill(pid, signal.SIGKILL)
    gate.touch()
    assert job.result(S) == 0
    assert [one.status for one in job.attempts] == ["interrupted", "completed"]
    assert [attempt for _, attempt in ledger(gate)] == [1, 2]


# -- another process's jobs --------------------------------------------------
def test_a_job_of_a_killed_kernel_goes_on_and_is_adopted(own_chute, gate):
    process, job_id = kernel(gate, "stay")
    until(lambda: ledger(gate))
    end(process)
    job = get_job(job_id)
    seen = len(job.logs())
    until(lambda: len(job.logs()) > seen)
    gate.touch()
    n = job.result(S)
    assert job.logs() == lines(n)
    assert [attempt for _, attempt in ledger(gate)] == [1]


def test_a_flood_whose_kernel_was_killed_keeps_head_and_tail_and_tells_the_gap(
    own_chute, gate
):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(FLOODER), gate],
        stdout=subprocess.PIPE,
        text=True,
    )
    job_id, store = process.stdout.readline().strip(), runtime.store()

    def written():
        return logs.end(store.log_reader, job_id, 1)

    until(lambda: written() > 3 * logs.HEAD_BYTES)
    end(process)
    seen = written()
    job = get_job(job_id)
    until(lambda: written() > seen + logs.HEAD_BYTES)
    gate.touch()
    total, offset, gaps = job.result(S), 0, []
    assert total >= 120_000_000
    while offset < total:
        piece = logs.read(store.log_reader, job_id, 1, offset, logs.HEAD_BYTES)
        assert piece.offset == offset + piece.skipped
        gaps += [(offset, piece.skipped)] if piece.skipped else []
        first = -piece.offset % 10  # a line that was cut
        for at in range(first, len(piece.body) - 10, 10):
            assert int(piece.body[at : at + 9]) == piece.offset + at
        offset = piece.next_offset
    ((gap, skipped),) = gaps
    assert gap == logs.HEAD_BYTES
    assert logs.FLOOD_TAIL_BYTES <= total - gap - skipped < 2 * logs.FLOOD_TAIL_BYTES
    assert f"[{skipped} bytes not kept]" in job.logs()
    assert job.logs(tail=1) == f"{total - 10:09d}"


def test_a_job_that_ended_after_its_kernel_was_killed_is_completed(own_chute, gate):
    process, job_id = kernel(gate, "stay")
    until(lambda: ledger(gate))
    end(process)
    gate.touch()
    store = runtime.store()
    until(lambda: store.has_ended(job_id))
    job = get_job(job_id)
    assert job.logs() == lines(job.result(S))


def test_kernel_and_worker_both_killed_leave_a_job_that_is_tried_again(own_chute, gate):
    process, job_id = kernel(gate, "stay")
    pid = until(lambda: ledger(gate))[0][0]
    os.kill(process.pid, signal.SIGSTOP)  # so that it cannot settle the death
    os.kill(pid, signal.SIGKILL)
    end(process)
    gate.touch()
    job = get_job(job_id)
    assert job.result(S) == 0
    assert [one.status for one in job.attempts] == ["interrupted", "completed"]


def test_a_job_submitted_by_a_script_that_ends_at_once_still_runs(own_chute, gate):
    gate.touch()
    process, job_id = kernel(gate, "end")
    with process:
        process.wait(30)
    assert get_job(job_id).result(S) == 0
    assert [attempt for _, attempt in ledger(gate)] == [1]


@pytest.mark.parametrize("how", ["os._exit(7)", "_exit(256 + 7)"])
def test_a_body_that_ends_its_adopted_worker_tells_the_exit_code(own_chute, gate, how):
    first, second = quit_after_its_kernel(gate, how)
    assert first.status == "failed"
    assert first.reason.startswith("the body ended its worker with exit code 7 and no")
    assert second.reason.startswith("killed by signal 9")  # no code is left over


def test_a_forked_child_leaves_no_exit_code_for_an_adopted_worker(own_chute, gate):
    first, _ = quit_after_its_kernel(gate, "os.kill(os.getpid(), 9)")
    assert first.status == "interrupted"
    assert first.reason.startswith("its worker ended, nobody knows how")


def quit_after_its_kernel(gate, how):
    """The attempts of a job that ends its worker once its kernel was killed."""
    code = textwrap.dedent(QUITTER)
    process = subprocess.Popen(
        [sys.executable, "-c", code, gate, how], stdout=subprocess.PIPE, text=True
    )
    job = get_job(process.stdout.readline().strip())
    end(process)
    until(lambda: all(one.is_ready for one in executor_with_handles()))
    gate.touch()
    job.exception(S)
    return job.attempts


def test_a_living_kernel_keeps_its_jobs(own_chute, gate):
    process, job_id = kernel(gate, "stay")
    until(lambda: ledger(gate))
    mine = runtime.executor()
    job = get_job(job_id)
    until(job.logs)
    gate.touch()
    assert job.result(S) > 0  # told by the other process through the store
    assert mine.handles == []
    end(process)


def test_each_attempt_has_an_output_file_of_its_own_in_the_store(lone_chute):
    @lone_chute.job()
    def speak(n: int):
        print("number", n)

    speak.map(range(5)).results(S)
    outputs = [
        row["output"] for row in runtime.store().reader.all("SELECT * FROM attempts")
    ]
    assert len(outputs) == len(set(outputs)) == 5


# -- time ----------------------------------------------------------------------------
def test_an_adopted_attempt_is_timed_from_its_first_line_not_from_its_claim(
    own_chute, gate
):
    @own_chute.on_startup()
    def load_a_model(chute):
        time.sleep(LIMIT + 0.5)

    job, _ = begun(own_chute, gate, timeout=LIMIT)
    runtime.stop()
    until(lambda: all(one.is_ready for one in executor_with_handles()))
    gate.touch()
    job.result(S)
    assert [one.status for one in job.attempts] == ["completed"]


def test_a_clock_that_was_set_does_not_end_an_adopted_attempt(own_chute, gate):
    job, _ = begun(own_chute, gate, timeout=60)
    runtime.stop()
    with runtime.store().writing() as tx:  # as if the clock had been a year behind
        tx.run("UPDATE attempts SET started_at = started_at - 3e7")
    until(lambda: all(one.is_ready for one in executor_with_handles()))
    seen = len(job.logs())
    until(lambda: len(job.logs()) > seen)
    gate.touch()
    job.result(S)
    assert [one.status for one in job.attempts] == ["completed"]


def executor_with_handles():
    executor = runtime.executor()
    until(lambda: executor.handles)
    return executor.handles


# -- a beat that fails ---------------------------------------------------------------
def test_a_worker_goes_on_to_follow_its_job_after_a_look_that_failed(
    own_chute, gate, monkeypatch
):
    monkeypatch.setenv("CHUTES_NB_FAILPOINTS", "body.mid=@3:EIO")
    job, _ = begun(own_chute, gate)
    seen = len(job.logs())
    until(lambda: len(job.logs()) > seen + 1000)  # some 600 ms, twelve beats
    runtime.stop()
    seen = len(job.logs())
    until(lambda: len(job.logs()) > seen)
    gate.touch()
    n = job.result(S)
    assert job.logs() == lines(n)
