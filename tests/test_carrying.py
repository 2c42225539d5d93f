"""What a job takes along and is given: large values as files, and what is told."""

from __future__ import annotations

import os
import pickle
import re
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy
import pandas
import polars
import pytest

from chutes_nb import CaptureWarning, comparing, configure, runtime
from chutes_nb.arguments import ROW_BYTES
from chutes_nb.buffers import MOST_FILES
from chutes_nb.loading import load_value
from chutes_nb.pickling import pickled
from chutes_nb.store import jobs

S = 60.0
MILLION = 1_000_000


def frame(rows=600_000):
    return pandas.DataFrame(
        {
            "x": numpy.arange(float(rows)),
            "word": [f"word {n % 100}" for n in range(rows)],
            "when": pandas.date_range("2020", periods=rows, freq="s"),
            "kind": pandas.Categorical(["a", "b"] * (rows // 2)),
        }
    )


ARRAYS = {
    "plain": lambda: numpy.arange(float(MILLION)),
    "transposed": lambda: numpy.arange(float(MILLION)).reshape(1000, 1000).T,
    "every second": lambda: numpy.arange(float(MILLION))[::2],
    "reversed": lambda: numpy.arange(float(MILLION))[::-1],
    "dates": lambda: numpy.arange(MILLION).astype("datetime64[s]"),
    "records": lambda: numpy.zeros(100_000, dtype=[("a", "f8"), ("b", "U4")]),
    "three axes": lambda: numpy.asfortranarray(numpy.ones((80, 90, 100))),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_large_array_of_any_layout_goes_into_a_file(tmp_path, kind):
    array = ARRAYS[kind]()
    done = pickled(array, blobs=tmp_path)
    assert len(done.body) < 2000
    found = load_value(done.body, None, tmp_path)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert numpy.array_equal(found, array)
    assert found.flags.writeable


def test_a_file_that_is_mapped_in_the_kernel_goes_as_an_array(tmp_path):
    mapped = numpy.memmap(tmp_path / "data", dtype=float, shape=MILLION, mode="w+")
    mapped[:] = 7
    done = pickled(mapped, blobs=tmp_path / "blobs")
    found = load_value(done.body, None, tmp_path / "blobs")
    assert type(found) is numpy.ndarray
    assert found.min() == found.max() == 7


def test_a_frame_with_text_dates_and_categories_goes_into_files(tmp_path):
    table = frame()
    done = pickled(table, blobs=tmp_path)
    assert len(done.body) < 5000
    assert load_value(done.body, None, tmp_path).equals(table)


@pytest.mark.parametrize("make", [polars.DataFrame, lambda d: polars.Series(d["x"])])
def test_frames_and_series_of_polars_go_into_files(tmp_path, make):
    table = make({"x": range(100_000), "s": [str(n) for n in range(100_000)]})
    done = pickled(table, blobs=tmp_path)
    assert len(done.body) < 5000
    found = load_value(done.body, None, tmp_path)
    assert type(found) is type(table)
    assert found.equals(table)


def test_a_frame_of_very_many_columns_takes_few_files(tmp_path):
    columns = [numpy.full(40_000, float(n)) for n in range(3 * MOST_FILES)]
    done = pickled(columns, blobs=tmp_path)
    assert len(done.buffers) == MOST_FILES
    found = load_value(done.body, None, tmp_path)
    assert all(numpy.array_equal(a, b) for a, b in zip(found, columns, strict=True))


def test_the_same_content_is_one_file_and_the_file_stays(tmp_path):
    array = numpy.random.default_rng(0).random(2 * MILLION)
    done = pickled(array, blobs=tmp_path)
    (path,) = [one for one in tmp_path.glob("*/*") if one.is_file()]
    before = path.stat().st_ino
    assert pickled(array.copy(), blobs=tmp_path).buffers == done.buffers
    assert path.stat().st_ino == before  # who has mapped it shares it with who will
    array[-1] += 1
    assert pickled(array, blobs=tmp_path).buffers != done.buffers


def test_a_content_that_is_used_again_counts_as_young(tmp_path):
    array = numpy.ones(MILLION)
    pickled(array, blobs=tmp_path)
    (path,) = [one for one in tmp_path.glob("*/*") if one.is_file()]
    os.utime(path, (1.0, 1.0))
    pickled(array, blobs=tmp_path)
    assert time.time() - path.stat().st_mtime < 3600


def test_a_file_that_was_cut_short_is_an_error_and_no_array(tmp_path):
    done = pickled(numpy.ones(MILLION), blobs=tmp_path)
    (path,) = [one for one in tmp_path.glob("*/*") if one.is_file()]
    os.truncate(path, 4096)
    with pytest.raises(LookupError, match="cut short"):
        load_value(done.body, None, tmp_path)


# -- what a job is given -------------------------------------------------------
def row_of(job):
    return jobs.get(runtime.store().reader, job.id)


def contents():
    return {one.name for one in runtime.store().blobs.glob("*/*") if one.is_file()}


def test_an_array_that_is_given_goes_into_a_file_once_for_all_jobs(chute):
    @chute.job
    def total(self, data: numpy.ndarray, times: int):
        data *= times  # its own, whatever the others do
        return float(data.sum())

    data, before = numpy.ones(MILLION), contents()
    with pytest.warns(CaptureWarning, match=r"total is given 8 MB: data \(ndarray"):
        found = [total.submit(data=data, times=n) for n in (1, 2, 3)]
    assert [job.result(S) for job in found] == [1e6, 2e6, 3e6]
    assert all(len(row_of(job)["input"]) < 2000 for job in found)
    assert len(contents() - before) == 1


@pytest.mark.filterwarnings("ignore::chutes_nb.CaptureWarning")
def test_a_frame_as_a_payload_arrives_equal(chute):
    table = frame()

    @chute.job
    def same(self, df: pandas.DataFrame):
        return df.shape, str(df.dtypes.to_dict()), float(df.x.sum())

    found = same.submit(df=table).result(S)
    assert found == (table.shape, str(table.dtypes.to_dict()), float(table.x.sum()))


@pytest.mark.filterwarnings("ignore::chutes_nb.CaptureWarning")
def test_an_argument_that_no_file_can_map_is_kept_beside_its_row(chute):
    @chute.job
    def count(self, words: set):
        return len(words)

    job = count.submit(words={f"{n:0100}" for n in range(30_000)})
    assert job.result(S) == 30_000
    assert len(row_of(job)["input"]) < ROW_BYTES
    assert job.retry().result(S) == 30_000


def test_job_functions_can_be_given_to_a_job(chute):
    @chute.job
    def double(self, n):
        self.doubled = n
        return n * 2

    @chute.job(reuse=True)
    def apply(steps: list, n: int):
        for step in steps:
            n = step(n)
        return n

    job = apply.submit(steps=[double, double], n=3)
    assert job.result(S) == 12
    assert apply.submit(steps=[double, double], n=3) == job
    assert job.retry().result(S) == 12


@pytest.mark.filterwarnings("ignore::chutes_nb.CaptureWarning")
def test_reuse_knows_the_same_array_again(chute):
    @chute.job(reuse=True)
    def total(self, data: numpy.ndarray):
        return float(data.sum())

    data = numpy.ones(MILLION)
    first = total.submit(data=data)
    assert total.submit(data=data.copy()) == first
    data[0] = 2
    assert total.submit(data=data) != first


# -- what a function takes along --------------------------------------------------
def test_what_a_run_does_to_a_captured_value_is_gone_for_the_next(lone_chute):
    seen, data = [], numpy.zeros(MILLION)

    @lone_chute.job(retry=1, retry_delay=0)
    def leaves_a_mark(self):
        seen.append(self.job_id)
        data[0] += 1
        if self.attempt == 1:
            raise ValueError("once more")
        return len(seen), float(data[0])

    with pytest.warns(CaptureWarning):
        found = [leaves_a_mark.submit() for _ in range(2)]
    assert [job.result(S) for job in found] == [(1, 1.0), (1, 1.0)]


def private_mb():
    """Memory that this process shares with nobody."""
    text = Path("/proc/self/smaps_rollup").read_text().splitlines()
    kb = [int(line.split()[1]) for line in text if line.startswith("Private_")]
    return sum(kb) / 1000


@pytest.fixture
def four_workers():
    before = runtime.max_workers()
    configure(max_workers=4)
    yield
    configure(max_workers=before)


@pytest.mark.usefixtures("four_workers")
@pytest.mark.filterwarnings("ignore::chutes_nb.CaptureWarning")
def test_four_workers_share_one_copy_of_an_array(chute, tmp_path):
    big = numpy.random.default_rng(0).random(25 * MILLION)  # 200 MB

    @chute.job
    def read(self, name: str):
        def meet(where):  # what only one has mapped would count as its own
            (tmp_path / f"{where}-{name}").touch()
            while len(list(tmp_path.glob(f"{where}-*"))) < 4:
                time.sleep(0.01)

        total = float(big.sum())
        meet("read")
        own = private_mb()
        meet("measured")
        return total, own

    found = [read.submit(name=str(n)) for n in range(4)]
    totals, private = zip(*[job.result(S) for job in found], strict=True)
    assert set(totals) == {float(big.sum())}
    assert max(private) < 100


@pytest.mark.filterwarnings("ignore::chutes_nb.CaptureWarning")
def test_a_definition_that_was_let_go_is_written_again(chute):
    table = numpy.ones(MILLION)

    @chute.job
    def total(self):
        return float(table.sum())

    job = total.submit()
    assert job.result(S) == 1e6
    store = runtime.store()
    store.delete(job.id)
    with store.writing() as tx:
        tx.run("DELETE FROM definitions WHERE key = :key", {"key": row_key(total)})
    assert total.submit().result(S) == 1e6


def row_key(function):
    return function.definer.definition().key


LIMIT = 6


def test_variables_that_only_the_text_of_a_query_names_go_along(chute, monkeypatch):
    table = pandas.DataFrame({"x": range(10)})

    @chute.job(reuse=True)
    def count(self):
        return len(table.query("x > @LIMIT"))

    assert "LIMIT" in [one.name for one in count.check().captured]
    first = count.submit()
    assert first.result(S) == 3
    assert count.submit().id == first.id
    monkeypatch.setitem(globals(), "LIMIT", 4)
    assert count.submit().result(S) == 5


def sql(text):
    """As duckdb does: a table may be a variable of the caller."""
    space = sys._getframe(1).f_globals
    return [len(space[name]) for name in re.findall(r"(?:FROM|JOIN) (\w+)", text)]


def test_tables_that_only_the_text_of_a_query_names_go_along(chute, monkeypatch):
    monkeypatch.setitem(globals(), "sales", pandas.DataFrame({"shop": [1, 2]}))
    monkeypatch.setitem(globals(), "shops", polars.DataFrame({"shop": [2, 3, 4]}))
    monkeypatch.setitem(globals(), "own", polars.DataFrame({"shop": [1]}))
    monkeypatch.setitem(globals(), "never", "a text is no table")

    @chute.job
    def count(self):
        own = "from never, from own"
        return sql("SELECT * FROM sales\nJOIN shops ON sales.shop = shops.shop"), own

    names = {one.name for one in count.check().captured}
    assert names & {"sales", "shops", "own", "never"} == {"sales", "shops"}
    assert count.submit().result(S)[0] == [2, 3]


def test_what_only_a_formula_calls_goes_along(chute, monkeypatch):
    def halved(number):
        return number / 2

    monkeypatch.setitem(globals(), "halved", halved)
    monkeypatch.setitem(globals(), "beside", [1])

    @chute.job
    def evaluated(self):
        formula = "y ~ numpy.log2(8) + halved(4) + beside"
        return eval(formula.partition("~")[2].removesuffix(" + beside"))

    names = [one.name for one in evaluated.check().captured]
    assert {"numpy", "halved"} <= set(names)
    assert "beside" not in names
    assert evaluated.submit().result(S) == 5


@pytest.mark.parametrize(
    "text",
    ["Takes ~5 min; see plotted() for it.", "Like :func:`~plotted.by`, and plotted()"],
)
def test_what_prose_with_a_tilde_names_stays(chute, monkeypatch, text):
    lock = threading.Lock()  # cannot travel

    def plotted():
        return lock

    monkeypatch.setitem(globals(), "plotted", plotted)
    space = dict(globals())
    exec(f"def documented():\n    {text!r}\n    return __name__", space)
    assert chute.job(space["documented"]).submit().result(S) == __name__


# -- what is told -----------------------------------------------------------------
def test_a_name_that_nothing_defines_is_told_at_the_submit(chute):
    @chute.job
    def scale(self, x: int):
        return x * factor  # noqa: F821

    with pytest.warns(CaptureWarning, match="scale uses factor, which nothing") as told:
        job = scale.submit(x=1)
    assert told[0].filename == __file__
    job.wait(S)
    assert job.error.type == "NameError"


def test_a_variable_that_changed_since_the_submit_is_told_on_the_job(chute):
    table, limit = pandas.DataFrame({"x": [1, 2, 3]}), [5]

    @chute.job
    def total(self):
        return int(table.x.sum()) + limit[0]

    job = total.submit()
    assert job.changed == []
    assert "changed" not in repr(job)
    table.loc[1, "x"] = 20
    assert job.changed == ["table"]
    assert "changed since the submit: table" in repr(job)
    assert job.result(S) == 11
    table.loc[1, "x"] = 2
    assert job.changed == []


def test_nothing_is_said_of_a_job_that_another_process_submitted(chute):
    @chute.job
    def one(self):
        return 1

    job = one.submit()
    job.wait(S)
    comparing.forget()
    assert job.changed is None
    assert "changed" not in repr(job)


def test_check_names_what_would_travel(chute, tmp_path):
    big, small = numpy.ones(2 * MILLION), 3

    def helper(x):
        return x + small

    @chute.job
    def work(self, n: int):
        return helper(n) + big.sum() + unknown  # noqa: F821

    with pytest.warns(CaptureWarning, match="16 MB"):
        found = work.check(n=2)
    assert (found.captured[0].name, found.captured[0].kind) == ("big", "value")
    assert found.missing == ("unknown",)
    assert found.file_bytes == 16_000_000
    text = repr(found)
    assert "arguments: n (int" in text
    assert "takes along: big (value, ndarray, 16 MB)" in text
    assert "takes along: helper (function" in text
    assert "not defined yet: unknown" in text
    assert "16 MB in files, which workers map" in text


def test_check_refuses_an_argument_that_cannot_travel(chute):
    @chute.job
    def work(self, thing):
        return thing

    with pytest.raises(Exception, match="thing .*cannot travel"):
        work.check(thing=threading.Lock())


def test_a_frame_of_python_objects_is_refused_with_what_to_do(chute):
    names = pandas.Series([f"{n:080}" for n in range(900_000)], dtype=object)
    table = pandas.DataFrame({"name": names})

    @chute.job
    def count(self):
        return len(table)

    with pytest.raises(Exception, match=r"table \(DataFrame.*\(name\).*category"):
        count.submit()


def test_a_small_argument_stays_in_its_row_and_nothing_is_said(chute):
    @chute.job
    def shape(self, data: numpy.ndarray):
        return data.shape

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job = shape.submit(data=numpy.ones(100))
    assert job.result(S) == (100,)
    assert pickle.loads(row_of(job)["input"])["data"].sum() == 100
