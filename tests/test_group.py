"""Several jobs at once: how they stand, their results in order, those that failed."""

from __future__ import annotations

import re

import pytest

from chutes_nb import (
    BindingError,
    JobCancelled,
    JobFailed,
    JobGroup,
    JobNotFound,
    ValidationFailed,
    runtime,
)
from chutes_nb.group_table import as_html
from rows import until

S = 20.0


@pytest.fixture
def gate(tmp_path):
    return tmp_path / "gate"


@pytest.fixture
def picky(chute, gate):
    """A job that fails for 3 until the gate is there."""

    @chute.job
    def half(self, n: int):
        print(f"Processed {n}/10 items")
        if n == 3 and not gate.exists():
            raise ValueError("three is odd")
        return n / 2

    return half


def test_results_come_in_order_and_the_first_bad_end_is_raised(picky):
    group = picky.map([2, 4, 6])
    assert group.results(S) == [1, 2, 3]
    assert group.done()
    with pytest.raises(JobFailed, match="three is odd"):
        picky.map([1, 3, 5]).results(S)


def test_an_exception_can_stand_in_the_place_of_a_result(picky):
    one, two, three = picky.map([1, 3, 5]).results(S, return_exceptions=True)
    assert (one, three) == (0.5, 2.5)
    assert isinstance(two, JobFailed)


def test_what_failed_is_made_again_and_takes_its_place(picky, gate):
    group = picky.map([1, 3, 5])
    group.wait(S)
    assert [job.inputs["n"] for job in group.failed] == [3]
    assert [job.inputs["n"] for job in group.completed] == [1, 5]
    gate.touch()
    again = group.resubmit_failed()
    assert len(again) == 1
    assert group.updated(again).results(S) == [0.5, 1.5, 2.5]


def test_an_item_that_does_not_fit_is_named_and_nothing_is_queued(picky):
    before = len(runtime.store().jobs(limit=1000)[0])
    with pytest.raises(ValidationFailed, match=r"^item 2: half cannot take .*\n  n: "):
        picky.map([1, 2, "x", 4])
    with pytest.raises(BindingError, match="^item 1: the payload does not fit half"):
        picky.map([{"n": 1}, {"n": 2, "m": 3}])
    assert len(runtime.store().jobs(limit=1000)[0]) == before


async def test_a_group_can_be_awaited(picky):
    assert await picky.map([2, 4]) == [1, 2]


def test_progress_counts_jobs_and_what_runs_in_part(lone_chute, gate):
    @lone_chute.job
    def waits(self, n: int):
        self.progress(1, 2)
        while n and not gate.exists():
            pass

    group = waits.map([0, 1, 1, 1])
    until(lambda: group[1].running() and group[1].progress)
    found = group.progress
    assert (found.done, found.total, found.unit) == (1, 4, "jobs")
    assert found.fraction == pytest.approx((1 + 0.5) / 4)
    assert "1 completed" in found.message
    assert not group.done()
    gate.touch()
    assert group.wait(S)
    assert group.progress.fraction == 1
    assert JobGroup([]).progress.fraction == 1


def test_jobs_come_as_they_end(chute, tmp_path):
    @chute.job
    def waits(self, n: int):
        while not (tmp_path / str(n)).exists():
            pass
        return n

    group = waits.map([1, 2])
    ended = group.as_completed(S)
    (tmp_path / "2").touch()
    assert next(ended).result() == 2
    with pytest.raises(TimeoutError, match="1 of 2 jobs have not ended"):
        list(group.as_completed(0.05))
    (tmp_path / "1").touch()
    assert next(ended).result() == 1
    assert list(ended) == []


def test_a_wait_that_runs_out_says_how_many_are_left(lone_chute, gate):
    @lone_chute.job
    def waits(self):
        while not gate.exists():
            pass

    group = waits.map([{}, {}])
    with pytest.raises(TimeoutError, match="2 of 2 jobs have not ended after 0.1 s"):
        group.results(0.1)
    assert group.cancel() == 2
    with pytest.raises(JobCancelled):
        group.results(S)


def test_a_group_goes_on_without_a_job_that_was_deleted(lone_chute, gate):
    @lone_chute.job
    def waits(self, n: int) -> int:
        while n and not gate.exists():
            pass
        return n

    group = waits.map([0, 1])
    group[0].result(S)
    runtime.store().delete(group[0].id)
    assert group.cancel() == 1
    gone, cancelled = group.results(S, return_exceptions=True)
    assert isinstance(gone, JobNotFound)
    assert isinstance(cancelled, JobCancelled)


def test_a_group_shows_its_sum_and_each_job(picky):
    group = picky.map([1, 3, 5])
    group.wait(S)
    lines = repr(group).splitlines()
    assert lines[0] == "3 jobs: 2 completed, 1 failed"
    assert len(lines) == 4
    page = group._repr_mimebundle_()["text/html"]
    assert 'aria-label="3 jobs"' in page
    # What scrolls takes the keyboard.
    assert '<div role="region" aria-label="Table of 3 jobs" tabindex="0"' in page
    assert "ValueError: three is odd" in page
    assert page.count("<tr") == 4
    assert repr(JobGroup([])) == "no jobs"


KNOWN = {"job_id": "0" * 16, "name": "n", "status": "queued", "attempt": 0}
KNOWN |= {"max_attempts": 1, "progress": None, "started_at": None, "reason": None}
KNOWN |= {"finished_at": None, "reported_failure": False, "notebook": "a.ipynb"}
KNOWN |= {"cell": 4}


def test_a_table_that_is_not_at_its_end_says_of_when_it_is():
    ended = KNOWN | {"status": "completed"}
    at = r"as of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.search(at, as_html([ended, KNOWN]))
    assert not re.search(at, as_html([ended, ended]))


def test_a_table_scrolls_by_keyboard_and_only_while_it_is_followed():
    ended = KNOWN | {"status": "completed"}
    page = as_html([KNOWN, KNOWN], is_followed=True)
    assert 'tabindex="0"' in page
    assert 'aria-label="Table of 2 jobs"' in page
    assert "max-height" in page
    assert "max-height" not in as_html([KNOWN, KNOWN])
    assert "max-height" not in as_html([ended, ended], is_followed=True)


def test_the_newest_of_more_jobs_are_called_so(chute):
    @chute.job(tags=["few"])
    def quick(self, n: int):
        return n

    quick.map(range(5)).wait(S)
    found = chute.jobs(tag="few", limit=2, status=["completed", "failed"])
    assert repr(found).startswith("newest 2 of 5 jobs: 2 completed\n")
    assert "newest 2 of 5 jobs" in found._repr_mimebundle_()["text/html"]
    assert repr(chute.jobs(limit=1, tag="few")).startswith("newest 1 of 5 jobs:")
    assert repr(chute.jobs(tag="few", limit=5)).startswith("5 jobs:")


def test_rows_are_told_apart_by_what_differs_in_their_inputs(chute):
    @chute.job
    def fit(self, k: int, data: str, note: str = "", api_key: str = ""):
        return k

    items = [{"k": k, "data": "same", "api_key": f"hidden{k}"} for k in (13, 14)]
    group = fit.map([*items, {"k": 15, "data": "same", "note": "<" * 300}])
    group.wait(S)
    page = group._repr_mimebundle_()["text/html"]
    assert ">inputs</th>" in page
    assert ">k=13, api_key=…<" in page
    assert ">k=15, note=&quot;&lt;&lt;" in page
    assert "data=" not in page
    assert "hidden13" not in page + repr(group)
    assert "&lt;" * 40 not in page
    assert "k=14" in repr(group).splitlines()[2]
    alike = fit.map([items[0], items[0]])
    assert ">inputs</th>" not in alike._repr_mimebundle_()["text/html"]


def test_where_all_jobs_come_from_is_said_once():
    def table(*cells):
        return as_html([KNOWN | {"cell": n} for n in cells])

    assert table(4, 4).count("a.ipynb [4]") == 1
    assert table(4, 5).count("a.ipynb [4]") == table(4, 5).count("a.ipynb [5]") == 1
    assert table(4).count("a.ipynb [4]") == 1


def test_names_and_reasons_are_escaped(chute):
    @chute.job(name="<b>")
    def bad(self):
        raise ValueError("<script>alert(1)</script>")

    group = bad.map([{}])
    group.wait(S)
    page = group._repr_mimebundle_()["text/html"]
    assert "<script" not in page
    assert "&lt;b&gt;" in page


def test_a_long_group_shows_a_part_and_how_many_more(chute):
    @chute.job
    def quick(self, n: int):
        return n

    group = quick.map(range(130))
    group.wait(S)
    assert repr(group).splitlines()[-1] == "... and 30 more"
    page = group._repr_mimebundle_()["text/html"]
    assert page.count("<tr") == 101
    assert re.search(r"and 30\s+more", page)


def test_a_deleted_job_is_left_out(picky):
    group = picky.map([1, 5])
    group.wait(S)
    runtime.store().delete(group[0].id)
    assert group.counts == {"completed": 1}
    assert len(repr(group).splitlines()) == 1
