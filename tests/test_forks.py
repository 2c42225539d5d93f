"""A child that the kernel's process forks, as multiprocessing does, is never stuck."""

import contextlib
import os
import signal
import threading
import time

import pytest

from chutes_nb import pickling, runtime
from chutes_nb.errors import StoreError
from rows import until

S = 60


def say(number):
    """What a job returns."""
    return number


@contextlib.contextmanager
def held(lock):
    """Have another thread hold a lock for the length of a block."""
    is_held, may_end = threading.Event(), threading.Event()

    def hold():
        with lock:
            is_held.set()
            may_end.wait(S)

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(S)
    yield
    may_end.set()
    thread.join(S)


def said_by_child(act):
    """Return what a forked child says of what it does."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(S // 2)  # one that is stuck says nothing
        try:
            said = str(act())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(into, said.encode())
        os._exit(0)
    os.close(into)
    try:
        with open(out) as told:
            return told.read()
    finally:
        os.waitpid(child, 0)


def submitted(chute):
    """Submit a job and let go of who runs it, as a process that ends does."""
    job = chute.job(say, name="say").submit(number=7)
    found = job.result(S)
    runtime.stop()
    return found


@pytest.mark.parametrize("what", ["starts the executor", "pickles a function"])
def test_a_child_submits_whatever_another_thread_was_at(own_chute, what):
    own_chute.job(say, name="first").submit(number=1).result(S)
    with held({"s": runtime._lock, "p": pickling._by_value}[what[0]]):
        assert said_by_child(lambda: submitted(own_chute)) == "7"


def test_a_child_ends_whoever_had_the_executor(own_chute):
    with held(runtime._lock):
        assert said_by_child(runtime.stop) == "None"


def test_a_child_that_waits_for_a_job_of_its_parent_hears_that_it_cannot(
    own_chute, tmp_path
):
    flag = tmp_path / "flag"

    @own_chute.job
    def wait():
        while not flag.exists():
            time.sleep(0.01)

    job = wait.submit()
    until(job.running)
    said = said_by_child(job.wait)
    flag.touch()
    assert said.startswith(StoreError.__name__)
    assert "forked" in said
    assert job.wait(S)
