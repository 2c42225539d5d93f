"""What a body is given as ``self``, and what stays of it: state, files, checkpoints."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest
from tqdm import tqdm
from tqdm.notebook import tqdm as notebook_tqdm

import chutes_nb
from chutes_nb import JobFailed, JobTimeout, UploadedFile, runtime, track
from rows import until

S = 20.0
CONTENT = b"a,b\n1,2\n"


@pytest.fixture
def gate(tmp_path):
    """A file; jobs of this module go on once it is there."""
    return tmp_path / "gate"


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)


# -- state -------------------------------------------------------------------
def test_state_is_seen_live_also_where_it_is_nested(chute, gate):
    @chute.job
    def train(self, gate: str):
        self.training_state = {"epoch": 0, "losses": []}
        self.training_state["epoch"] = 3
        self.training_state["losses"].append(0.5)
        wait_for(gate)
        self.training_state["epoch"] = 4

    job = train.submit(gate=str(gate))
    expected = {"training_state": {"epoch": 3, "losses": [0.5]}}
    until(lambda: job.state == expected)
    assert job.running()
    gate.touch()
    job.result(S)
    assert job.state["training_state"]["epoch"] == 4


def test_states_of_parallel_runs_never_mix(chute):
    @chute.job
    async def work(self, n: int):
        self.mine = n
        await asyncio.sleep(0.02)
        return self.mine

    group = work.map(range(12))
    assert group.results(S) == list(range(12))
    assert [job.state for job in group] == [{"mine": n} for n in range(12)]


def test_state_keeps_its_python_types(chute):
    @chute.job
    def work(self):
        self.pair, self.seen = (1, 2), {"a"}

    job = work.submit()
    job.result(S)
    assert job.state == {"pair": (1, 2), "seen": {"a"}}


def test_any_name_that_is_not_the_run_s_own_is_state(chute):
    @chute.job
    def work(self):
        self._state, self._facts, self._outlet = {"epoch": 0}, 1, "x"
        self._state["epoch"] += 4
        return self._state, self._facts, self._outlet

    job = work.submit()
    assert job.result(S) == ({"epoch": 4}, 1, "x")
    assert job.state == {"_state": {"epoch": 4}, "_facts": 1, "_outlet": "x"}


def test_state_of_a_failed_job_is_kept(chute):
    @chute.job
    def work(self):
        self.epoch = 7
        raise ValueError

    job = work.submit()
    job.wait(S)
    assert job.state == {"epoch": 7}


def test_a_state_that_waits_for_the_body_keeps_nobody_from_telling(chute):
    @chute.job
    def work(self):
        own, is_read = threading.Lock(), threading.Event()

        class Held:
            def __reduce__(self):
                is_read.set()
                with own:
                    return int, (7,)

        with own:
            self.held = Held()
            found = is_read.wait(S)  # from now on it is waited for
            self.progress(1, 2)
            print("told")
        return found

    job = work.submit()
    assert job.result(S) is True
    assert job.state == {"held": 7}
    assert job.progress.fraction == 0.5


@pytest.mark.parametrize("executor", ["process", "kernel"])
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_state_that_cannot_be_read_does_not_change_how_the_job_ends(
    chute, executor, error
):
    @chute.job(executor=executor)
    def work(self):
        class Evil:
            def __reduce__(self):
                raise error("no")

        self.value = Evil()
        return 7

    assert work.submit().result(S) == 7


def test_what_is_not_state_is_read_from_the_chute(chute):
    chute.threshold = 0.5

    @chute.job
    def read(self):
        return self.threshold, self.username, self.name

    assert read.submit().result(S) == (0.5, "me", "tests")


def test_a_verb_of_self_cannot_be_written_over(chute):
    @chute.job(retry=2, retry_delay=0)
    def work(self):
        self.progress = 0.5

    job = work.submit()
    said = r"self\.progress belongs to the run itself; call self\.progress\(0\.5\), or"
    with pytest.raises(JobFailed, match=said):
        job.result(S)
    assert len(job.attempts) == 1  # it would be the same in each


def test_a_run_knows_what_it_is(chute):
    @chute.job(timeout=60, retry=2)
    def who(self):
        return (
            self.job_id,
            self.attempt,
            self.max_attempts,
            self.cancelled,
            self.remaining,
        )

    job = who.submit()
    *facts, remaining = job.result(S)
    assert facts == [job.id, 1, 3, False]
    assert 50 < remaining <= 60


# -- progress, metrics, partial results --------------------------------------
def test_progress_is_told_and_kept(chute):
    @chute.job
    def work(self):
        self.stage("training")
        self.progress(9, 20, "epoch 9")

    job = work.submit()
    job.result(S)
    found = job.progress
    assert (found.done, found.total, found.fraction) == (9, 20, 0.45)
    assert (found.message, job.info.stage) == ("epoch 9", "training")


def test_progress_is_read_from_plain_output(chute):
    @chute.job
    def work(self):
        print("Progress: 45.0% (9/20)")

    job = work.submit()
    job.result(S)
    assert (job.progress.done, job.progress.total) == (9, 20)


def test_a_tracked_loop_ends_at_its_total(chute):
    @chute.job
    def work(self):
        return sum(self.track(range(1000)))

    job = work.submit()
    assert job.result(S) == 499_500
    assert (job.progress.done, job.progress.fraction) == (1000, 1.0)


def test_a_tracked_loop_may_be_an_async_one(chute):
    async def pages():
        for page in range(3):
            yield page

    @chute.job
    async def work(self):
        found = [page async for page in self.track(pages(), total=3)]
        return found, [page async for page in track(pages())]

    job = work.submit()
    assert job.result(S) == ([0, 1, 2], [0, 1, 2])
    assert job.progress.done == 3


def test_what_is_no_finite_number_is_that_in_a_curve_and_null_in_json(chute):
    @chute.job
    def train(self):
        for loss in (0.5, math.nan, math.inf, -math.inf):
            self.log(loss=loss)
        self.log(math.inf, at=1)

    job = train.submit()
    job.result(S)
    first, missing, *others = [value for _, value in job.metrics["loss"]]
    assert (first, others) == (0.5, [math.inf, -math.inf])
    assert math.isnan(missing)
    told = runtime.store().detail(job.id)["metrics"]
    assert told["loss"] == [(None, 0.5), (None, None), (None, None), (None, None)]
    assert told["at"] == [(None, 1.0)]


def test_metrics_are_curves_from_the_verb_and_from_plain_output(chute):
    @chute.job
    def train(self):
        for epoch in range(1, 4):
            self.log(epoch, acc=epoch / 10)
            print(f"Epoch {epoch}: Loss = {1 / epoch:.2f}")

    job = train.submit()
    job.result(S)
    assert job.metrics["acc"] == [(1.0, 0.1), (2.0, 0.2), (3.0, 0.3)]
    curves = {name.lower(): points for name, points in job.metrics.items()}
    assert [value for _, value in curves["loss"]] == [1.0, 0.5, 0.33]


def test_partial_results_are_read_while_the_job_runs(chute, gate):
    @chute.job
    def work(self, gate: str):
        self.emit({"n": 1})
        self.emit((2, 3))
        wait_for(gate)

    job = work.submit(gate=str(gate))
    until(lambda: len(job.partial) == 2)
    assert job.running()
    gate.touch()
    job.result(S)
    assert job.partial == [{"n": 1}, (2, 3)]


def test_the_verbs_work_as_functions_for_helpers_without_self(chute):
    def helper():
        chutes_nb.progress(1, 2)
        chutes_nb.log(loss=0.5)
        chutes_nb.emit("part")

    @chute.job
    def work():
        helper()

    job = work.submit()
    job.result(S)
    assert (job.progress.fraction, job.partial) == (0.5, ["part"])
    assert job.metrics == {"loss": [(None, 0.5)]}


# -- output ------------------------------------------------------------------
def test_a_log_is_searched_by_text_and_by_pattern(chute):
    @chute.job
    def work(self):
        for n in range(30):
            print(f"\x1b[31mLine\x1b[0m {n}")

    job = work.submit()
    job.result(S)
    assert job.logs(search="line 7") == "\x1b[31mLine\x1b[0m 7"
    assert len(job.logs(search=re.compile(r"Line 1\d$")).split("\n")) == 10
    assert job.logs(search="LINE", tail=1).endswith(" 29")
    assert list(job.logs(search="line 29", follow=True)) == ["\x1b[31mLine\x1b[0m 29"]
    assert job.logs(search="nowhere") == ""
    with pytest.raises(TypeError, match=r"re\.compile"):
        job.logs(search=3)


def test_a_bar_is_one_line_of_the_log(chute):
    @chute.job
    def work(self):
        print("begin")
        for _ in tqdm(range(50), mininterval=0):
            pass
        print("end", file=sys.stderr)

    job = work.submit()
    job.result(S)
    for lines in (
        job.logs().splitlines(),
        job.logs(tail=9).splitlines(),
        list(job.logs(follow=True)),
    ):
        assert (len(lines), lines[0], lines[-1]) == (3, "begin", "end")
        assert "50/50" in lines[1]


def test_a_bar_of_a_notebook_is_text_inside_a_job(chute):
    @chute.job
    def work(self):
        from tqdm.notebook import tqdm, trange

        for _ in tqdm(range(20), ncols="100%", display=True, disable=None):
            pass
        for _ in trange(3, desc="three"):
            pass

    job = work.submit()
    job.result(S)
    first, second = job.logs().splitlines()
    assert "20/20" in first
    assert second.startswith("three: 100%")


def test_a_bar_of_a_notebook_that_travels_is_text_inside_a_job(chute):
    @chute.job
    def work(self):
        for _ in notebook_tqdm(range(20)):
            pass

    job = work.submit()
    job.result(S)
    assert "20/20" in job.logs()
    assert (job.progress.done, job.progress.total) == (20, 20)


# -- checkpoints -------------------------------------------------------------
def test_a_checkpoint_is_restored_by_the_next_attempt(chute):
    @chute.job(retry=2, retry_delay=0)
    def train(self):
        seen = self.restore([])
        self.checkpoint([*seen, self.attempt])
        if self.attempt < 3:
            os._exit(1)  # nothing but the store can have kept it
        return self.restore()

    assert train.submit().result(S) == [1, 2, 3]


def test_a_retried_job_resumes_where_the_old_one_stood(chute):
    @chute.job
    def train(self):
        step = self.restore(0)
        self.checkpoint(step + 1)
        raise ValueError(step)

    old = train.submit()
    old.wait(S)
    assert "ValueError: 1" in str(old.retry().exception(S))
    assert "ValueError: 0" in str(old.retry(resume=False).exception(S))


@pytest.mark.parametrize("hold", ["sleep", "busy"])
def test_what_a_job_had_done_by_its_timeout_is_there_and_is_gone_on_from(chute, hold):
    @chute.job(timeout=60, grace=20)
    def work(self, hold: str):
        begin = self.restore(0)
        for item in range(begin, 100):
            self.item = item
            self.emit(item)
            self.checkpoint(item + 1)
            if item == 49 and begin == 0:
                print("at 49")
            while item == 49 and begin == 0:
                time.sleep(0.01 if hold == "sleep" else 0)
        return begin

    job = work.submit(hold=hold)
    until(lambda: job.info.log_end)
    assert job.extend(-59.9)
    with pytest.raises(JobTimeout):
        job.result(S)
    assert job.partial == list(range(50))
    assert job.state == {"item": 49}
    again = job.retry()
    assert again.result(S) == 50
    assert again.partial == list(range(50, 100))


# -- files -------------------------------------------------------------------
def test_files_left_saved_and_returned_are_kept_when_the_originals_are_gone(
    chute, tmp_path
):
    @chute.job
    def report(self, folder: str):
        (self.output_dir / "left.txt").write_text("left")
        saved = Path(folder, "saved.bin")
        saved.write_bytes(b"\0saved")
        self.save_file(saved, name="named.bin")
        path = Path(folder, "report.pdf")
        path.write_text("report")
        return {"report_path": str(path)}

    job = report.submit(folder=str(tmp_path))
    path = Path(job.result(S)["report_path"])
    for one in tmp_path.glob("*.*"):
        if one.is_file():
            one.unlink()
    assert not path.exists()
    found = {file.name: file.read() for file in job.files}
    assert found == {
        "left.txt": b"left",
        "named.bin": b"\0saved",
        "report.pdf": b"report",
    }
    by_name = {file.name: file for file in job.files}
    pdf = by_name["report.pdf"]
    assert (pdf.size, pdf.type) == (6, "application/pdf")
    assert pdf.sha256 == hashlib.sha256(b"report").hexdigest()
    assert pdf.save(tmp_path).read_bytes() == b"report"


def test_an_output_folder_is_passed_where_the_signature_asks_for_it(chute):
    @chute.job
    def write(output_dir: Path):
        (output_dir / "a.txt").write_text("a")

    job = write.submit()
    job.result(S)
    assert [file.name for file in job.files] == ["a.txt"]


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_an_output_folder_that_was_given_is_the_one_that_is_passed(
    chute, executor, tmp_path
):
    @chute.job(executor=executor)
    def where(self, output_dir: Path):
        return output_dir, output_dir == self.output_dir

    assert where(output_dir=tmp_path) == (tmp_path, False)
    assert where.submit(output_dir=tmp_path).result(S) == (tmp_path, False)
    assert where.submit().result(S)[1]
    assert where.submit(output_dir=None).result(S)[1]


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_no_attempt_has_the_folders_of_another(chute, executor):
    @chute.job(retry=2, retry_delay=0, executor=executor)
    def where(self):
        own = [] if executor == "kernel" else [os.getcwd(), os.environ["TMPDIR"]]
        self.emit([*own, str(self.output_dir)])
        if self.attempt < 3:
            raise ValueError("again")

    job = where.submit()
    job.result(S)
    folders = [folder for one in job.partial for folder in one]
    assert len(set(folders)) == len(folders) == (3 if executor == "kernel" else 9)


def test_a_file_that_was_there_before_is_not_the_job_s(chute, tmp_path):
    old = tmp_path / "old.txt"
    old.write_text("old")
    os.utime(old, (1, 1))

    @chute.job
    def name(self, path: str):
        return path

    job = name.submit(path=str(old))
    job.result(S)
    assert job.files == []


# -- uploads -----------------------------------------------------------------
@pytest.mark.parametrize("form", ["path", "text", "bytes", "open"])
def test_an_upload_is_given_in_every_form(chute, tmp_path, form):
    table = tmp_path / "data.csv"
    table.write_bytes(CONTENT)

    @chute.job(upload=True)
    def size(self, dataset_file: UploadedFile):
        return dataset_file.read(), dataset_file.size

    with table.open("rb") as opened:
        forms = {"path": table, "text": str(table), "bytes": CONTENT, "open": opened}
        job = size.submit(dataset_file=forms[form])
    assert job.result(S) == (CONTENT, len(CONTENT))


def test_an_upload_is_taken_as_bytes_as_a_path_and_as_a_list(chute, tmp_path):
    table = tmp_path / "data.csv"
    table.write_bytes(CONTENT)

    @chute.job(upload=True)
    def as_bytes(self, data: bytes):
        return data

    @chute.job(upload=True)
    def as_path(self, data: Path):
        return data.read_bytes(), data.name

    @chute.job(upload=True)
    def as_list(self, data: list[UploadedFile]):
        return [one.name for one in data]

    jobs = [
        as_bytes.submit(data=table),
        as_path.submit(data=table),
        as_list.submit(data=[table, table]),
    ]
    table.unlink()  # it was taken in when the job was submitted
    assert [job.result(S) for job in jobs] == [
        CONTENT,
        (CONTENT, "data.csv"),
        ["data.csv"] * 2,
    ]


def test_an_upload_is_there_for_another_run_without_its_file(chute, tmp_path):
    table = tmp_path / "data.csv"
    table.write_bytes(CONTENT)

    @chute.job(upload=True)
    def read(self, data: bytes):
        return data

    job = read.submit(data=table)
    job.result(S)
    table.unlink()
    assert job.retry().result(S) == CONTENT


@pytest.mark.parametrize("kind", [bytes, Path, UploadedFile])
@pytest.mark.parametrize("harm", ["changed", "cut", "gone"])
def test_an_upload_that_was_damaged_in_the_store_is_refused(
    own_chute, tmp_path, kind, harm
):
    def read(self, data):
        return data.read() if isinstance(data, UploadedFile) else len(data)

    read.__annotations__["data"] = kind
    read = own_chute.job(upload=True, retry=2)(read)
    path = tmp_path / "data.csv"
    path.write_bytes(CONTENT)
    first = read.submit(data=path)
    first.wait(S)
    blob = next(first._store.blobs.glob("*/*"))
    if harm == "gone":
        blob.unlink()
    else:
        blob.write_bytes(b"x" * len(CONTENT) if harm == "changed" else b"x")
    job = first.retry()
    with pytest.raises(JobFailed, match=r"StoreDamaged: the upload 'data\.csv'"):
        job.result(S)
    assert len(job.attempts) == 1


# -- jobs inside jobs --------------------------------------------------------
def test_a_job_calls_another_inline(chute):
    @chute.job
    async def part(self, n: int):
        self.emit(n)
        return n * 2

    @chute.job
    async def whole(self):
        return [await part(n) for n in range(3)]

    job = whole.submit()
    assert job.result(S) == [0, 2, 4]
    assert job.partial == [0, 1, 2]


def test_a_job_inside_a_job_cannot_be_submitted(chute):
    @chute.job
    def part(self):
        return 1

    @chute.job
    def whole(self):
        part.submit()

    with pytest.raises(JobFailed, match="can be called"):
        whole.submit().result(S)


def test_a_chute_inside_a_job_says_that_it_submits_nothing(chute):
    @chute.job
    async def whole(self):
        await chute.submit_job("part", {})

    with pytest.raises(JobFailed, match=r"chute\.submit_job: inside a job other jobs"):
        whole.submit().result(S)


def test_a_chute_value_that_was_changed_in_place_reaches_the_next_job(own_chute):
    own_chute.classes = ["cat"]

    @own_chute.job
    def seen(self) -> list:
        return list(self.classes)

    assert seen.submit().result(30) == ["cat"]
    own_chute.classes.append("dog")
    assert seen.submit().result(30) == ["cat", "dog"]
