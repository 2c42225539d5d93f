"""Jobs with ``executor="dask"``, on a real cluster of processes on loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chutes_nb import (
    Chute,
    ChutesError,
    DefinitionError,
    JobCancelled,
    JobFailed,
    JobInterrupted,
    JobTimeout,
    NotAvailable,
    UploadedFile,
    options,
    runtime,
)
from chutes_nb.lanes import dask
from living import living_in
from rows import is_gone, pid_in, until

distributed = pytest.importorskip("distributed")

# What distributed itself leaves to the end of the process.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
S = 60.0


@contextlib.contextmanager
def running_cluster(workers: int, **options: Any) -> Iterator[Any]:
    """A scheduler and worker processes, none of them with a dashboard."""
    with distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address=":0",
        host="127.0.0.1",
        silence_logs=60,
        **options,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with running_cluster(2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def abroad(cluster, tmp_path_factory) -> Iterator[Chute]:
    """A chute whose jobs run on the cluster."""
    with living_in(tmp_path_factory.mktemp("dask") / "home", workers=1):
        yield Chute(
            username="me",
            name="abroad",
            executor="dask",
            address=cluster.scheduler_address,
        )


def abroad_is_free(chute):
    """Whether both places of the cluster take a job and give its result."""

    @chute.job
    def answer(self):
        time.sleep(0.7)
        return True

    return answer.map([{}] * 2).results(S) == [True, True]


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.02)


def test_everything_of_a_job_comes_back_from_the_cluster(abroad, tmp_path):
    abroad.threshold = 0.5
    gate = tmp_path / "gate"

    @abroad.job(retry=1)
    async def train(self, gate: str, scale: int):
        self.stage("training")
        self.epoch = {"n": 1}
        self.emit("part")
        print("Epoch 1/2: Loss = 0.25")
        while not os.path.exists(gate):
            time.sleep(0.02)
        self.epoch["n"] = 2
        self.log(1, acc=0.5)
        self.progress(2, 2)
        (self.output_dir / "model.txt").write_text("weights")
        print("done", file=sys.stderr)
        return {"scale": scale, "t": self.threshold, "pid": os.getpid(), "set": {1}}

    job = train.submit(gate=str(gate), scale=3)
    until(lambda: job.state and job.partial and job.info.log_end and job.progress, S)
    assert (str(job.status), job.info.executor) == ("running", "dask")
    assert (job.state, job.partial) == ({"epoch": {"n": 1}}, ["part"])
    assert (job.progress.done, job.progress.total) == (1, 2)
    gate.touch()
    result = job.result(S)
    assert result.pop("pid") != os.getpid()
    assert result == {"scale": 3, "t": 0.5, "set": {1}}
    assert job.logs() == "Epoch 1/2: Loss = 0.25\ndone\n"
    assert (job.state, job.partial) == ({"epoch": {"n": 2}}, ["part"])
    assert job.metrics["acc"] == [(1.0, 0.5)]
    assert [v for name, p in job.metrics.items() if name == "Loss" for _, v in p] == [
        0.25
    ]
    assert (job.progress.fraction, job.info.stage) == (1.0, "training")
    assert [(file.name, file.read()) for file in job.files] == [
        ("model.txt", b"weights")
    ]
    assert [one.status for one in job.attempts] == ["completed"]
    assert "self.stage" in job.source
    assert job.inputs["scale"] == 3


def test_checkpoints_and_retries_are_counted_at_home(abroad):
    @abroad.job(retry=2, retry_delay=0)
    def work(self):
        seen = self.restore([])
        self.checkpoint([*seen, self.attempt])
        if self.attempt < 3:
            os._exit(1)
        return self.restore(), self.max_attempts

    job = work.submit()
    assert job.result(S) == ([1, 2, 3], 3)
    assert [one.status for one in job.attempts] == ["failed", "failed", "completed"]
    assert "exit code 1" in job.attempts[0].reason


def test_a_failure_names_the_line_of_the_cell(abroad):
    @abroad.job(retry=3, retry_on=KeyError)
    def work(self):
        raise ValueError("no")

    job = work.submit()
    assert isinstance(job.exception(S), JobFailed)
    assert (job.error.type, len(job.attempts)) == ("ValueError", 1)
    assert dict(job.error.source)[job.error.line].strip() == 'raise ValueError("no")'


def test_a_timeout_kills_on_the_cluster_with_all_that_was_started(abroad, tmp_path):
    @abroad.job(timeout=5, grace=0.5)
    def work(self, path: str):
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        Path(path).write_text(str(child.pid))
        sum(range(10**12))  # holds the GIL

    job = work.submit(path=str(tmp_path / "pid"))
    assert isinstance(job.exception(S), JobTimeout)
    assert job.reason.startswith("timed out after 5 s at line")
    assert is_gone(pid_in(tmp_path / "pid"))


def test_a_cancel_runs_finally_blocks_and_ends_the_process(abroad, tmp_path):
    @abroad.job(grace=10)
    def work(self, path: str):
        try:
            Path(path).write_text(str(os.getpid()))
            time.sleep(60)
        finally:
            print("cleaned up")

    job = work.submit(path=str(tmp_path / "pid"))
    pid = int(
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), S)
    )
    assert job.cancel()
    assert isinstance(job.exception(S), JobCancelled)
    assert (job.reason, job.logs()) == ("cancelled by the user", "cleaned up\n")
    until(lambda: is_gone(pid))


def test_a_cancel_at_any_moment_leaves_no_body_that_runs_on(abroad, tmp_path):
    @abroad.job(grace=5)
    def work(self, folder: str):
        (Path(folder) / "pid").write_text(str(os.getpid()))
        (Path(folder) / "pid").rename(Path(folder) / "begun")  # whole, or not there
        time.sleep(2 * S)

    folders = []
    for n in range(16):
        folders.append(tmp_path / str(n))
        folders[-1].mkdir()
        job = work.submit(folder=str(folders[-1]))
        until(job.running, S)
        time.sleep(n * 0.02)  # on its way there, being unpacked, running
        assert job.cancel()
        assert isinstance(job.exception(S), JobCancelled)
    assert abroad_is_free(abroad)  # a body that was left to itself has a place there
    for folder in folders:
        if (folder / "begun").exists():
            until(lambda begun=folder / "begun": is_gone(pid_in(begun)))


def test_jobs_beyond_the_slots_of_the_cluster_wait_and_can_be_cancelled(
    abroad, tmp_path
):
    gate = tmp_path / "gate"

    @abroad.job
    def work(self, gate: str):
        wait_for(gate)
        return self.attempt

    jobs = list(work.map([{"gate": str(gate)}] * 4))
    until(lambda: sum(job.running() for job in jobs) == 2, S)
    assert jobs[3].cancel()
    assert isinstance(jobs[3].exception(S), JobCancelled)
    gate.touch()
    assert [job.result(S) for job in jobs[:3]] == [1, 1, 1]


def test_an_attempt_is_given_more_time(abroad, tmp_path):
    gate, begun = tmp_path / "gate", tmp_path / "begun"

    @abroad.job(timeout=10, grace=0.2)
    def work(self, gate: str, begun: str):
        began = time.monotonic()
        Path(begun).touch()
        while time.monotonic() < began + 10.5 or not os.path.exists(gate):
            time.sleep(0.02)
        return True

    job = work.submit(gate=str(gate), begun=str(begun))
    until(begun.exists)
    assert job.extend(60)
    gate.touch()
    assert job.result(S) is True


def test_uploads_large_captures_and_large_results_travel(abroad, tmp_path):
    numpy = pytest.importorskip("numpy")
    big = numpy.arange(300_000, dtype="int64")  # travels out of band, as a content

    @abroad.job(upload=True)
    def work(self, data: UploadedFile, path: Path):
        return big * 2, data.read(), path.read_bytes(), data.name

    with pytest.warns(match="carries"):
        job = work.submit(data=b"abc", path=b"def")
    doubled, *rest = job.result(S)
    assert (doubled == big * 2).all()
    assert rest == [b"abc", b"def", "data"]


def test_a_flood_of_output_is_told_with_its_gap(abroad):
    @abroad.job
    def work(self):
        line = "x" * 99 + "\n"
        for _ in range(25):
            sys.stdout.write(line * 10_000)
        print("the end")

    job = work.submit()
    job.result(S)
    log = job.logs()
    assert log.endswith("the end\n")
    assert "bytes not kept" in log


def test_a_log_that_waited_for_room_is_whole_and_in_order(abroad, disk, tmp_path):
    gate = tmp_path / "gate"

    @abroad.job
    def count(gate: str):
        n = 0
        while not os.path.exists(gate):
            print(f"loss={n}")
            n += 1
            time.sleep(0.05)
        return n

    job = count.submit(gate=str(gate))
    until(job.logs, S)
    disk.is_full = True
    until(lambda: disk.refused > 1, S)
    disk.is_full = False
    seen = len(job.logs())
    until(lambda: len(job.logs()) > seen, S)
    before, disk.is_full = disk.refused, True
    until(lambda: disk.refused > before, S)
    gate.touch()
    lines = [f"loss={n}\n" for n in range(job.result(S))]
    assert len(job.logs()) < len("".join(lines))
    disk.is_full = False
    until(lambda: job.logs() == "".join(lines), S)
    until(lambda: len(job.metrics["loss"]) == len(lines), S)
    assert [value for _, value in job.metrics["loss"]] == list(range(len(lines)))


def test_a_dask_worker_that_dies_takes_its_attempt_with_it(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    with running_cluster(1) as cluster, living_in(tmp_path / "home", workers=1):
        chute = Chute(executor="dask", address=cluster.scheduler_address)

        @chute.job(retry=1, retry_delay=0, grace=1)
        def work(self, marks: str):
            path = Path(marks, str(self.attempt))
            path.write_text(f"{os.getpid()} {os.getppid()}")
            try:
                while self.attempt == 1:
                    time.sleep(0.02)
            finally:
                Path(marks, f"{self.attempt} ended").touch()
            return [one for one in os.listdir(marks) if one.startswith("1")]

        job = work.submit(marks=str(marks))
        own, parent = until(
            lambda: (marks / "1").exists() and (marks / "1").read_text().split(), S
        )
        os.kill(int(parent), signal.SIGKILL)
        assert sorted(job.result(S)) == ["1", "1 ended"]  # never two at once
        assert [one.status for one in job.attempts] == ["interrupted", "completed"]
        assert "dask worker died" in job.attempts[0].reason
        until(lambda: is_gone(int(own)))
        assert sorted(os.listdir(marks)) == ["1", "1 ended", "2", "2 ended"]


SCRIPT = """
import os, sys, time
from chutes_nb import Chute
chute = Chute(name="left", executor="dask", address=sys.argv[1])

@chute.job
def work(self, gate: str):
    for n in range(50):
        self.log(n, first=n)
        print("line", n)
    while not os.path.exists(gate):
        time.sleep(0.02)
    for n in range(50, 100):
        self.log(n, first=n)
        print("line", n)
    self.emit("part")
    return os.getpid()

job = work.submit(gate=sys.argv[2])
while "line 49" not in job.logs() or "first" not in job.metrics:
    time.sleep(0.02)
print(job.id, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("when", ["before", "after"], ids="it ends {} we come".format)
def test_an_attempt_outlives_the_process_that_sent_it(cluster, tmp_path, when):
    home, gate = tmp_path / "home", tmp_path / "gate"
    environ = {**os.environ, "CHUTES_NB_HOME": str(home)}
    arguments = [sys.executable, "-c", SCRIPT, cluster.scheduler_address, str(gate)]
    with subprocess.Popen(
        arguments, env=environ, stdout=subprocess.PIPE, text=True
    ) as script:
        job_id = script.stdout.readline().strip()
        script.kill()
    client = distributed.Client(cluster.scheduler_address, set_as_default=False)
    with client, living_in(home, workers=1):
        if when == "before":
            gate.touch()
            until(lambda: not any(client.processing().values()), S)
        from chutes_nb import get_job

        job = get_job(job_id)
        until(lambda: job.info.executor and runtime.executor().dask.handles, S)
        gate.touch()
        assert job.result(S) != script.pid
        assert [one.number for one in job.attempts] == [1]
        assert job.logs() == "".join(f"line {n}\n" for n in range(100))
        assert job.metrics["first"] == [(float(n), float(n)) for n in range(100)]
        assert job.partial == ["part"]
        until(lambda: not client.list_datasets())  # nothing is kept there any more


def test_a_cluster_that_goes_away_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(dask, "LOST_S", 2.0)
    monkeypatch.setattr(dask, "AGAIN_S", 0.1)
    gate = tmp_path / "gate"
    with living_in(tmp_path / "home", workers=1):
        with running_cluster(1) as cluster:
            chute = Chute(executor="dask", address=cluster.scheduler_address)

            @chute.job
            def work(self, gate: str):
                print("begun")
                wait_for(gate)

            running, waiting = work.map([{"gate": str(gate)}] * 2)
            until(lambda: running.info.log_end, S)
        assert isinstance(running.exception(S), JobInterrupted)
        until(lambda: waiting.reason and "does not answer" in waiting.reason, S)
        assert waiting.status == "queued"
        assert waiting.cancel()


# -- what is refused -----------------------------------------------------------------
def test_a_scheduler_that_does_not_answer_raises_at_the_submit(own_chute):
    chute = Chute(name="far", executor="dask", address="tcp://127.0.0.1:9")

    @chute.job
    def work(self):
        return 1

    with pytest.raises(ChutesError, match="no dask scheduler answers at tcp://127"):
        work.submit()
    assert runtime.store().counts()["queued"] == 0


def test_the_address_of_a_dashboard_is_told_to_be_none_of_a_scheduler(own_chute):
    chute = Chute(name="far", executor="dask", address="http://127.0.0.1:8787/status")
    work = chute.job(name="work")(lambda: 1)
    with pytest.raises(ChutesError, match="perhaps of its dashboard"):
        work.submit()
    assert runtime.store().counts()["queued"] == 0


def test_a_job_for_a_cluster_needs_an_address(own_chute):
    @own_chute.job(executor="dask")
    def work(self):
        return 1

    with pytest.raises(DefinitionError, match="no scheduler is named"):
        work.submit()


def test_the_client_of_the_notebook_names_the_cluster(cluster, own_chute):
    @own_chute.job(executor="dask")
    def work(self):
        return "there"

    with distributed.Client(cluster.scheduler_address):
        assert work.submit().result(S) == "there"


def test_without_distributed_the_option_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NotAvailable, match=r"pip install 'chutes-nb\[dask\]'"):
        options.parse({"executor": "dask"})
    with pytest.raises(NotAvailable):
        Chute(executor="dask")


def test_what_a_chute_says_holds_for_jobs_that_say_nothing(abroad):
    @abroad.job(executor="process")
    def here(self):
        return 1

    job = here.submit()
    assert job.result(S) == 1
    assert job.info.executor == "process"
    with pytest.raises(DefinitionError):
        Chute(executor="cloud")
    with pytest.raises(TypeError, match="tcp://host:port"):
        Chute(address=8786)
