"""Jobs with ``executor="kernel"``: threads of this process, with its live variables."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import io
import logging
import os
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest

import chutes_nb
from chutes_nb import (
    BindingError,
    DefinitionError,
    JobCancelled,
    JobFailed,
    JobTimeout,
    KernelGone,
    PermanentError,
    UploadedFile,
    beside,
    live,
    runtime,
)
from chutes_nb.lanes import kernel
from chutes_nb.lanes.streams import streams
from chutes_nb.lanes.turning import MARK, Turning
from rows import until

S = 60.0
TIMEOUT, GRACE = 0.3, 30.0
LIMIT = 600.0  # of what must have begun before its time is up; see run_out
SLACK = 20.0  # two cores, shared; far below the minute that is spared
# Many of these run out of time, by one name.
pytestmark = pytest.mark.filterwarnings("ignore::chutes_nb.TightTimeoutWarning")


@pytest.fixture
def gate():
    """An event; jobs of this module go on once it is set."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def begun():
    """An event that a body sets when it is where it is to be stopped."""
    return threading.Event()


def run_out(job, begun):
    """Let the time of a body be up once it has begun, on a machine however slow."""
    assert begun.wait(S)
    assert job.extend(TIMEOUT - LIMIT)


# -- what is shared ------------------------------------------------------------
def test_a_kernel_job_sees_and_changes_live_variables(chute):
    lock, seen = threading.Lock(), []

    @chute.job(executor="kernel")
    def work(self, n: int):
        with lock:
            seen.append(n)
        return os.getpid()

    assert work.submit(n=7).result(S) == os.getpid()
    assert seen == [7]


def test_arguments_come_as_they_are_and_are_shown_as_far_as_they_can_be(chute):
    lock, found = threading.Lock(), []

    @chute.job(executor="kernel")
    def work(self, thing, n: int):
        found.append(thing)

    job = work.submit(thing=lock, n=1)
    job.result(S)
    assert found[0] is lock
    assert job.inputs["n"] == 1
    assert "lock" in job.inputs["thing"]
    assert "found.append(thing)" in job.source
    assert job.info.executor == "kernel"


def test_payloads_are_checked_at_submit(chute):
    @chute.job(executor="kernel")
    def work(self, n: int):
        return n

    with pytest.raises(chutes_nb.ValidationFailed):
        work.submit(n="many")
    assert work.submit({"n": "3"}).result(S) == 3


def test_each_kernel_job_has_a_thread_and_a_loop_of_its_own(chute):
    @chute.job(executor="kernel")
    async def where(self):
        await asyncio.sleep(0)
        return threading.get_ident(), id(asyncio.get_running_loop())

    @chute.job(executor="kernel")
    def plain(self):
        return threading.current_thread() is threading.main_thread()

    places = [where.submit().result(S)[0] for _ in range(2)]
    assert threading.get_ident() not in places
    assert plain.submit().result(S) is False


def test_async_kernel_jobs_run_beside_each_other(chute):
    both = threading.Barrier(2, timeout=S)

    @chute.job(executor="kernel")
    async def meet(self):
        await asyncio.to_thread(both.wait)
        return True

    assert meet.map([{}, {}]).results(S) == [True, True]


def test_a_result_is_the_same_value_by_every_way(chute):
    @chute.job(executor="kernel")
    def work(self):
        return {"pair": (1, 2), "seen": {3}}

    job = work.submit()
    assert job.result(S) == {"pair": (1, 2), "seen": {3}}
    assert chutes_nb.get_job(job.id).result(S) == job.result(S)


def test_a_result_that_cannot_be_stored_fails_and_says_where_it_may_go(chute):
    @chute.job(executor="kernel", retry=2, retry_delay=0)
    def work(self):
        self.epoch = 1
        return threading.Lock()

    job = work.submit()
    with pytest.raises(JobFailed, match="ResultNotStorable"):
        job.result(S)
    assert job.error.type == "ResultNotStorable"
    assert "a variable of the notebook" in job.error.message
    assert "unlocked _thread.lock" in job.error.message
    assert (len(job.attempts), job.state) == (1, {"epoch": 1})


def unspeakable():
    """Make an exception that says nothing of itself; its class does not either."""

    class Silent(type):
        @property
        def __name__(cls):
            raise SystemExit("no name")

    class Unspeakable(Exception, metaclass=Silent):
        @property
        def __class__(self):
            raise SystemExit("no class")

        def __str__(self):
            raise SystemExit("no words")

    return Unspeakable()


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_an_exception_that_cannot_be_asked_anything_is_the_end_of_the_job(
    chute, executor
):
    @chute.job(executor=executor)
    def work():
        raise unspeakable()

    job = work.submit()
    assert isinstance(job.exception(S), JobFailed)
    assert job.error.type == "Unspeakable"


def test_the_end_is_told_where_its_telling_fails(chute, monkeypatch):
    def fail(_run, _outcome, error):
        raise SystemExit("no words")

    raised = []
    monkeypatch.setattr("chutes_nb.lanes.run.Run._fail", fail)
    monkeypatch.setattr(threading, "excepthook", raised.append)

    @chute.job(executor="kernel")
    def work():
        raise ValueError

    assert isinstance(work.submit().exception(S), JobFailed)
    until(lambda: raised)


# -- output ----------------------------------------------------------------------
def test_all_that_a_kernel_job_writes_is_in_its_log_and_nowhere_else(chute, capsys):
    handler = logging.StreamHandler()  # holds sys.stderr as it was before
    logger = logging.getLogger("of_a_kernel_job")
    logger.addHandler(handler)
    logger.propagate = False

    @chute.job(executor="kernel")
    async def work(self):
        print("printed")
        print("to stderr", file=sys.stderr)
        logger.warning("logged")
        thread = threading.Thread(target=print, args=("in a thread",))
        thread.start()
        thread.join()
        await asyncio.to_thread(print, "in another")
        await asyncio.gather(*[asyncio.create_task(say(n)) for n in range(2)])
        with concurrent.futures.ThreadPoolExecutor() as pool:
            pool.submit(print, "in a pool").result()
        print("no end", end="")

    async def say(n):
        print("task", n)

    job = work.submit()
    job.result(S)
    logger.removeHandler(handler)
    log = job.logs()
    assert log.startswith("printed\nto stderr\nlogged\n")
    assert log.endswith("in a thread\nin another\ntask 0\ntask 1\nin a pool\nno end")
    print("a cell's own")
    assert capsys.readouterr() == ("a cell's own\n", "")


def test_our_own_threads_belong_to_no_job_that_happens_to_start_them(chute, capsys):
    @chute.job(executor="kernel")
    def work():
        ours = threading.Thread(target=print, args=("ours",), name="chutes-test")
        ours.start()
        ours.join()
        print("the job's")

    job = work.submit()
    job.result(S)
    assert (job.logs(), capsys.readouterr().out) == ("the job's\n", "ours\n")


def test_an_exception_in_a_thread_of_the_job_is_in_its_log(chute, capsys):
    @chute.job(executor="kernel")
    def work(self):
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()

    hook, threading.excepthook = threading.excepthook, threading.__excepthook__
    try:
        job = work.submit()
        job.result(S)
    finally:
        threading.excepthook = hook
    assert "ZeroDivisionError" in job.logs()
    assert capsys.readouterr().err == ""


def test_logs_of_parallel_kernel_jobs_never_mix(chute):
    @chute.job(executor="kernel")
    async def work(self, n: int):
        for k in range(200):
            print(f"{n}:{k}")
            await asyncio.sleep(0)

    jobs = list(work.map([{"n": n} for n in range(8)]))
    for n, job in enumerate(jobs):
        job.result(S)
        assert job.logs() == "".join(f"{n}:{k}\n" for k in range(200))


def test_a_cell_that_captures_its_output_gets_only_its_own(chute, gate):
    ready = threading.Event()

    @chute.job(executor="kernel")
    def work(self):
        ready.set()
        gate.wait(S)
        print("the job's")

    caught = io.StringIO()
    job = work.submit()
    assert ready.wait(S)
    with contextlib.redirect_stdout(caught):
        until(lambda: "write" in vars(caught))  # it was seen
        gate.set()
        job.result(S)
        print("the cell's")
    assert (caught.getvalue(), job.logs()) == ("the cell's\n", "the job's\n")


def test_nothing_stays_turned_when_the_last_kernel_job_is_over(chute):
    until(lambda: not streams.users)
    start, write = threading.Thread.start, vars(type(sys.stdout)).get("write")

    @chute.job(executor="kernel")
    def work(self):
        return hasattr(sys.stdout.write, MARK) and threading.Thread.start is not start

    assert work.submit().result(S) is True
    until(lambda: not streams.users)
    assert vars(type(sys.stdout)).get("write") is write
    assert not hasattr(sys.stdout.write, MARK)
    assert threading.Thread.start is start


def test_what_is_put_on_a_turned_object_comes_below_and_goes_as_it_came():
    class Stream:
        def write(self, text):
            return ["plain", text]

    def around(inner):
        return lambda text: ["around", *inner(text)]

    stream, turning = Stream(), Turning()
    plain = stream.write
    before = stream.write
    turning.turn(stream, "write", around)
    turning.turn(stream, "write", around)
    assert stream.write(1) == ["around", "plain", 1]
    for put_back in (before, None, None):  # as IPython does around each cell
        inner = put_back or stream.write
        stream.write = lambda text, inner=inner: ["tee", *inner(text)]
        assert stream.write(1)[:2] == ["around", "tee"]
        stream.write = inner
        assert stream.write(1) == ["around", "plain", 1]
    turning.back()
    assert stream.write(1) == plain(1) == Stream().write(1) == ["plain", 1]


def test_odd_text_is_written_as_far_as_it_goes(chute):
    @chute.job(executor="kernel")
    def work(self):
        print("lone \ud800, whole \u2713")
        with pytest.raises(TypeError):
            sys.stdout.write(b"bytes")

    job = work.submit()
    job.result(S)
    assert job.logs() == "lone \\ud800, whole \u2713\n"


def test_progress_and_metrics_are_read_from_plain_output(chute):
    @chute.job(executor="kernel")
    def work(self):
        for epoch in range(1, 4):
            print(f"Epoch {epoch}/3: Loss = {1 / epoch:.2f}")

    job = work.submit()
    job.result(S)
    assert (job.progress.done, job.progress.total) == (3, 3)
    (points,) = [p for name, p in job.metrics.items() if name.lower() == "loss"]
    assert [value for _, value in points] == [1.0, 0.5, 0.33]


# -- the run itself ----------------------------------------------------------------
def test_verbs_of_self_and_as_functions_are_the_job_s_own(chute):
    def helper(n):
        chutes_nb.progress(n, 10)
        chutes_nb.emit(n)
        chutes_nb.stage(f"stage {n}")
        chutes_nb.log(n, loss=n)

    @chute.job(executor="kernel", retry=1)
    async def work(self, n: int):
        await asyncio.to_thread(helper, n)
        self.mine = {"n": n}
        self.mine["n"] += 1
        return self.job_id, self.attempt, self.max_attempts, list(self.track([1]))

    jobs = list(work.map([{"n": n} for n in range(6)]))
    for n, job in enumerate(jobs):
        assert job.result(S) == (job.id, 1, 2, [1])
        assert (job.partial, job.state) == ([n], {"mine": {"n": n + 1}})
        assert job.metrics == {"loss": [(float(n), float(n))]}
        assert job.info.stage == f"stage {n}"
    assert chutes_nb.restore("outside of any job") == "outside of any job"


def test_state_progress_and_parts_are_seen_while_it_runs(chute, gate):
    @chute.job(executor="kernel")
    def work(self):
        self.epoch = {"n": 1}
        self.progress(1, 4)
        self.emit("first")
        gate.wait(S)

    job = work.submit()
    until(lambda: job.state and job.partial and job.progress)
    assert job.running()
    assert (job.state, job.partial) == ({"epoch": {"n": 1}}, ["first"])
    assert job.progress.fraction == 0.25


def test_files_and_the_output_folder(chute, tmp_path):
    @chute.job(executor="kernel")
    def work(self, folder: str, output_dir: Path):
        assert output_dir == self.output_dir
        (output_dir / "left.txt").write_text("left")
        saved = Path(folder, "saved.bin")
        saved.write_bytes(b"saved")
        self.save_file(saved)
        returned = Path(folder, "returned.txt")
        returned.write_text("returned")
        return {"path": str(returned), "cwd": os.getcwd(), "dir": str(output_dir)}

    job = work.submit(folder=str(tmp_path))
    result = job.result(S)
    assert result["cwd"] == os.getcwd()
    assert sorted(file.name for file in job.files) == [
        "left.txt",
        "returned.txt",
        "saved.bin",
    ]
    until(lambda: not os.path.exists(result["dir"]))


def test_an_upload_reaches_a_kernel_job(chute):
    @chute.job(executor="kernel", upload=True)
    def work(self, data: UploadedFile):
        return data.read(), data.path.read_bytes()

    assert work.submit(data=b"a,b\n").result(S) == (b"a,b\n", b"a,b\n")


def test_a_checkpoint_is_there_for_the_next_attempt(chute):
    @chute.job(executor="kernel", retry=2, retry_delay=0)
    def work(self):
        step = self.restore(0)
        self.checkpoint(step + 1)
        if self.attempt < 3:
            raise OSError(f"attempt {self.attempt}")
        return step

    job = work.submit()
    assert job.result(S) == 2
    assert [one.status for one in job.attempts] == ["failed", "failed", "completed"]


def test_every_attempt_is_given_the_same_objects(chute):
    bag = []

    @chute.job(executor="kernel", retry=1, retry_delay=0)
    def work(self, bag: object):
        bag.append(threading.Lock())
        if len(bag) < 2:
            raise ValueError

    work.submit(bag=bag).result(S)
    assert len(bag) == 2


def test_a_failure_names_its_line_and_follows_retry_on(chute):
    @chute.job(executor="kernel", retry=3, retry_delay=0, retry_on=KeyError)
    def work(self):
        raise ValueError("no")

    @chute.job(executor="kernel", retry=3, retry_delay=0)
    def permanent(self):
        raise PermanentError("never")

    job = work.submit()
    assert isinstance(job.exception(S), JobFailed)
    assert (job.error.type, len(job.attempts)) == ("ValueError", 1)
    assert dict(job.error.source)[job.error.line].strip() == 'raise ValueError("no")'
    assert "lanes/" not in job.error.traceback
    job = permanent.submit()
    job.wait(S)
    assert len(job.attempts) == 1


def test_sys_exit_in_a_kernel_job_ends_the_job_alone(chute):
    @chute.job(executor="kernel")
    async def work(self):
        sys.exit(3)

    job = work.submit()
    assert isinstance(job.exception(S), JobFailed)
    assert "sys.exit(3)" in job.reason


def test_a_kernel_job_calls_and_submits_other_jobs(chute):
    @chute.job
    def part(self, n: int):
        self.emit(n)
        return self.username, n

    @chute.job(executor="kernel")
    def whole(self):
        return [part(1), part.submit(n=2).result(S)]

    job = whole.submit()
    assert job.result(S) == [("me", 1), ("me", 2)]
    assert job.partial == [1]


def test_context_variables_of_one_kernel_job_are_not_another_s(chute):
    mine = contextvars.ContextVar("mine", default=None)

    @chute.job(executor="kernel")
    async def work(self, n: int):
        before = mine.get()
        mine.set(n)
        return before

    assert work.map([{"n": 1}, {"n": 2}]).results(S) == [None, None]


# -- timeouts and cancels ------------------------------------------------------------
def took(job):
    return job.info.finished_at - job.info.started_at


def test_an_async_body_is_stopped_at_its_await_and_cleans_up(chute, begun):
    @chute.job(executor="kernel", timeout=LIMIT, grace=GRACE)
    async def work(self):
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            self.cleaned = True
            print("cleaned up")

    job = work.submit()
    run_out(job, begun)
    with pytest.raises(JobTimeout, match=r"timed out after 0.3 s at line \d+"):
        job.result(S)
    assert (job.state, job.logs()) == ({"cleaned": True}, "cleaned up\n")
    assert "may still run" not in job.reason
    assert took(job) < TIMEOUT + SLACK


@pytest.mark.parametrize("kind", ["plain", "async that never awaits"])
def test_a_body_in_python_is_stopped_between_two_steps(chute, begun, kind, monkeypatch):
    monkeypatch.setattr(kernel, "HEARD_WITHIN_S", 3.0)  # its thread may have to wait

    def loop(self):
        try:
            begun.set()
            while True:
                time.sleep(0.01)
        finally:
            print("cleaned up")

    async def busy(self):
        loop(self)

    body = chute.job(executor="kernel", timeout=LIMIT, grace=GRACE)(
        loop if kind == "plain" else busy
    )
    job = body.submit()
    run_out(job, begun)
    assert isinstance(job.exception(S), JobTimeout)
    assert (job.logs(), job.error.type) == ("cleaned up\n", "JobTimeout")
    assert "may still run" not in job.reason


def test_a_body_in_c_code_is_given_up_at_once_and_that_is_said(
    chute, gate, begun, capsys
):
    @chute.job(
        executor="kernel", timeout=LIMIT, grace=60, retry=3, retry_on_timeout=True
    )
    def work(self):
        print("begun")
        begun.set()
        gate.wait()
        print("after the end")

    job = work.submit()
    run_out(job, begun)
    assert isinstance(job.exception(S), JobTimeout)
    assert "may still run" in job.reason
    assert "so it is not tried again" in job.reason  # never two at once
    assert dict(job.error.source)[job.error.line].strip() == "gate.wait()"
    assert took(job) < TIMEOUT + SLACK
    lane = runtime.executor().kernel
    assert lane.left_behind == 1
    gate.set()
    until(lambda: lane.left_behind == 0)
    assert (job.logs(), len(job.attempts)) == ("begun\n", 1)
    assert capsys.readouterr().out == ""


def test_a_body_that_is_given_up_may_stand_in_code_that_cannot_be_read(
    chute, gate, begun, monkeypatch
):
    @chute.job(executor="kernel", timeout=LIMIT, grace=60)
    def work(self):
        begun.set()
        gate.wait()

    def broken(*_args, **_kwargs):
        raise RuntimeError("a loader of the notebook's own")

    job = work.submit()
    monkeypatch.setattr(traceback.StackSummary, "extract", broken)
    monkeypatch.setattr("chutes_nb.lanes.run.located", broken)
    run_out(job, begun)
    assert isinstance(job.exception(S), JobTimeout)
    assert "may still run" in job.reason
    gate.set()
    lane = runtime.executor().kernel
    until(lambda: lane.left_behind == 0)


def test_a_body_that_was_given_up_is_stopped_at_its_next_verb(chute, gate, begun):
    ended = []

    @chute.job(executor="kernel", timeout=LIMIT)
    async def work(self):
        with contextlib.suppress(BaseException):
            begun.set()
            gate.wait()  # the loop hears nothing meanwhile
        try:
            self.progress(1)
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    job = work.submit()
    run_out(job, begun)
    assert isinstance(job.exception(S), JobTimeout)
    gate.set()
    until(lambda: ended)
    assert ended == ["JobStopped"]
    assert job.progress is None


def test_a_body_that_swallows_its_end_has_not_completed(chute, begun):
    @chute.job(executor="kernel", timeout=LIMIT)
    async def work(self):
        with contextlib.suppress(asyncio.CancelledError):
            begun.set()
            await asyncio.sleep(60)
        return "all the same"

    job = work.submit()
    run_out(job, begun)
    assert isinstance(job.exception(S), JobTimeout)


def test_a_finally_block_that_takes_longer_than_its_grace_is_given_up(
    chute, gate, begun
):
    @chute.job(executor="kernel", timeout=LIMIT, grace=TIMEOUT)
    async def work(self):
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.to_thread(gate.wait)

    job = work.submit()
    run_out(job, begun)
    assert isinstance(job.exception(S), JobTimeout)
    assert "may still run" in job.reason


def test_a_timeout_that_was_heard_is_tried_again_where_asked(chute):
    @chute.job(
        executor="kernel", timeout=0.2, retry=20, retry_delay=0, retry_on_timeout=True
    )
    async def work(self):
        if self.attempt == 1:
            await asyncio.sleep(60)
        return self.attempt

    job = work.submit()
    last = job.result(S)  # 2, but where a machine is so slow that it was no time
    ends = [one.status for one in job.attempts]
    assert ends == ["timeout"] * (last - 1) + ["completed"]
    assert last > 1


def test_cancelling_a_running_kernel_job(chute, gate):
    both = threading.Event(), threading.Event()

    @chute.job(executor="kernel", retry=3, grace=GRACE)
    async def work(self):
        try:
            both[0].set()
            await asyncio.sleep(60)
        finally:
            print("cleaned up")

    @chute.job(executor="kernel")
    def deaf(self):
        both[1].set()
        gate.wait()

    jobs = work.submit(), deaf.submit()
    for job, begun in zip(jobs, both, strict=True):
        assert begun.wait(S)  # a job may be running whose body has not begun
        assert job.cancel()
        assert isinstance(job.exception(S), JobCancelled)
        assert job.reason.startswith("cancelled by the user")
    assert jobs[0].logs() == "cleaned up\n"
    assert "may still run" not in jobs[0].reason
    assert "may still run" in jobs[1].reason


def test_cancelling_a_kernel_job_that_waits(chute, gate):
    @chute.job(executor="kernel", concurrency=1)
    def work(self, thing):
        gate.wait(S)

    first, second = work.map([{"thing": threading.Lock()}, {"thing": gate}])
    until(first.running)
    assert second.cancel()
    assert isinstance(second.exception(S), JobCancelled)
    gate.set()
    first.result(S)
    until(lambda: not live._jobs)  # nothing keeps what they were given


def test_a_deadline_counts_for_kernel_jobs(chute, gate):
    @chute.job(executor="kernel", deadline=0.5, concurrency=1)
    async def work(self):
        while not gate.is_set():
            await asyncio.sleep(0.01)

    running, waiting = work.map([{}, {}])
    assert isinstance(running.exception(S), JobTimeout)
    assert isinstance(waiting.exception(S), JobTimeout)
    assert running.reason.startswith("deadline")
    assert "before attempt 1" in waiting.reason or waiting.attempts


def test_a_kernel_job_is_extended(chute, gate):
    @chute.job(executor="kernel", timeout=3)
    async def work(self):
        began = time.monotonic()
        while time.monotonic() < began + 3.3 or not gate.is_set():
            await asyncio.sleep(0.01)
        return self.remaining

    job = work.submit()
    until(job.running)
    assert job.extend("1h")
    gate.set()
    assert 3600 - S < job.result(S) < 3600


# -- queue -----------------------------------------------------------------------
def test_kernel_jobs_take_no_worker(lone_chute, gate):
    ready = threading.Barrier(6, timeout=S)

    @lone_chute.job(executor="kernel")
    def hold(self):
        ready.wait()
        gate.wait(S)

    @lone_chute.job
    def other(self):
        return os.getpid()

    group = hold.map([{}] * 5)
    ready.wait()
    assert other.submit().result(S) != os.getpid()
    gate.set()
    group.results(S)


def test_most_kernel_jobs_at_once(own_chute, gate):
    running, lock, most = [], threading.Lock(), [0]

    @own_chute.job(executor="kernel")
    def hold(self):
        with lock:
            running.append(1)
            most[0] = max(most[0], len(running))
        gate.wait(S)
        with lock:
            running.pop()

    group = hold.map([{}] * 40)
    until(lambda: most[0] == 32)
    gate.set()
    group.results(S)
    assert most[0] == 32


def test_tokens_are_shared_with_jobs_in_processes(own_chute, tmp_path):
    path = tmp_path / "held"

    def hold(self, path: str):
        with open(path, "x"):  # raises where another one holds it
            time.sleep(0.02)
        os.unlink(path)

    options = {"resources": {"gpu": 1}}
    here = own_chute.job(executor="kernel", name="here", **options)(hold)
    there = own_chute.job(name="there", **options)(hold)
    groups = [f.map([{"path": str(path)}] * 5) for f in (here, there)]
    for group in groups:
        assert group.results(S) == [None] * 5


def test_priority_and_concurrency_of_kernel_jobs(own_chute, gate):
    order = []

    @own_chute.job(executor="kernel", concurrency=1)
    def work(self, n: int):
        gate.wait(S)
        order.append(n)

    first = work.submit(n=0)
    until(first.running)
    later = [work.options(priority=p).submit(n=p) for p in (1, 3, 2)]
    gate.set()
    for job in later:
        job.result(S)
    assert order == [0, 3, 2, 1]


def test_a_paused_chute_starts_no_kernel_job(own_chute):
    @own_chute.job(executor="kernel")
    def work(self):
        return 1

    own_chute.pause()
    job = work.submit()
    assert job.wait(0.2) is False
    assert job.reason == "paused"
    own_chute.resume()
    assert job.result(S) == 1


# -- startup hooks -----------------------------------------------------------------
def test_startup_hooks_run_once_in_the_kernel(own_chute):
    calls = []

    @own_chute.on_startup()
    def load(here):
        calls.append(1)
        here.model = threading.Lock()
        print("loading")

    @own_chute.on_startup()
    async def by_name():
        own_chute.other = threading.Lock()

    @own_chute.job(executor="kernel")
    def work(self):
        return [type(self.model).__name__, type(own_chute.other).__name__]

    jobs = list(work.map([{}] * 4))
    assert [job.result(S) for job in jobs] == [["lock", "lock"]] * 4
    assert calls == [1]
    assert sorted(job.logs() for job in jobs) == ["", "", "", "loading\n"]


def test_what_hooks_set_in_the_kernel_stays_out_of_other_processes(own_chute):
    @own_chute.on_startup()
    def load(here):
        here.pid = os.getpid()
        here.lock = threading.Lock()

    def pid(self):
        return self.pid

    here = own_chute.job(executor="kernel", name="here")(pid)
    there = own_chute.job(name="there")(pid)
    assert here.submit().result(S) == os.getpid()
    assert there.submit().result(S) != os.getpid()


def test_a_hook_that_fails_fails_the_job_and_is_tried_with_the_next(own_chute):
    tries = []

    @own_chute.on_startup()
    def load(here):
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no model yet")

    @own_chute.job(executor="kernel", retry=1, retry_delay=0)
    def work(self):
        return self.attempt

    assert work.submit().result(S) == 2


# -- definitions -----------------------------------------------------------------
def test_fresh_is_refused_for_kernel_jobs(chute):
    with pytest.raises(DefinitionError, match="fresh=True"):
        chute.job(executor="kernel", fresh=True)

    @chute.job(executor="kernel")
    def work(self):
        return 1

    with pytest.raises(DefinitionError, match="fresh=True"):
        work.options(fresh=True)


def test_the_executor_can_be_chosen_for_one_submit(chute):
    def pid(self):
        return os.getpid()

    work = chute.job(pid)
    assert work.options(executor="kernel").submit().result(S) == os.getpid()
    assert work.submit().result(S) != os.getpid()


def test_a_queued_kernel_job_keeps_the_code_it_was_submitted_with(chute, gate):
    @chute.job(executor="kernel", concurrency=1)
    def work(self):
        gate.wait(S)
        return "old"

    jobs = list(work.map([{}, {}]))

    @chute.job(executor="kernel")
    def work(self):
        return "new"

    gate.set()
    assert [job.result(S) for job in jobs] == ["old", "old"]
    assert work.submit().result(S) == "new"
    assert jobs[0].retry().result(S) == "old"
    assert jobs[0].retry(code="current").result(S) == "new"


def test_a_retry_needs_what_can_be_stored(chute):
    @chute.job(executor="kernel")
    def work(self, thing):
        raise ValueError

    job = work.submit(thing=threading.Lock())
    job.wait(S)
    with pytest.raises(KernelGone, match="submit it anew"):
        job.retry()
    job = work.submit(thing=[1])
    job.wait(S)
    assert isinstance(job.retry().exception(S), JobFailed)


def test_reuse_and_keys_give_the_job_there_is(chute):
    @chute.job(executor="kernel", reuse=True)
    def work(self, thing):
        return repr(thing)

    first = work.submit(thing=1)
    assert first.result(S) == "1"
    assert work.submit(thing=1) == first
    assert work.submit(thing=2) != first
    with pytest.raises(BindingError, match="cannot be stored"):
        work.submit(thing=threading.Lock())
    until(lambda: not live._jobs)


def test_a_check_says_what_is_used_and_pickles_nothing(chute):
    lock = threading.Lock()

    @chute.job(executor="kernel")
    def work(self, n: int):
        return lock

    report = work.check(n=1)
    assert report.code_bytes == 0
    assert [one.name for one in report.captured] == ["lock"]


def test_kernel_jobs_leave_no_connection_behind(chute):
    store = runtime.store()

    @chute.job(executor="kernel")
    def work(self):
        self.checkpoint(1)
        return chutes_nb.get_job(self.job_id).name

    work.submit().result(S)
    until(lambda: not streams.users)
    seats = len(store._db._seats)
    assert work.map([{}] * 20).results(S) == ["work"] * 20
    until(lambda: not streams.users)
    assert len(store._db._seats) <= seats


# -- the end of the kernel's executor ------------------------------------------------
def test_letting_the_executor_go_ends_kernel_jobs_at_once(own_chute, gate, monkeypatch):
    # The kernel of this test may take its time to end.
    monkeypatch.setattr(kernel, "CLOSE_S", GRACE)
    monkeypatch.setattr(beside, "KERNEL_END_S", S)
    both = threading.Event(), threading.Event()

    @own_chute.job(executor="kernel", retry=3, grace=60)
    async def polite(self):
        try:
            both[0].set()
            await asyncio.sleep(60)
        finally:
            print("cleaned up")

    @own_chute.job(executor="kernel", retry=3, concurrency=1)
    def deaf(self):
        both[1].set()
        gate.wait()

    @own_chute.job
    def other(self, path: str):
        while not os.path.exists(path):
            time.sleep(0.01)
        return "went on"

    path = runtime.store().home / "go"
    jobs = [polite.submit(), *deaf.map([{}, {}])]
    other_one = other.submit(path=str(path))
    assert all(begun.wait(S) for begun in both)
    until(other_one.running)
    runtime.stop()
    ends = [(str(job.status), len(job.attempts)) for job in jobs]
    assert ends == [("interrupted", 1), ("interrupted", 1), ("cancelled", 0)]
    assert "ended or unloaded chutes_nb" in jobs[0].reason
    assert "may still run" in jobs[1].reason
    assert "before it could run" in jobs[2].reason
    assert jobs[0].logs() == "cleaned up\n"
    path.touch()
    assert other_one.result(S) == "went on"
