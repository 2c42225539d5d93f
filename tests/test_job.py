"""A job in its user's hands: waited for, compared, carried, listed, asked oddly."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import math
import pickle
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import Field

import chutes_nb
from chutes_nb import (
    AttemptNotFound,
    JobCancelled,
    JobFailed,
    JobNotFound,
    JobTimeout,
    State,
    UnknownName,
    errors,
    runtime,
)
from chutes_nb.answers import LogReader
from chutes_nb.waited_for import Waiters
from rows import mode_of, paths_below, until

S = 60.0


@pytest.fixture(scope="module")
def done(chute):
    """A job that has completed, with a file."""

    @chute.job
    def done(self):
        (self.output_dir / "book.ipynb").write_text("{}")
        return 3

    job = done.submit()
    assert job.result(S) == 3
    return job


@pytest.fixture
def hangs(chute, tmp_path):
    """A job that runs until the test is over."""
    gate = tmp_path / "gate"

    @chute.job(timeout=60, grace=0.1)
    def hangs(self):
        while not gate.exists():
            self.remaining  # noqa: B018

    job = hangs.submit()
    until(job.running)
    yield job
    gate.touch()
    job.wait(S)


# -- waiting -----------------------------------------------------------------------
def test_a_span_says_how_long_to_wait(done):
    for span in (5, "5s", "1m", timedelta(seconds=5), None, math.inf, 1e9):
        assert done.wait(span)
        assert done.result(span) == 3


def test_what_is_no_span_is_refused_before_the_wait(hangs):
    for span in ("soon", True, math.nan, [1], b"1"):
        with pytest.raises(ValueError, match="timeout=.* is no span of time"):
            hangs.wait(span)


def test_who_waits_in_vain_is_told_how_long_it_was(hangs):
    assert hangs.wait(0) is False
    assert hangs.wait(-1) is False
    with pytest.raises(TimeoutError, match="still running after 0.01 s"):
        hangs.result("0.01s")
    with pytest.raises(TimeoutError, match="still running after 0.01 s"):
        hangs.exception(timedelta(milliseconds=10))


def test_a_running_attempt_gets_more_time_by_a_span(hangs):
    assert hangs.extend("1h")
    assert hangs.extend(timedelta(minutes=1))
    until(lambda: hangs.info.timeout_s == 60 + 3600 + 60)
    for bad in (math.nan, math.inf, None, "later", True):
        with pytest.raises(ValueError, match="seconds=.* is no span"):
            hangs.extend(bad)
    with pytest.raises(ValueError, match="leave nothing of .*cancel it"):
        hangs.extend(-10_000)


def test_a_group_is_waited_for_by_a_span(chute, hangs):
    group = chute.jobs(name="hangs", limit=1)
    assert group.wait("0.01s") is False
    with pytest.raises(TimeoutError, match="after 0.01 s"):
        group.results("0.01s")
    with pytest.raises(TimeoutError, match="after 0.01 s"):
        list(group.as_completed("0.01s"))


def test_nobody_to_call_is_told_at_once(done):
    with pytest.raises(TypeError, match=r"add_done_callback\(None\)"):
        done.add_done_callback(None)


def test_a_callback_may_submit_the_next_job_and_wait_for_it(hangs, chute, tmp_path):
    got: list[object] = []
    called = threading.Event()
    double = chute.job(lambda x: 2 * x, name="double")

    def follow(job: object) -> None:
        got.extend((job == hangs, double.submit(x=4).result(S)))
        called.set()

    hangs.add_done_callback(follow)
    hangs.cancel()
    assert called.wait(S)
    assert got == [True, 8]


def test_a_callback_that_takes_long_or_exits_holds_no_job_up(hangs, chute):
    gate, second = threading.Event(), threading.Event()

    def leaves(job: object) -> None:
        gate.wait(S)
        raise SystemExit

    hangs.add_done_callback(leaves)
    hangs.add_done_callback(lambda job: second.set())
    hangs.cancel()
    assert hangs.wait(S)
    assert chute.job(lambda: 5).submit().result(S) == 5
    assert not second.is_set()
    gate.set()
    assert second.wait(S)
    assert chute.job(lambda: 6).submit().result(S) == 6


def test_a_callback_of_an_ended_job_is_called_at_once_and_may_fail(done, caplog):
    seen: list[object] = []
    done.add_done_callback(seen.append)
    done.add_done_callback(lambda job: 1 / 0)
    assert seen == [done]
    assert "ZeroDivisionError" in caplog.text


# -- being held --------------------------------------------------------------------
def test_a_repr_names_the_job_once(chute, done):
    assert repr(done).startswith(f"<Job done {done.id[-6:]}: completed")


def test_a_deleted_job_is_still_shown_as_what_it_was(chute):
    job = chute.job(lambda: 1).submit()
    job.wait(S)
    chutes_nb.runtime.store().delete(job.id)
    assert repr(job) == f"<Job {job.id}: not in the store any more>"
    assert job._repr_mimebundle_() == {"text/plain": repr(job)}


@pytest.mark.parametrize("part", ["status", "files", "state", "metrics", "partial"])
def test_a_deleted_job_is_not_taken_for_one_that_left_nothing(chute, part):
    job = chute.job(lambda: 1).submit()
    job.wait(S)
    getattr(job, part)
    chutes_nb.runtime.store().delete(job.id)
    with pytest.raises(JobNotFound):
        getattr(job, part)


@pytest.mark.parametrize(
    "error",
    [
        errors.JobNotReady("j1", "running"),
        errors.ValidationFailed("x: no", [{"loc": ["x"], "msg": "no"}]),
        errors.BindingError("no", [{"loc": []}]),
        errors.MoveRefused("j1", to="queued", found="running"),
        errors.KernelGone("j1", "has gone"),
        errors.CodeUnchanged("j1"),
        errors.ServerUnreachable("nobody there"),
        JobFailed("j1", "failed", "why", {"type": "E", "message": "m"}),
        type("Own", (errors.TemporaryError,), {})("a", 3),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_can_be_copied_and_pickled(error):
    again = [copy.copy(error), copy.deepcopy(error)]
    if type(error).__name__ != "Own":  # pickle finds a class by its name
        again.append(pickle.loads(pickle.dumps(error)))
    for one in again:
        assert type(one) is type(error)
        assert (str(one), one.args) == (str(error), error.args)
        assert vars(one) == vars(error)


def test_a_job_can_be_pickled_and_copied(done):
    assert pickle.loads(pickle.dumps(done)).result(S) == 3
    assert copy.deepcopy(done) == copy.copy(done) == done


def test_a_job_function_is_copied_as_a_function_is(chute):
    @chute.job
    def work(self):
        return 1

    assert copy.deepcopy({"work": work})["work"] is work
    assert copy.copy(work) is work


def test_a_job_can_wait_for_another_that_it_captured(chute, done):
    @chute.job
    def waits(self):
        return done.result(60) + 1

    assert waits.submit().result(S) == 4


def test_a_status_is_found_among_words(done):
    assert done.info in {"completed", "failed"}
    assert {done.info: 1}["completed"] == 1
    assert done.info not in {"failed"}


def test_an_error_is_read_as_a_record_and_as_a_text(chute):
    @chute.job
    def fails(self):
        raise ValueError("boom")

    job = fails.submit()
    job.wait(S)
    error = job.error
    assert (str(error), error.type, error["message"]) == (
        "ValueError: boom",
        "ValueError",
        "boom",
    )
    assert "boom" in error
    assert 'raise ValueError("boom")' in error
    assert "other" not in error
    with pytest.raises(KeyError):
        error["nothing"]


def test_progress_and_attempts_are_read_by_name_as_a_status_is(chute):
    @chute.job
    def half(self):
        self.progress(1, 2)
        raise ValueError("no more")

    job = half.submit()
    job.wait(S)
    assert (job.progress["done"], job.progress.total) == (1, 2)
    (attempt,) = job.attempts
    assert (attempt["number"], attempt["status"]) == (1, "failed")
    assert attempt["error"]["type"] == attempt.error.type == "ValueError"
    assert attempt == job.attempts[0]
    assert repr(attempt) == str(attempt) == "<attempt 1, failed: ValueError: no more>"
    for one in (job.progress, attempt):
        with pytest.raises(KeyError):
            one["nothing"]


def test_a_status_that_is_read_as_a_dict_knows_its_fields(done):
    info = done.info
    assert "status" in info
    assert "error" in info
    assert "nothing" not in info
    assert (info.get("status"), info.get("nothing", 3)) == ("completed", 3)
    assert info.get("nothing") is None


def test_files_are_equal_where_their_contents_are(done):
    (file,) = done.files
    assert file == done.files[0]
    assert len({file, done.files[0]}) == 1
    assert file != "book.ipynb"
    assert file.type == "application/x-ipynb+json"


def test_a_reason_is_one_line_whatever_the_message(chute):
    @chute.job
    def fails(self):
        raise ValueError("first\n  second")

    job = fails.submit()
    assert isinstance(job.exception(S), JobFailed)
    assert job.reason == "ValueError: first second"
    assert job.error.message == "first\n  second"


@pytest.mark.parametrize("tail", ["3", 1.5, -1, True, math.nan])
def test_a_tail_that_is_no_number_of_lines_is_refused(done, tail):
    with pytest.raises(ValueError, match="a number of lines is wanted"):
        done.logs(tail=tail)


@pytest.mark.parametrize("attempt", ["1", 1.5, 0, -1, True])
def test_what_is_no_number_of_an_attempt_is_refused(done, attempt):
    with pytest.raises(ValueError, match="attempt=.* 1 or more"):
        done.logs(attempt=attempt)


def test_the_log_of_an_attempt_that_never_comes_is_refused(done):
    for asked in ({}, {"tail": 0}, {"tail": 3}, {"search": "a"}):
        with pytest.raises(AttemptNotFound, match="no attempt 9: it ended after 1"):
            done.logs(attempt=9, **asked)
    for tail in (None, 3):
        with pytest.raises(LookupError, match="no attempt 2"):
            next(done.logs(attempt=2, follow=True, tail=tail))
    assert done.logs(attempt=1) == ""


def test_the_log_of_an_attempt_that_may_still_come_is_empty(chute):
    @chute.job(retry=1, retry_delay=60)
    def fails(self):
        print("attempt", self.attempt)
        raise ValueError

    chute.pause()
    job = fails.submit()
    assert job.logs(attempt=1) == job.logs(attempt=2, tail=3) == ""
    with pytest.raises(AttemptNotFound, match="no attempt 3: it has 2 attempts at mo"):
        job.logs(attempt=3)
    chute.resume()
    until(lambda: job.status is State.RETRYING)
    assert job.logs(attempt=1) == "attempt 1\n"
    second = LogReader(runtime.store(), job.id, 2)
    assert list(second.read()) == []
    job.cancel()
    assert list(second.follow()) == []  # it was waited for and did not come
    with pytest.raises(AttemptNotFound, match="it ended after 1 attempt"):
        job.logs(attempt=2)


def test_a_job_that_ended_before_it_began_has_an_empty_log(chute, done):
    chute.pause()
    job = chute.function("done").submit()
    job.cancel()
    chute.resume()
    assert job.logs() == job.logs(attempt=1) == ""
    assert list(job.logs(attempt=1, follow=True)) == []


def test_a_log_is_followed_from_its_last_lines_on(chute, tmp_path):
    gate = tmp_path / "gate"

    @chute.job
    def counts(self):
        print(*range(5), sep="\n", flush=True)
        while not gate.exists():
            pass
        print("more")

    job = counts.submit()
    until(lambda: "4" in job.logs())
    lines = job.logs(tail=2, follow=True)
    assert [next(lines), next(lines)] == ["3", "4"]
    gate.touch()
    assert list(lines) == ["more"]
    assert list(job.logs(tail=0, follow=True)) == []


# -- being found -------------------------------------------------------------------
@pytest.mark.parametrize("hint", [None, 3, b"01", ["01"]])
def test_what_is_no_id_is_no_job(done, hint):
    with pytest.raises(JobNotFound, match="a text is wanted"):
        chutes_nb.get_job(hint)


def test_a_long_text_is_not_repeated_whole(done):
    with pytest.raises(JobNotFound) as error:
        chutes_nb.get_job("x" * 10_000)
    assert len(str(error.value)) < 200


def test_a_name_that_is_not_there_is_a_lookup_error(chute):
    chute.job(name="doubled")(lambda n: 2 * n)
    with pytest.raises(UnknownName, match="did you mean 'doubled'"):
        chute.function("doubbled")
    assert issubclass(UnknownName, LookupError)


def test_lists_have_as_many_as_are_asked_for(chute, done):
    assert len(chute.jobs(limit=0)) == 0
    assert len(chute.jobs(limit=1)) == 1
    assert done in list(chutes_nb.jobs(limit=None))
    assert chute.jobs(State.COMPLETED, limit=1)[0].done()


@pytest.mark.parametrize("limit", [-1, 1.5, "3", True])
def test_a_limit_that_is_no_count_is_refused(chute, limit):
    with pytest.raises(ValueError, match="limit="):
        chute.jobs(limit=limit)


@pytest.mark.parametrize("status", ["faild", ["failed", "faild"], 3])
def test_a_status_that_is_no_state_is_refused(chute, status):
    with pytest.raises(ValueError, match="none of queued, running"):
        chute.jobs(status=status)


def test_of_several_states_each_will_do(chute, done):
    listed = chute.jobs(status=["failed", State.COMPLETED], limit=None)
    assert done in list(listed)
    assert {job.status for job in listed} <= {"failed", "completed"}
    with pytest.raises(ValueError, match="names no state; leave it out"):
        chute.jobs(status=[])


# -- what is submitted -------------------------------------------------------------
@pytest.mark.parametrize("asked", [{"name": 3}, {"tag": ["a"]}])
def test_a_name_or_a_tag_that_is_no_text_is_refused(chute, asked):
    with pytest.raises(ValueError, match="must be a text"):
        chute.jobs(**asked)


def test_a_limit_above_all_there_can_be_is_none(chute, done):
    assert done in chute.jobs(name="done", limit=10**30)


def test_a_switch_that_is_neither_on_nor_off_is_refused(chute, done):
    with pytest.raises(TypeError, match="wait=0.1 must be True or False"):
        asyncio.run(chute.get_job_results(done.id, wait=0.1))
    with pytest.raises(TypeError, match="resume='no' must be True or False"):
        done.retry(resume="no")


def test_reuse_does_not_mind_the_order_of_arguments(chute):
    @chute.job(reuse=True)
    def add(self, a: float, b: int):
        return a + b

    one = add.submit(a=1, b=2)
    assert add.submit(b=2, a=1.0) == one
    assert add.submit(a=1, b=3) != one


def test_reuse_does_not_mind_whether_a_default_is_said(chute):
    @chute.job(reuse=True)
    def scale(self, a: float, by: int = 2, how: str | None = None, top: int = Field(9)):
        return [a, by, how, top]

    one = scale.submit(a=1)
    assert scale.submit(a=1, by=2, top=9, how=None) == one
    assert scale.submit(1, 2) == one
    for other in ({"by": 3}, {"how": "fast"}, {"top": 8}):
        assert scale.submit({"a": 1} | other) != one

    @chute.job(reuse=True)
    def scale(self, a: float, by: int = 3):
        return [a, by]

    assert scale.submit(a=1) != one


def test_reuse_does_not_mind_the_order_of_arguments_beyond_json(chute):
    @chute.job(reuse=True)
    def pair(self, a: Path, b: Path, **more: object):
        return [a, b, more]

    a, b, c = Path("a"), Path("b"), Path("c")
    one = pair.submit(a=a, b=b, c=c, d=1)
    assert pair.submit(d=1, c=c, b=b, a=a) == one
    assert pair.submit(a=b, b=a, c=c, d=1) != one


def test_reuse_compares_files_by_their_content(chute, tmp_path):
    @chute.job(reuse=True, upload=True)
    def size(self, file: bytes, times: int = 1):
        return len(file) * times

    (tmp_path / "file").write_bytes(b"abc")
    one = size.submit(file=b"abc")
    assert size.submit(file=tmp_path / "file") == one
    assert size.submit(file=b"abcd") != one
    assert size.submit(file=b"abc", times=2) != one


@pytest.mark.parametrize("key", ["", 3, "x" * 1001, b"k"])
async def test_a_key_that_is_none_is_refused(chute, done, key):
    with pytest.raises(ValueError, match="1 to 1000 characters"):
        await chute.submit_job("done", key=key)


async def test_reuse_is_a_flag(chute, done):
    with pytest.raises(TypeError, match="reuse='yes' must be True or False"):
        await chute.submit_job("done", reuse="yes")


def test_a_job_that_wants_more_than_there_is_says_so(own_chute):
    @own_chute.job(resources={"gpu": 2, "mem": 1})
    def greedy(self):
        return "ran"

    job = greedy.submit()
    assert job.reason.startswith("wants gpu=2 of 1; chutes_nb.configure(resources")
    assert own_chute.jobs(limit=1)._statuses()[0]["reason"] == job.reason
    chutes_nb.configure(resources={"gpu": 2})
    assert job.result(S) == "ran"
    assert job.reason is None


def test_a_limit_of_a_hundred_years_can_be_kept(own_chute):
    years = "36500d"
    job = own_chute.job(timeout=years, grace=years, deadline=years)(lambda: 1).submit()
    assert job.result(S) == 1


def test_a_check_takes_what_a_submit_takes(chute):
    @chute.job
    def two(self, a: int, b: int = 2):
        return a, b

    assert two.check(1, 3).arguments == {"a": 1, "b": 3}
    assert two.check({"a": 1}).arguments == two.check(a=1).arguments == {"a": 1}
    with pytest.raises(TypeError, match="takes 2 arguments"):
        two.check(1, 2, 3)


def test_what_only_a_star_would_take_is_told_with_a_way_out(chute):
    @chute.job
    def joined(first, *others):
        return [first, *others]

    with pytest.raises(TypeError, match=r"takes 1 argument, 2 .*take a list"):
        joined.submit(1, 2)
    assert joined(1, 2) == [1, 2]


def test_an_upload_that_is_not_given_is_said_at_the_submit(chute):
    @chute.job(upload=True)
    def needs(self, file: bytes):
        return len(file)

    @chute.job(upload=True)
    def may(self, file: bytes | None = None):
        return file

    with pytest.raises(chutes_nb.BindingError, match="needs file: needs"):
        needs.submit()
    with pytest.raises(chutes_nb.ValidationFailed, match="should be a file"):
        needs.submit(file=None)
    assert may.submit(file=None).result(S) is None


def test_numbers_are_wanted_where_progress_is_told(chute):
    @chute.job
    def tells(self):
        assert list(self.track(iterable=[1, 2])) == [1, 2]
        self.progress("many", 3)

    job = tells.submit()
    job.wait(S)
    assert job.error.message.startswith("progress() takes numbers; done is a str")


def test_only_the_owner_reads_what_a_worker_writes(own_chute):
    @own_chute.job
    def prints(self):
        print("hello")

    prints.submit().wait(S)
    home = chutes_nb.runtime.store().home
    open_ones = [path for path in paths_below(home) if mode_of(path) & 0o077]
    assert not open_ones


def test_every_exception_of_the_package_can_be_imported_from_it():
    kinds, found = [chutes_nb.ChutesError], set()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("chutes_nb.") and "notebook_run" not in (
            kind.__module__
        ):
            found.add(kind.__name__)
    assert found <= set(chutes_nb.__all__)


def test_a_timeout_is_none_of_waiting(chute):
    assert not issubclass(JobTimeout, TimeoutError)
    assert issubclass(chutes_nb.DefinitionError, ValueError)
    assert issubclass(chutes_nb.DefinitionError, TypeError)


def test_what_cannot_travel_is_named_at_the_submit(chute):
    @chute.job
    def takes(self, n: int, held):
        return n

    with pytest.raises(
        chutes_nb.BindingError,
        match=r"takes is given held \(_thread.lock\), which.*lock",
    ):
        takes.submit(n=1, held=threading.Lock())
    with pytest.raises(chutes_nb.BindingError, match="generator"):
        takes.submit(1, (n for n in range(3)))


def test_a_file_that_a_job_left_is_given_to_the_next(chute, done):
    @chute.job(upload=True)
    def read(self, file: chutes_nb.UploadedFile):
        return file.name, file.read()

    assert read.submit(file=done.files[0]).result(S) == ("book.ipynb", b"{}")


@pytest.mark.parametrize(
    ("kind", "state", "reason", "said"),
    [
        (JobTimeout, "timeout", "timed out after 5 s", "job 1 timed out after 5 s"),
        (
            JobTimeout,
            "timeout",
            "deadline: it came",
            "job 1 timed out: deadline: it came",
        ),
        (JobCancelled, "cancelled", "cancelled by me", "job 1 was cancelled by me"),
        (JobFailed, "failed", "ValueError: no", "job 1 failed: ValueError: no"),
        (JobFailed, "failed", None, "job 1 failed"),
    ],
)
def test_how_a_job_ended_is_said_once(kind, state, reason, said):
    assert str(kind("1", state, reason)) == said


def test_jobs_are_waited_for_as_the_futures_of_a_pool_are(chute, done, hangs):
    @chute.job
    def fails():
        raise ValueError("no")

    wait, failed = concurrent.futures.wait, fails.submit()
    first = wait([done, hangs], S, return_when="FIRST_COMPLETED")
    assert (first.done, first.not_done) == ({done}, {hangs})
    first = wait([failed, hangs], S, return_when="FIRST_EXCEPTION")
    assert (first.done, first.not_done) == ({failed}, {hangs})
    late = concurrent.futures.as_completed([hangs, failed, done], S)
    assert {next(late), next(late)} == {failed, done}
    hangs.cancel()
    assert list(late) == [hangs]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        mixed = {pool.submit(int), hangs, failed}
        assert wait(mixed, S).done == mixed
    assert pickle.loads(pickle.dumps(hangs)) == hangs


def test_who_waits_for_a_job_that_was_deleted_hears_of_its_end():
    deleted = chutes_nb.Job("0" * 16, runtime.store())
    for asks in (True, False):
        waiter = concurrent.futures._base._AllCompletedWaiter(1, stop_on_exception=asks)
        ended = concurrent.futures.Future()
        Waiters(ended, deleted).append(waiter)
        ended.set_result(None)
        assert waiter.event.is_set()
        assert waiter.finished_futures == [deleted]


async def test_a_job_will_do_where_its_id_is_wanted(chute):
    @chute.job
    def one(self):
        return 1

    job = one.submit()
    assert await chute.get_job_results(job, wait=True) == 1
    assert await chute.get_job_status(job) == "completed"
    assert chutes_nb.get_job(job).id == job.id
