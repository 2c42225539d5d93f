"""Ends that a job did not choose: timeouts, cancels, crashes, kills."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chutes_nb import (
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobTimeout,
    runtime,
)
from chutes_nb.worker.body import JobStopped, Stopper
from chutes_nb.worker.context import RunFacts
from rows import is_gone, pid_in, until

S = 20.0
TIMEOUT, GRACE = 0.3, 0.4
LONG = 5.0  # for what has to be done before a time is over, on a machine with no time
# Longer than anybody here waits: whoever is ended has ended by itself.
AMPLE_GRACE = 60.0


def took(job):
    """Seconds from the body's begin to the job's end."""
    info = job.info
    return info.finished_at - info.started_at


def time_out(job):
    """Let a timeout of a minute be over once the body has said something."""
    until(lambda: job.info.log_end)
    assert job.extend(TIMEOUT - 60)


def failing_line(job):
    """The line of the body where the attempt was ended."""
    return dict(job.error.source)[job.error.line].strip()


# -- timeouts ----------------------------------------------------------------
def test_a_sleeping_body_is_ended_at_its_timeout(chute):
    @chute.job(timeout=TIMEOUT, grace=AMPLE_GRACE)
    def sleep(self):
        time.sleep(60)

    job = sleep.submit()
    with pytest.raises(JobTimeout, match=r"timed out after 0.3 s at line \d+ of"):
        job.result(S)
    assert failing_line(job) == "time.sleep(60)"
    assert "chutes_nb/" not in job.error.traceback  # the user's own lines alone
    assert (job.error.type, job.error.message) == ("JobTimeout", job.reason)
    assert took(job) >= TIMEOUT
    assert "killed" not in job.reason


def test_a_line_of_a_file_is_named_by_its_file(chute):
    @chute.job(timeout=TIMEOUT, grace=AMPLE_GRACE)
    def sleep(self):
        time.sleep(60)

    @chute.job
    def fails(self):
        raise ValueError("no")

    job = sleep.submit()
    assert isinstance(job.exception(S), JobTimeout)
    file = Path(__file__).name
    assert job.reason == f"timed out after 0.3 s at line {job.error.line} of {file}"
    assert job.error.file == file
    job = fails.submit()
    job.wait(S)
    page = job._repr_mimebundle_()["text/html"]
    assert f"line {job.error.line} of {file}" in page


def test_an_async_body_runs_its_finally_blocks_at_a_timeout(chute):
    @chute.job(timeout=60, grace=AMPLE_GRACE)
    async def wait(self):
        try:
            print("begun")
            await asyncio.sleep(60)
        finally:
            self.cleaned = True
            print("cleaned up")

    job = wait.submit()
    time_out(job)
    assert isinstance(job.exception(S), JobTimeout)
    assert (job.state, job.logs()) == ({"cleaned": True}, "begun\ncleaned up\n")


def test_a_plain_body_runs_its_finally_blocks_at_a_timeout(chute):
    @chute.job(timeout=60, grace=AMPLE_GRACE)
    def work(self):
        try:
            print("begun")
            while True:
                time.sleep(0.01)
        finally:
            print("cleaned up")

    job = work.submit()
    time_out(job)
    assert isinstance(job.exception(S), JobTimeout)
    assert job.logs() == "begun\ncleaned up\n"


def test_a_body_that_swallows_everything_is_killed_after_its_grace(chute):
    @chute.job(timeout=60, grace=LONG)
    def swallow(self):
        is_told = False
        while True:
            try:
                if not is_told:
                    is_told = True
                    print("begun")
                time.sleep(60)
            except BaseException:
                print("not me")

    job = swallow.submit()
    time_out(job)
    assert isinstance(job.exception(S), JobTimeout)
    assert took(job) >= TIMEOUT + LONG
    assert job.logs() == "begun\nnot me\n"
    assert job.reason.startswith("timed out after 0.3 s at line")
    assert job.reason.endswith("; it did not stop within 5 s and was killed")
    assert job.error.message == job.reason


def test_a_cancel_that_is_swallowed_says_that_it_took_a_kill(chute):
    @chute.job(grace=GRACE)
    def swallow(self):
        while True:
            try:
                print("begun")
                time.sleep(60)
            except BaseException:
                continue

    job = swallow.submit()
    until(lambda: job.info.log_end)
    assert job.cancel()
    assert isinstance(job.exception(S), JobCancelled)
    assert job.reason.startswith("cancelled by")
    assert job.reason.endswith("; it did not stop within 0.4 s and was killed")


def test_a_c_call_that_never_lets_go_of_the_gil_is_killed_after_its_grace(chute):
    @chute.job(timeout=TIMEOUT, grace=LONG)
    def hold(self):
        sum(range(10**12))

    job = hold.submit()
    assert isinstance(job.exception(S), JobTimeout)
    assert failing_line(job) == "sum(range(10**12))"
    assert job.reason.endswith("; it did not stop within 5 s and was killed")


def test_what_a_timed_out_body_started_is_ended_too(chute, tmp_path):
    @chute.job(timeout=60, grace=GRACE)
    def start(self, path: str):
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        Path(path).write_text(str(child.pid))
        print("begun")
        child.wait()

    job = start.submit(path=str(tmp_path / "pid"))
    time_out(job)
    assert isinstance(job.exception(S), JobTimeout)
    assert is_gone(pid_in(tmp_path / "pid"))


def test_a_timeout_is_tried_again_where_that_is_asked_for(chute):
    @chute.job(timeout=LONG, grace=GRACE, retry=1, retry_delay=0, retry_on_timeout=True)
    def slow_once(self):
        if self.attempt == 1:
            time.sleep(60)
        return self.attempt

    job = slow_once.submit()
    assert job.result(S) == 2
    assert [one.status for one in job.attempts] == ["timeout", "completed"]


def test_a_timeout_is_final_otherwise(chute):
    @chute.job(timeout=0.2, grace=GRACE, retry=2, retry_delay=0)
    def slow(self):
        time.sleep(60)

    job = slow.submit()
    assert isinstance(job.exception(S), JobTimeout)
    assert len(job.attempts) == 1


def test_a_deadline_ends_a_running_attempt_and_names_itself(chute):
    @chute.job
    def quick(self):
        return None

    @chute.job(deadline=LONG, grace=GRACE, retry=3, retry_on_timeout=True)
    def slow(self):
        time.sleep(60)

    quick.submit().result(S)  # its worker is there for the next, which has to begin
    job = slow.submit()
    assert isinstance(job.exception(S), JobTimeout)
    assert job.reason.startswith("deadline")
    assert len(job.attempts) == 1


def test_an_extended_attempt_runs_past_its_first_timeout(chute, tmp_path):
    gate = tmp_path / "gate"

    @chute.job(timeout=LONG, grace=GRACE)
    def wait(self, path: str):
        print("begun")
        began = time.monotonic()
        while time.monotonic() < began + LONG + 0.3 or not os.path.exists(path):
            time.sleep(0.01)
        return self.remaining

    job = wait.submit(path=str(gate))
    until(job.running)
    assert job.extend(30)
    gate.touch()
    assert 0 < job.result(S) < 30  # of the half minute and what has gone by
    assert job.info.timeout_s == 30 + LONG


def test_other_jobs_go_on_beside_one_that_was_extended(chute, tmp_path):
    gate = tmp_path / "gate"

    @chute.job(timeout=20, grace=GRACE)
    def wait(self, path: str):
        while not os.path.exists(path):
            time.sleep(0.01)

    @chute.job
    def other(self, n: int):
        return n

    job = wait.submit(path=str(gate))
    until(job.running)
    assert job.extend(30)
    assert other.map(range(3)).results(S) == [0, 1, 2]
    gate.touch()
    assert job.result(S) is None


def test_an_ended_job_cannot_be_extended(chute):
    @chute.job(timeout=5)
    def quick(self):
        return 1

    job = quick.submit()
    job.result(S)
    assert job.extend(5) is False


# -- cancels -----------------------------------------------------------------
def test_cancelling_a_running_job_ends_its_process_and_runs_finally(chute, tmp_path):
    @chute.job(grace=5)
    async def work(self, path: str):
        Path(path).write_text(str(os.getpid()))
        try:
            await asyncio.sleep(60)
        finally:
            print("cleaned up")

    job = work.submit(path=str(tmp_path / "pid"))
    pid = pid_in(tmp_path / "pid")
    assert job.cancel() is True
    with pytest.raises(JobCancelled, match="cancelled by"):
        job.result(S)
    assert (job.cancelled(), job.logs()) == (True, "cleaned up\n")
    until(lambda: is_gone(pid))


def test_a_job_that_finishes_while_it_is_cancelled_has_one_end(chute):
    @chute.job(retry=3, retry_delay=0)
    def quick(self):
        print("almost done")

    group = quick.map([{}] * 30)
    for job in group:
        job.cancel()
    assert group.wait(S)
    for job in group:
        moves = runtime.store().detail(job.id)["moves"]
        assert moves[-1]["to"] in ("completed", "cancelled")
        assert job.status == moves[-1]["to"]


def test_a_sleeping_body_hears_of_its_cancel_long_before_its_grace_is_over(chute):
    @chute.job(grace=AMPLE_GRACE)
    def sleep(self):
        print("asleep")
        time.sleep(600)

    for _ in range(2):
        group = sleep.map([{}] * 4)
        for job in group:
            until(lambda job=job: job.info.log_end)
        group.cancel()
        assert group.wait(S)


def test_a_waiting_retry_is_cancelled_at_once(chute):
    @chute.job(retry=1, retry_delay=600, retry_delay_max=600)
    def fail(self):
        raise ValueError

    job = fail.submit()
    until(lambda: job.status == "retrying")
    assert job.info.next_attempt_at > time.time() + 500
    assert job.cancel()
    assert isinstance(job.exception(S), JobCancelled)


def test_cancelling_twice_and_after_the_end_is_harmless(chute, tmp_path):
    gate = tmp_path / "gate"

    @chute.job(grace=AMPLE_GRACE)
    def sleep(self, path: str):
        try:
            print("begun")
            time.sleep(60)
        finally:
            while not os.path.exists(path):
                time.sleep(0.01)

    job = sleep.submit(path=str(gate))
    until(lambda: job.info.log_end)
    assert (job.cancel(), job.cancel()) == (True, True)
    gate.touch()
    assert isinstance(job.exception(S), JobCancelled)
    assert job.cancel() is False


def test_a_cancelled_job_keeps_its_state_and_partial_results(chute):
    @chute.job(grace=5)
    def work(self):
        self.epoch = 3
        self.emit({"first": 1})
        time.sleep(60)

    job = work.submit()
    until(lambda: job.partial)
    job.cancel()
    assert job.wait(S)
    assert (job.partial, job.state) == ([{"first": 1}], {"epoch": 3})


# -- deaths ------------------------------------------------------------------
def test_what_a_body_tells_just_before_it_ends_its_worker_is_kept(chute):
    @chute.job
    def work(self):
        self.training_state = {"epoch": 0}
        self.log(step=1, loss=0.5)
        self.progress(1, 4)
        self.emit("part")
        self.training_state["epoch"] = 7
        os._exit(1)

    job = work.submit()
    assert isinstance(job.exception(S), JobFailed)
    assert job.state == {"training_state": {"epoch": 7}}
    assert (job.partial, job.metrics) == (["part"], {"loss": [(1, 0.5)]})
    assert job.progress.fraction == 0.25


@pytest.mark.parametrize(
    ("act", "end", "words"),
    [
        (lambda: os._exit(0), JobFailed, "exit code 0 and no result"),
        (lambda: os._exit(7), JobFailed, "exit code 7"),
        (lambda: sys.exit(3), JobFailed, "sys.exit(3)"),
        (lambda: ctypes.string_at(0), JobFailed, "SIGSEGV"),
        (os.abort, JobFailed, "SIGABRT"),
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            JobInterrupted,
            "killed by signal 9 (SIGKILL), perhaps out of memory",
        ),
        (
            lambda: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(5)),
            JobInterrupted,
            "signal 15 (SIGTERM)",
        ),
    ],
    ids=["_exit", "_exit_7", "exit", "segfault", "abort", "sigkill", "sigterm"],
)
def test_the_cause_of_a_worker_s_death_is_named(chute, act, end, words):
    @chute.job
    def die(self):
        print("last words", flush=True)
        act()

    job = die.submit()
    assert type(job.exception(S)) is end
    assert words in job.reason
    assert job.logs().startswith("last words\n")


def test_a_killed_worker_s_job_is_tried_again(chute):
    @chute.job(retry=1, retry_delay=0)
    def die_once(self):
        if self.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.attempt

    job = die_once.submit()
    assert job.result(S) == 2
    assert [one.status for one in job.attempts] == ["interrupted", "completed"]


def test_a_worker_killed_from_outside_is_told_so(chute, tmp_path):
    @chute.job
    def sleep(self, path: str):
        Path(path).write_text(str(os.getpid()))
        time.sleep(60)

    job = sleep.submit(path=str(tmp_path / "pid"))
    os.kill(pid_in(tmp_path / "pid"), signal.SIGKILL)
    assert type(job.exception(S)) is JobInterrupted


def test_a_timeout_names_the_line_at_which_an_async_body_waits(chute):
    @chute.job(timeout=60, grace=AMPLE_GRACE)
    async def gathers(self):
        async def inner():
            print("begun")
            await asyncio.sleep(60)

        await asyncio.gather(inner(), inner())

    job = gathers.submit()
    time_out(job)
    with pytest.raises(JobTimeout, match=r"timed out after 0.3 s at line \d+ of"):
        job.result(S)
    assert failing_line(job) == "await asyncio.sleep(60)"


def test_a_worker_that_is_asked_where_it_is_shows_the_body_s_thread_alone(chute):
    # The stacks of the others run on while they are read: that was a crash now and
    # then, at a timeout, in place of the finally blocks.
    @chute.job
    def show(self):
        held = []
        thread = threading.Thread(target=lambda: held.append(gate.wait(S)))
        gate = threading.Event()
        thread.start()
        for _ in range(20):
            os.kill(os.getpid(), signal.SIGUSR1)
        gate.set()
        thread.join()
        return (Path.cwd().parent / "trace").read_text()

    text = show.submit().result(S)
    assert "in show" in text
    assert "in serve" in text
    assert "pulse" not in text


def test_a_request_to_stop_that_comes_while_the_loop_is_made_waits_for_it():
    stopper, began = Stopper(), []

    class Asks(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self):
            stopper._on_term(signal.SIGTERM, None)
            return super().new_event_loop()

    async def body():
        began.append(True)

    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(Asks())
    facts = RunFacts("job", 1, 1, Path.cwd(), None)
    stopper.begin(facts)
    try:
        with pytest.raises(JobStopped):  # and no word of what was never awaited
            stopper.call(body)
    finally:
        asyncio.set_event_loop_policy(before)
    assert (began, facts.is_cancelled, stopper.has_stopped) == ([], True, True)
