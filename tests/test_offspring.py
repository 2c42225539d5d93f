"""Verbs reach the job from its threads, its forks, and the processes it starts."""

from __future__ import annotations

import multiprocessing
import operator
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import joblib
import pytest

import chutes_nb
from chutes_nb.worker.frames import Telling
from chutes_nb.worker.offspring import OffspringOutlet, Origin, TellingFile
from living import living_in
from rows import until

S = 60.0
SCRIPT = """
import chutes_nb
chutes_nb.stage("child")
chutes_nb.progress(3, 10, "from a child")
chutes_nb.log(1, loss=0.5)
chutes_nb.emit({"child": True})
chutes_nb.checkpoint(chutes_nb.restore(0) + 1)
open("left.txt", "w").write("x")
chutes_nb.save_file("left.txt", name="saved.txt")
"""


def told(job):
    return {
        "progress": (job.progress.done, job.progress.total, job.progress.message),
        "metrics": job.metrics,
        "partial": job.partial,
        "files": job.files.names,
        "stage": job.info.stage,
    }


def test_every_verb_works_in_a_process_that_the_job_starts(chute):
    @chute.job
    def work(self):
        self.checkpoint(41)
        subprocess.run([sys.executable, "-c", SCRIPT], check=True)
        return self.restore()

    job = work.submit()
    assert job.result(S) == 42
    assert told(job) == {
        "progress": (3, 10, "from a child"),
        "metrics": {"loss": [(1, 0.5)]},
        "partial": [{"child": True}],
        "files": ["saved.txt", "left.txt"],
        "stage": "child",
    }


def test_what_a_child_tells_is_seen_while_it_runs(chute, tmp_path):
    @chute.job
    def work(self, gate: str):
        code = (
            "import chutes_nb, os, time\n"
            "chutes_nb.progress(1, 2)\n"
            f"while not os.path.exists({gate!r}): time.sleep(0.01)"
        )
        subprocess.run([sys.executable, "-c", code], check=True)

    job = work.submit(gate=str(tmp_path / "gate"))
    until(lambda: job.progress and job.progress.fraction == 0.5)
    assert job.running()
    (tmp_path / "gate").touch()
    job.result(S)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_self_travels_into_processes_of_multiprocessing(chute, method):
    @chute.job
    def work(self):
        context = multiprocessing.get_context(method)
        for n in range(3):
            call = operator.methodcaller("log", n, square=n * n)
            process = context.Process(target=call, args=(self,))
            process.start()
            process.join()
            assert process.exitcode == 0

    job = work.submit()
    job.result(S)
    assert job.metrics == {"square": [(0, 0), (1, 1), (2, 4)]}


def test_a_home_with_a_long_path_leaves_room_for_sockets(tmp_path):
    def work(self):
        with multiprocessing.Manager() as manager:
            held = manager.list([1, 2])
            (Path(tempfile.gettempdir()) / "left").touch()
            return sum(held), tempfile.gettempdir()

    with living_in(tmp_path / ("long_" * 30), workers=1) as chute:
        total, place = chute.job(work).submit().result(S)
    assert total == 3
    assert not Path(place).exists()


def test_a_fork_does_not_take_what_its_parent_has_told(chute):
    @chute.job
    def work(self):
        self.emit("before")
        pid = os.fork()
        if pid == 0:
            self.emit("child")
            chutes_nb.progress(1, 4)
            os._exit(0)
        os.waitpid(pid, 0)
        self.emit("after")

    job = work.submit()
    job.result(S)
    assert sorted(job.partial) == ["after", "before", "child"]
    assert job.progress.fraction == 0.25


def test_workers_of_joblib_tell(chute):
    @chute.job
    def work(self):
        call = joblib.delayed(chutes_nb.emit)
        joblib.Parallel(n_jobs=2)(call(n) for n in range(4))

    job = work.submit()
    job.result(S)
    assert sorted(job.partial) == [0, 1, 2, 3]


def test_threads_tell_without_losing_a_word(chute):
    @chute.job
    def work(self):
        def talk(who):
            for n in range(200):
                chutes_nb.emit((who, n))

        threads = [threading.Thread(target=talk, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    job = work.submit()
    job.result(S)
    assert sorted(job.partial) == [(who, n) for who in range(8) for n in range(200)]
    for who in range(8):  # each thread's words in their order
        assert [n for one, n in job.partial if one == who] == list(range(200))


def test_outside_of_a_job_the_verbs_do_nothing():
    chutes_nb.progress(1, 2)
    chutes_nb.log(loss=1)
    chutes_nb.emit(object)
    assert chutes_nb.restore("default") == "default"
    assert list(chutes_nb.track([1, 2])) == [1, 2]


# -- the file ----------------------------------------------------------------------
ORIGIN = Origin("job", 1)


@pytest.fixture
def outlet(tmp_path):
    return OffspringOutlet(str(tmp_path / "told"), ORIGIN, tmp_path)


@pytest.fixture
def file(tmp_path):
    return TellingFile(tmp_path / "told")


def test_records_are_read_once_and_in_order(outlet, file):
    for n in range(1_000):
        outlet.tell(Telling("metric", ("loss", n, 0.5)))
    assert [one.value[1] for one in file.read(ORIGIN)] == list(range(1_000))
    assert file.read(ORIGIN) == []
    outlet.tell(Telling("stage", "next"))
    assert file.read(ORIGIN) == [Telling("stage", "next")]


def test_of_progress_the_newest_is_read(outlet, file):
    for n in range(10):
        outlet.tell(Telling("progress", {"done": n}))
    assert file.read(ORIGIN) == [Telling("progress", {"done": 9})]
    assert file.read(ORIGIN) == []


def test_a_record_whose_writer_was_killed_costs_only_itself(outlet, file, tmp_path):
    outlet.tell(Telling("stage", "one"))
    with (tmp_path / "told").open("ab") as broken:
        broken.write(b"told" + (99).to_bytes(8, "little") + b"abcd" + b"half a rec")
    for n in range(20):
        outlet.tell(Telling("stage", n))
    found = [one.value for one in file.read(ORIGIN)]
    assert found == ["one", *range(20)]


def test_a_record_longer_than_a_look_is_whole(outlet, file):
    large = b"x" * (9 << 20)
    outlet.tell(Telling("stage", large))
    outlet.tell(Telling("stage", "after"))
    found = file.read(ORIGIN)
    found += file.read(ORIGIN)
    assert [one.value for one in found] == [large, "after"]


def test_another_attempt_s_offspring_is_not_heard(outlet, file):
    outlet.tell(Telling("stage", "old"))
    outlet.tell(Telling("progress", {"done": 1}))
    assert file.read(Origin("job", 2)) == []


def test_what_was_read_does_not_stay_on_the_disk(outlet, file, tmp_path):
    seen = 0
    for _ in range(6):
        outlet.tell(Telling("stage", b"x" * (4 << 20)))
        seen += len(file.read(ORIGIN))
    assert seen == 6
    assert (tmp_path / "told").stat().st_size < 24 << 20


def test_telling_after_the_run_is_over_harms_nobody(tmp_path):
    outlet = OffspringOutlet(str(tmp_path / "gone" / "told"), ORIGIN, tmp_path)
    outlet.tell(Telling("stage", "late"))
    outlet.tell(Telling("progress", {"done": 1}))
