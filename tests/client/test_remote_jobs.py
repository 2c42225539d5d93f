"""A chute on a server has the names and the errors of a local one."""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
import zipfile
from datetime import date, timedelta

import pytest

from chutes_nb import (
    AttemptNotFound,
    BindingError,
    Chute,
    ChutesError,
    DefinitionError,
    InexactResult,
    Job,
    JobCancelled,
    JobFailed,
    JobNotFound,
    JobNotReady,
    JobTimeout,
    MoveRefused,
    RemoteChute,
    RemoteJob,
    State,
    StatusInfo,
    UnknownName,
    ValidationFailed,
)
from chutes_nb.client.following import follower

pytestmark = pytest.mark.kernel


def test_the_documents_three_calls_by_the_client(chute):
    async def three():
        job_id = await chute.submit_job("process_data", {"input": "data"})
        results = await chute.get_job_results(job_id, wait=True)
        return results, await chute.get_job_status(job_id)

    results, status = asyncio.run(three())
    assert results == {"status": "completed", "result": "data"}
    assert isinstance(status, StatusInfo)
    assert status == "completed" == status.status == status["status"]


def test_a_remote_function_takes_arguments_by_place_as_one_here_does(chute):
    count = chute.function("count")
    assert count.submit(2).result(30) == 2
    assert count.submit(1, 0.01).inputs == {"n": 1, "pause": 0.01}
    assert count.submit(1, pause=0.01).inputs == {"n": 1, "pause": 0.01}
    assert count.submit({"n": 1}).inputs["n"] == 1
    with pytest.raises(TypeError, match="count takes 2 arguments, 3 were given"):
        count.submit(1, 2, 3)
    with pytest.raises(TypeError, match="count was given n twice"):
        count.submit(1, n=2)


def test_a_remote_job_tells_all_that_a_local_one_does(chute):
    job = chute.function("process_data").submit(data={"input": "x"})
    assert job.result(60) == {"status": "completed", "result": "x"}
    assert job.status is State.COMPLETED
    assert job.name == "process_data"
    assert job.progress.fraction == 0.5
    assert job.state == {"training_state": {"epoch": 3}}
    assert job.metrics == {"loss": [(1.0, 0.5)]}
    assert job.partial == [{"half": 1}]
    assert job.inputs == {"data": {"input": "x"}}
    assert "async def process_data" in job.source
    assert [one.status for one in job.attempts] == ["completed"]
    assert job.error is job.reason is None
    assert job.logs() == "Progress: 50.0% (1/2)\n"
    assert job.logs(tail=5) == "Progress: 50.0% (1/2)"
    assert job.logs(search="PROGRESS", tail=1) == "Progress: 50.0% (1/2)"
    assert job.logs(search="nothing") == ""
    assert job.done()
    assert not job.running()
    assert not job.cancelled()
    assert job.exception(5) is None
    assert chute.get_job(job.id) == job
    assert chute.get_job(job.id[-8:]) == job


def test_a_remote_chute_and_job_have_the_names_of_the_local_ones():
    def names(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    only_here = {"job", "on_startup", "panel", "pause", "resume", "is_paused"}
    assert names(Chute) - names(RemoteChute) <= only_here | {"connect"}
    remote = RemoteJob(None, "01")
    for name in names(Job):
        mine, theirs = getattr(RemoteJob, name, None), getattr(Job, name)
        if mine is None:
            with pytest.raises(AttributeError, match="for a notebook on the server"):
                getattr(remote, name)
        elif inspect.isfunction(theirs):
            assert inspect.signature(mine).parameters.keys() == (
                inspect.signature(theirs).parameters.keys()
            ), name
    with pytest.raises(AttributeError, match="is not there"):
        remote.nothing  # noqa: B018


def test_files_of_a_job_are_read_and_saved(chute, tmp_path):
    job = chute.function("process_data").submit(data={"input": "x"})
    job.wait(60)
    (file,) = job.files
    assert (file.name, file.size, file.type) == ("out.txt", 5, "text/plain")
    assert file.read() == b"hello"
    with file.open() as stream:
        assert stream.read(2) == b"he"
    assert file.save(tmp_path).read_text() == "hello"
    assert file.save(tmp_path / "mine.txt") == tmp_path / "mine.txt"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine.txt", "out.txt"]


def test_files_of_a_job_are_had_by_name_and_all_at_once(chute, tmp_path):
    job = chute.function("process_data").submit(data={"input": "x"})
    job.wait(60)
    assert job.files.names == ["out.txt"]
    assert job.files["out.txt"].read() == b"hello"
    with pytest.raises(KeyError, match="no file 'in.txt'; there are: out.txt"):
        job.files["in.txt"]
    (saved,) = job.files.save(tmp_path / "all")
    assert saved.read_bytes() == b"hello"
    with zipfile.ZipFile(job.files.zip(tmp_path)) as archive:
        assert archive.read("out.txt") == b"hello"


def test_a_log_is_followed_line_by_line_to_the_end(chute, tmp_path):
    gate = tmp_path / "gate"
    job = chute.function("wait_for").submit(path=str(gate))
    lines = job.logs(follow=True)
    assert next(lines) == "waiting"
    assert not job.wait(0.1)
    gate.touch()
    assert list(lines) == []
    assert job.result(60) == "there"


def test_the_logs_of_both_attempts_are_followed(chute):
    job = chute.function("fail").submit()
    assert list(job.logs(follow=True)) == ["attempt 1", "attempt 2"]
    assert job.logs(attempt=1) == "attempt 1\n"


def test_the_log_of_an_attempt_that_never_comes_is_refused(chute, tmp_path):
    gate = tmp_path / "gate"
    job = chute.function("fail_after").submit(path=str(gate))
    assert job.logs(attempt=2) == ""  # it will come
    gate.touch()
    assert list(job.logs(attempt=2, follow=True)) == ["attempt 2"]
    for asked in ({}, {"tail": 3}, {"search": "a"}):
        with pytest.raises(AttemptNotFound, match="no attempt 9: it ended after 2"):
            job.logs(attempt=9, **asked)
    with pytest.raises(AttemptNotFound):
        next(job.logs(attempt=3, follow=True))
    for bad in (0, -1, 1.5, "1", True):
        with pytest.raises(ValueError, match="attempt=.* 1 or more"):
            job.logs(attempt=bad)


def test_bad_ends_raise_what_they_raise_in_a_notebook(chute, tmp_path):
    job = chute.function("fail").submit()
    with pytest.raises(JobFailed, match="no luck") as failed:
        job.result(60)
    assert failed.value.error["type"] == "ValueError"
    assert "raise ValueError" in failed.value.error["traceback"]
    assert len(job.attempts) == 2
    job = chute.function("hang").submit()
    with pytest.raises(JobTimeout, match=r"timed out after 0\.2 s"):
        job.result(60)
    job = chute.function("wait_for").submit(path=str(tmp_path / "never"))
    next(job.logs(follow=True))
    with pytest.raises(JobNotReady):
        job.result_now()
    with pytest.raises(TimeoutError, match="it goes on") as waited:
        job.result(0.1)
    assert not isinstance(waited.value, JobTimeout)
    with pytest.raises(MoveRefused, match="is running"):
        job.retry()
    with pytest.raises(MoveRefused, match="deleted"):
        job.delete()
    assert job.extend(5) is False  # it has no timeout
    assert job.cancel() is True
    assert isinstance(job.exception(60), JobCancelled)
    assert job.cancelled()
    assert job.cancel() is False


def test_a_job_is_run_again_and_deleted(chute):
    job = chute.function("count").submit(n=2)
    assert job.result(60) == 2
    again = job.retry()
    assert again.result(60) == 2
    assert again.info.retry_of == job.id
    assert job.retry(code="current").result(60) == 2
    with pytest.raises(ValueError, match="'same' or 'current'"):
        job.retry(code="newest")
    again.delete()
    with pytest.raises(JobNotFound):
        again.info  # noqa: B018


def test_a_job_takes_the_result_of_another(chute):
    double = chute.function("double")
    first = chute.function("count").submit(n=3)
    second = first.then(double)
    third = second.then("double")
    assert [job.result(60) for job in (second, third)] == [6, 12]
    assert second.after == first
    assert first.after is None
    assert second.inputs == {"result of count": 3}


def test_a_bad_end_cancels_what_would_have_taken_the_result(chute):
    job = chute.function("fail").submit().then("count")
    assert isinstance(job.exception(60), JobCancelled)
    assert "ended failed: ValueError: no luck" in job.reason


def test_a_log_is_followed_from_its_last_lines_on(chute):
    job = chute.function("count").submit(n=5)
    job.wait(60)
    assert list(job.logs(tail=2, follow=True)) == ["line 3", "line 4"]
    assert list(job.logs(tail=0, follow=True)) == []


def test_a_frame_comes_as_its_rows(chute):
    job = chute.function("frame").submit()
    with pytest.warns(InexactResult):
        assert job.result(60) == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


@pytest.mark.parametrize("function", [None, print, 3, ""])
def test_only_a_job_function_of_the_server_can_follow(chute, function):
    job = chute.function("count").submit(n=1)
    with pytest.raises(TypeError, match=r"chute.function\(name\)"):
        job.then(function)
    with pytest.raises(UnknownName, match="nowhere"):
        job.then("nowhere")


def test_spans_are_read_as_in_a_notebook(chute):
    job = chute.function("count").submit(n=1)
    assert job.wait("30s")
    assert job.result(timedelta(seconds=30)) == 1
    for bad in ("soon", math.nan, math.inf, -1e300, None, True):
        with pytest.raises(ValueError, match="seconds="):
            job.extend(bad)
    with pytest.raises(TypeError, match="takes the job"):
        job.add_done_callback(None)


def test_a_function_says_what_it_cannot_do_from_afar(chute):
    count = chute.function("count")
    with pytest.raises(TypeError, match=r"count\.submit\(\.\.\.\)\.result\(\)"):
        count(n=1)
    with pytest.raises(AttributeError, match="'options' is for a notebook on"):
        count.options(timeout=1)
    with pytest.raises(AttributeError, match="'opions' is not there"):
        count.opions  # noqa: B018


def test_lists_refuse_what_is_no_state_and_no_count(chute):
    for bad in ("dead", ["failed", "dead"], 5):
        with pytest.raises(ValueError, match="none of queued"):
            chute.jobs(status=bad)
    with pytest.raises(ValueError, match="names no state"):
        chute.jobs(status=[])
    with pytest.raises(ValueError, match="0 or more"):
        chute.jobs(limit=-1)
    assert len(chute.jobs(limit=0)) == 0
    assert len(chute.jobs(limit=None)) >= len(chute.jobs(limit=2)) == 2


def test_a_job_of_a_notebook_is_given_back_for_the_same_by_http(both, chute):
    _, kernel = both
    kernel.run("job = count.options(reuse=True).submit(pause=0, n=7)")
    found = asyncio.run(chute.submit_job("count", {"n": 7, "pause": 0.0}, reuse=True))
    assert kernel.value("job.id") == found
    unsaid = asyncio.run(chute.submit_job("count", {"n": 7}, reuse=True))
    assert unsaid == found  # 0.0 is the default of pause
    other = asyncio.run(chute.submit_job("count", {"n": 8}, reuse=True))
    assert other != found


def test_a_running_job_gets_more_time(chute, tmp_path):
    job = chute.function("count").submit(n=1000, pause=0.05)
    next(job.logs(follow=True))
    assert job.extend(50) is True
    assert job.info.timeout_s == 150.0
    assert job.extend(timedelta(seconds=-30)) is True
    assert job.info.timeout_s == 120.0
    with pytest.raises(DefinitionError, match="would leave nothing of 120 s"):
        job.extend(-120)
    job.cancel()
    job.wait(60)


def test_a_result_that_json_cannot_say_warns_and_gives_its_preview(chute):
    job = chute.function("pair").submit()
    with pytest.warns(InexactResult, match="tuple") as warned:
        assert job.result(60) == [1, 2]
    assert warned[0].filename == __file__
    answer = job.answer()
    assert (answer.value, answer.exact, answer.type) == ([1, 2], False, "tuple")
    assert answer.view["text/plain"] == "(1, 2)"


def test_a_remote_job_is_awaited_and_called_back(chute):
    async def awaited():
        return await chute.function("count").submit(n=1)

    assert asyncio.run(awaited()) == 1
    called = threading.Event()
    chute.function("count").submit(n=1).add_done_callback(lambda job: called.set())
    assert called.wait(60)


def test_a_callback_of_a_remote_job_that_has_ended_is_called_at_once(chute):
    job = chute.function("count").submit(n=1)
    assert job.wait(60)
    seen: list[object] = []
    job.add_done_callback(seen.append)
    assert seen == [job]
    assert follower(chute._link)._thread is None, "there was nobody to follow"


async def awaited(group):
    return await group


def test_many_jobs_are_mapped_listed_and_waited_for(chute):
    group = chute.function("count").map([{"n": 1}, {"n": 2}, {"n": 3}])
    assert sorted(job.result_now() for job in group.as_completed()) == [1, 2, 3]
    assert group.results(60) == [1, 2, 3]
    listed = chute.jobs(limit=2)
    assert [job.id for job in listed] == [group[2].id, group[1].id]
    assert "completed" in repr(listed)
    assert listed._repr_mimebundle_()["text/html"].count("<tr") == 3
    assert asyncio.run(awaited(group)) == [1, 2, 3]
    assert all(job.name == "process_data" for job in chute.jobs(tag="t", limit=3))
    assert chute.jobs(status="completed", name="count")[0] == group[2]
    either = chute.jobs(status=["failed", "completed"], name="count")
    assert either[0] == group[2]


def test_a_payload_that_does_not_fit_raises_and_queues_nothing(chute):
    before = len(chute.jobs(limit=1000))
    with pytest.raises(ValidationFailed) as refused:
        chute.function("train").submit({"config": {"epochs": "many"}})
    assert refused.value.details[0]["loc"] == ["config", "epochs"]
    with pytest.raises(BindingError, match="Field required"):
        chute.function("train").submit(rate=0.1)
    with pytest.raises(BindingError, match="did you mean 'rate'"):
        chute.function("train").submit(config={"epochs": 1}, rat=0.1)
    with pytest.raises(ValidationFailed, match="object"):
        chute.function("train").submit(config=object())
    with pytest.raises(ChutesError, match="run its cell"):
        asyncio.run(chute.submit_job("nobody", {}))
    assert len(chute.jobs(limit=1000)) == before


def test_models_and_dates_travel_as_json(chute):
    async def submitted():
        return await chute.submit_job("process_data", {"input": date(2026, 1, 2)})

    job = chute.get_job(asyncio.run(submitted()))
    assert job.result(60)["result"] == "2026-01-02"


def test_a_key_and_reuse_give_back_the_job_there_is(both, chute):
    async def twice(**how):
        return [await chute.submit_job("count", {"n": 1}, **how) for _ in range(2)]

    one, two = asyncio.run(twice(key="report"))
    assert one == two
    one, two = asyncio.run(twice(reuse=True))
    assert one == two
    one, two = asyncio.run(twice())
    assert one != two
    _, kernel = both
    same = 'await chute.submit_job("count", {"n": 5}, key="report")'
    assert kernel.value(f"({same}) == {asyncio.run(twice(key='report'))[0]!r}")


def test_files_of_every_kind_are_sent_along(chute, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"1\n2\n")
    seen = []

    async def sent(payload):
        job_id = await chute.submit_job(
            "sizes", payload, on_progress=lambda *at: seen.append(at)
        )
        return await chute.get_job_results(job_id, wait=True)

    for value in (path, str(path), b"1\n2\n", bytearray(b"1\n2\n")):
        assert asyncio.run(sent({"file": value}))[0] == 4
    with path.open("rb") as stream:
        stream.read(1)
        assert asyncio.run(sent({"file": stream}))[0] == 3
    assert asyncio.run(sent(path))[0] == 4
    extra = {"file": b"x", "extra": [path, b"zz"], "label": "two"}
    assert asyncio.run(sent(extra)) == [1, [["data.csv", 4], ["extra", 2]], "two"]
    assert seen[:2] == [(0, 4), (4, 4)]
    missing = tmp_path / "nowhere.csv"
    with pytest.raises(ValidationFailed, match="cannot be read here"):
        asyncio.run(sent({"file": missing}))


def test_an_upload_is_sent_once_and_given_to_many_jobs(chute):
    content = bytes(range(256)) * 40_000
    upload = asyncio.run(chute.upload(content, "big.bin"))
    assert (upload.name, upload.size) == ("big.bin", len(content))
    jobs = chute.function("sizes").map([{"file": upload}, {"file": upload}])
    assert [found[0] for found in jobs.results(60)] == [len(content)] * 2


def test_a_large_file_of_a_job_arrives_whole(chute, tmp_path):
    job = chute.function("big").submit(size=10 << 20)
    job.wait(60)
    assert job.files[0].save(tmp_path).stat().st_size == 10 << 20


def test_what_is_only_for_notebooks_says_so(chute):
    for name in ("pause", "job", "panel"):
        with pytest.raises(AttributeError, match="for a notebook on the server"):
            getattr(chute, name)
    assert not hasattr(chute, "_ipython_display_")


def test_a_remote_job_is_shown_without_a_kernel_there(chute):
    job = chute.function("count").submit(n=1)
    job.wait(60)
    bundle = job._repr_mimebundle_()
    assert 'aria-label="Job count"' in bundle["text/html"]
    assert "line 0" in bundle["text/html"]
    assert bundle["text/plain"].startswith("Job count")
    assert repr(job).startswith("<RemoteJob count")
    job.delete()
    assert repr(job) == f"<RemoteJob {job.id}: not in the store any more>"
    assert job._repr_mimebundle_() == {"text/plain": repr(job)}
    assert "my-chute" in repr(chute)
