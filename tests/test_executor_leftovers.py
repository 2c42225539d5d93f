"""What a body leaves behind is ended with it: children, forks, threads."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal, getcontext
from pathlib import Path

import pytest

import chutes_nb
from chutes_nb.lanes import births
from rows import is_gone, pid_in, until

S = 60.0
GRACE = 0.4


@pytest.mark.parametrize("own_session", [False, True])
def test_a_child_that_a_body_leaves_is_ended_with_it(chute, own_session):
    @chute.job(grace=GRACE)
    def leave(self):
        child = subprocess.Popen(
            ["sleep", "60"], start_new_session=own_session, stdout=subprocess.DEVNULL
        )
        child.returncode = 0  # so that it is not told as forgotten
        return child.pid

    assert is_gone(leave.submit().result(S))


def test_a_grandchild_that_ignores_sigterm_is_ended_too(chute, tmp_path):
    @chute.job(grace=GRACE)
    def leave(self, path: str):
        script = f"trap '' TERM; (trap '' TERM; echo $BASHPID > {path}; sleep 60) & :"
        subprocess.run(["setsid", "bash", "-c", script], check=True)
        while not (os.path.exists(path) and Path(path).read_text()):
            time.sleep(0.01)

    job = leave.submit(path=str(tmp_path / "pid"))
    job.result(S)
    assert is_gone(pid_in(tmp_path / "pid"))


@pytest.mark.parametrize("is_async", [False, True])
def test_the_precision_that_a_body_sets_is_its_own(chute, is_async):
    chutes_nb.runtime.executor().set_max_workers(1)  # the next job has the same one

    def third(of: Decimal):
        getcontext().prec = 2
        return str(of / 3)

    async def third_later(of: Decimal):
        return third(of)

    @chute.job
    def precision(of: Decimal):
        return getcontext().prec

    body = third_later if is_async else third
    assert chute.job(body).submit(of=Decimal(1)).result(S) == "0.33"
    assert precision.submit(of=Decimal(1)).result(S) == getcontext().prec


def test_the_output_is_opened_again_where_a_body_closed_all_of_it(chute):
    @chute.job
    def close():
        for stream, fd in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.close()
            os.close(fd)

    @chute.job
    def write():
        print("written")
        return os.getpid()

    chutes_nb.runtime.executor().set_max_workers(1)
    first = write.submit().result(S)
    close.submit().result(S)
    job = write.submit()
    assert (job.result(S), job.logs()) == (first, "written\n")


def test_a_body_may_fork(chute):
    @chute.job(grace=GRACE)
    def fork(self):
        child = os.fork()
        if child == 0:
            print("child", flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print("parent")
        return "once"

    job = fork.submit()
    assert (job.result(S), job.logs()) == ("once", "child\nparent\n")


def test_a_forked_child_that_returns_from_the_body_is_not_a_second_end(chute):
    @chute.job(grace=GRACE)
    def fork(self):
        child = os.fork()
        if child == 0:
            return "child"
        os.waitpid(child, 0)
        return "parent"

    job = fork.submit()
    assert job.result(S) == "parent"
    assert len(job.attempts) == 1


def test_a_pool_of_processes_works_inside_a_body(chute):
    @chute.job(grace=GRACE)
    def spread(self):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(abs, [-1, -2, -3])

    assert spread.submit().result(S) == [1, 2, 3]


def test_pools_that_end_while_their_processes_begin_end_in_silence(chute):
    @chute.job(grace=GRACE)
    def spread(self):
        for _ in range(50):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(abs, [-1])

    job = spread.submit()
    job.result(S)
    assert job.logs() == ""


def test_a_handler_of_the_bodys_own_is_a_forked_childs_too(chute):
    @chute.job(grace=GRACE)
    def fork(self):
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
        child = os.fork()
        if child == 0:
            signal.pause()
        os.kill(child, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert fork.submit().result(S) == 7


def test_a_worker_with_a_leftover_thread_is_replaced(lone_chute):
    @lone_chute.job(grace=GRACE)
    def leave(self):
        threading.Thread(target=time.sleep, args=(60,)).start()
        return os.getpid()

    @lone_chute.job
    def who(self):
        return os.getpid()

    pid = leave.submit().result(S)
    assert who.submit().result(S) != pid
    until(lambda: is_gone(pid))


def test_jobs_are_told_why_no_worker_starts_and_run_once_one_does(
    own_chute, monkeypatch
):
    monkeypatch.setattr(births, "START", "raise SystemExit('no such library')")
    job = own_chute.job(lambda_free).submit()
    until(lambda: job.reason is not None)
    assert job.reason == "no worker can start: no such library"
    assert job.status == "queued"

    monkeypatch.undo()
    assert job.result(30) == 7


def lambda_free():
    return 7
