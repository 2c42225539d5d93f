"""A worker prepares for a lone job whose claim is not committed yet."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from chutes_nb import runtime
from chutes_nb.cores import usable_cores
from chutes_nb.errors import StoreFull
from chutes_nb.lanes.handle import Handle
from chutes_nb.rounds import Round
from rows import until

S = 30
TRIES = 50  # jobs, of which one at least is told early
pytestmark = pytest.mark.skipif(
    usable_cores() < 2, reason="needs a second core: with one nobody is told early"
)


@pytest.fixture
def sent(monkeypatch):
    """What the executor sends to its workers, by kinds."""
    kinds: list[str] = []
    send = Handle.send

    def note(self, *messages):
        kinds.extend(message[0] for message in messages)
        send(self, *messages)

    monkeypatch.setattr(Handle, "send", note)
    return kinds


def behind(monkeypatch, do):
    """Do something once, between the early word and the commit."""
    foretell = Round._foretell

    def tell(self):
        foretell(self)
        if self._expects is not None:
            monkeypatch.setattr(Round, "_foretell", foretell)
            do()

    monkeypatch.setattr(Round, "_foretell", tell)


def marking(chute):
    """A job that leaves its number in a file."""

    @chute.job
    def mark(n: int, file: str):
        with open(file, "a") as said:
            said.write(f"{n} ")
        return n

    return mark


def test_only_what_follows_one_that_was_awaited_is_told_early(own_chute, sent):
    @own_chute.job
    def work(n: int):
        return n

    work.submit(n=1).result(S)
    assert sent[-2:] == ["define", "run"]
    for n in range(TRIES):
        assert work.submit(n=n).result(S) == n
    # Not each: one may end before this thread comes to wait for it.
    assert sent.count("go") == sent.count("expect") > 0
    unawaited = work.submit(n=4)
    assert until(lambda: unawaited.status.is_ended)
    sent.clear()
    assert work.submit(n=5).result(S) == 5
    assert work.map([{"n": 6}, {"n": 7}]).results(S) == [6, 7]
    assert sent.count("run") == 3
    assert "expect" not in sent


def test_what_could_not_be_committed_never_runs(own_chute, tmp_path, monkeypatch):
    mark, said = marking(own_chute), tmp_path / "said"
    done = []

    def fill():
        raise StoreFull("no room")

    behind(monkeypatch, fill)
    with pytest.raises(StoreFull, match="no room"):
        for n in range(TRIES):
            assert mark.submit(n=n, file=str(said)).result(S) == n
            done.append(n)
    assert mark.submit(n=1000, file=str(said)).result(S) == 1000
    assert said.read_text().split() == [str(n) for n in (*done, 1000)]
    assert len(runtime.executor().handles) == 1
    assert runtime.store().problems() == []


def test_what_was_prepared_long_ago_is_prepared_anew(own_chute, tmp_path, monkeypatch):
    """A file of others that was written meanwhile is none that the job has made."""

    @own_chute.job
    def name(path: str):
        return path

    theirs = tmp_path / "theirs.txt"

    def wait_and_write():
        time.sleep(0.05)  # the commit of a slow disk
        theirs.write_text("not by the job")
        time.sleep(0.05)

    behind(monkeypatch, wait_and_write)
    for _ in range(TRIES):
        job = name.submit(path=str(theirs))
        assert job.result(S) == str(theirs)
        if theirs.exists():
            break
    assert theirs.exists()
    assert job.files == []


def test_a_commit_that_fails_in_the_turn_of_its_end_costs_no_worker(
    own_chute, monkeypatch, caplog
):
    @own_chute.job
    def pid():
        return os.getpid()

    executor, failed = runtime.executor(), []
    enter, said = executor._gates.enter, itertools.cycle((True, False))

    def fail(inbox):
        if executor._lone.is_expected and next(said):  # each other time
            failed.append(inbox)
            raise RuntimeError("by a test")
        return enter(inbox)

    before = {pid.submit().result(S) for _ in range(3)}
    monkeypatch.setattr(executor._gates, "enter", fail)
    for _ in range(TRIES):  # one may end before this thread comes to wait for it
        assert {pid.submit().result(S)} == before
        if len(failed) > 1:
            break
    assert failed
    assert "a commit failed" in caplog.text


KILLED = """
    import os, signal, sys
    from chutes_nb import Chute
    from chutes_nb.rounds import Round
    chute = Chute(name="tests")

    @chute.job
    def mark(n: int, file: str):
        with open(file, "a") as said:
            said.write(f"{n} ")

    foretell = Round._foretell

    def tell(self):
        foretell(self)
        if self._expects is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    Round._foretell = tell
    for n in range(int(sys.argv[2])):
        mark.submit(n=n, file=sys.argv[1]).result()
"""


def test_who_dies_before_the_commit_leaves_no_job_that_runs(own_chute, tmp_path):
    said = tmp_path / "said"
    code = [sys.executable, "-c", textwrap.dedent(KILLED), str(said)]
    code.append(str(TRIES))
    killed = subprocess.run(code, env=os.environ, check=False, timeout=S)
    assert killed.returncode == -signal.SIGKILL
    (worker,) = runtime.store().reader.all("SELECT id FROM workers")
    assert until(lambda: [one.id for one in runtime.executor().handles] == [worker[0]])
    assert until(lambda: all(one.is_idle for one in runtime.executor().handles))
    done = said.read_text().split()
    assert done == [str(n) for n in range(len(done))]
    assert marking(own_chute).submit(n=1000, file=str(said)).result(S) == 1000
    assert said.read_text().split() == [*done, "1000"]
    assert runtime.store().counts()["completed"] == len(done) + 1
