"""Who runs when: priority, limits, tokens, reuse, and code that was replaced."""

from __future__ import annotations

import asyncio
import io
import os
import time
from pathlib import Path

import pytest

from chutes_nb import (
    BindingError,
    Chute,
    JobTimeout,
    configure,
    get_job,
    jobs,
    runtime,
    submitting,
)
from chutes_nb.errors import CodeUnchanged
from chutes_nb.job import CardActions
from rows import until

S = 20.0


def hold(chute, gate, **options):
    """A job that runs until the gate opens."""

    @chute.job(**options)
    def hold(self, gate: str):
        while not os.path.exists(gate):
            time.sleep(0.01)

    return hold.submit(gate=str(gate))


@pytest.fixture
def gate(tmp_path):
    """A file; jobs of this module go on once it is there."""
    return tmp_path / "gate"


def spans(group):
    """When each job ran, in the order they began."""
    infos = [job.info for job in group]
    return sorted((info.started_at, info.finished_at) for info in infos)


def most_at_once(group):
    """The most that ran at one moment, by the store's times."""
    found = spans(group)
    return max(sum(a <= start < b for a, b in found) for start, _ in found)


def pausing(chute, **options):
    @chute.job(**options)
    def pause(self, n: int):
        time.sleep(0.05)
        return n

    return pause


# -- order and limits --------------------------------------------------------
def test_the_highest_priority_runs_first_then_the_oldest(lone_chute, gate):
    holding = hold(lone_chute, gate)
    until(holding.running)

    @lone_chute.job
    def mark(self, n: int):
        return n

    made = [mark.options(priority=p).submit(n=p) for p in (0, 5, 5, 9)]
    assert [job.info.queue_position for job in made] == [4, 2, 3, 1]
    gate.touch()
    for job in made:
        job.result(S)
    order = sorted(made, key=lambda job: job.info.started_at)
    assert [made.index(job) for job in order] == [3, 1, 2, 0]


def test_no_more_jobs_run_at_once_than_there_may_be_workers(own_chute, gate):
    held = [hold(own_chute, gate) for _ in range(2)]
    waiting = pausing(own_chute).map(range(6))
    until(lambda: all(job.running() for job in held))
    assert waiting.counts == {"queued": 6}
    gate.touch()
    waiting.results(S)
    assert most_at_once([*held, *waiting]) == 2
    assert len(runtime.executor().handles) == 2


def test_more_workers_come_when_they_are_allowed(lone_chute, gate):
    first, second = (hold(lone_chute, gate) for _ in range(2))
    until(first.running)
    assert second.status == "queued"
    configure(max_workers=2)
    until(second.running)
    gate.touch()
    assert first.wait(S)


def test_fewer_workers_run_jobs_once_fewer_are_allowed(own_chute, gate):
    held = [hold(own_chute, gate) for _ in range(2)]
    until(lambda: all(job.running() for job in held))
    configure(max_workers=1)
    group = pausing(own_chute).map(range(6))
    gate.touch()
    group.results(S)
    assert most_at_once(group) == 1
    until(lambda: len(runtime.executor().handles) == 1)


def test_idle_workers_go_once_fewer_are_allowed(own_chute, gate):
    held = [hold(own_chute, gate) for _ in range(2)]
    until(lambda: all(job.running() for job in held))
    gate.touch()
    assert all(job.wait(S) for job in held)
    configure(max_workers=1)
    group = pausing(own_chute).map(range(6))
    group.results(S)
    assert most_at_once(group) == 1


@pytest.mark.parametrize("workers", [0, -1, True])
def test_a_number_of_workers_that_cannot_be_is_refused(workers):
    with pytest.raises(ValueError, match="at least 1"):
        configure(max_workers=workers)


def test_a_job_with_a_concurrency_of_one_runs_one_at_a_time(chute):
    group = pausing(chute, concurrency=1, name="single").map(range(6))
    assert group.results(S) == list(range(6))
    assert most_at_once(group) == 1


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_a_limit_counts_runs_that_began_before_it_was_set_and_ends_with_them(
    chute, gate, executor
):
    first = hold(chute, gate, executor=executor, name="edited")
    until(first.running)
    group = pausing(chute, executor=executor, concurrency=1, name="edited").map(
        range(3)
    )
    other = pausing(chute, executor=executor, name="another").submit(1)
    assert other.result(S) == 1
    assert group.counts == {"queued": 3}
    gate.touch()
    assert group.results(timeout=S) == [0, 1, 2]


def test_concurrency_is_counted_for_each_of_two_chutes_of_one_name(own_chute, gate):
    def waits(self) -> str:
        while self.username == "ann" and not gate.exists():
            time.sleep(0.01)
        return self.username

    one, other = (
        Chute(username=name, name="shared").job(concurrency=1)(waits)
        for name in ("ann", "bob")
    )
    held, waiting = one.submit(), one.submit()
    until(held.running)
    assert other.submit().result(S) == "bob"
    assert waiting.status == "queued"
    gate.touch()
    assert waiting.result(S) == "ann"


def test_concurrency_of_one_job_does_not_hold_up_another(chute, gate):
    held = hold(chute, gate, concurrency=1, name="held")
    until(held.running)
    waiting = hold(chute, gate, concurrency=1, name="held")
    assert pausing(chute).submit(3).result(S) == 3
    assert waiting.status == "queued"
    gate.touch()
    assert held.wait(S)
    assert waiting.wait(S)


def test_jobs_take_turns_at_a_token(chute):
    group = pausing(chute, resources={"licence": 1}).map(range(5))
    group.results(S)
    assert most_at_once(group) == 1


def test_a_token_can_be_there_several_times(chute, gate):
    configure(resources={"gpu": 2})
    held = [hold(chute, gate, resources={"gpu": 1}) for _ in range(2)]
    until(lambda: all(job.running() for job in held))
    third = hold(chute, gate, resources={"gpu": 1})
    assert pausing(chute).submit(3).result(S) == 3
    assert third.status == "queued"
    gate.touch()
    assert third.wait(S)


def test_a_job_that_wants_more_than_there_is_waits_for_more(chute):
    configure(resources={"mem_gb": 1})
    job = pausing(chute, resources={"mem_gb": 4}).submit(1)
    assert pausing(chute).submit(2).result(S) == 2
    assert job.status == "queued"
    configure(resources={"mem_gb": 4})
    assert job.result(S) == 1


def test_a_deadline_ends_a_job_that_still_waits(lone_chute, gate):
    holding = hold(lone_chute, gate)
    until(holding.running)
    job = pausing(lone_chute, deadline=0.2).submit(1)
    with pytest.raises(JobTimeout, match="deadline"):
        job.result(S)
    assert (job.attempts, job.status) == ([], "timeout")
    gate.touch()


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(lone_chute, gate, tmp_path):
    holding = hold(lone_chute, gate)
    until(holding.running)

    @lone_chute.job
    def leave(self, path: str):
        Path(path).touch()

    job = leave.submit(path=str(tmp_path / "mark"))
    assert job.cancel()
    assert job.cancelled()
    gate.touch()
    assert holding.wait(S)
    assert pausing(lone_chute).submit(1).result(S) == 1
    assert not (tmp_path / "mark").exists()


# -- reuse -------------------------------------------------------------------
def test_the_same_code_and_input_give_back_the_same_job(chute):
    @chute.job(reuse=True)
    def work(self, n: int):
        return time.time_ns()

    first = work.submit(1)
    assert work.submit(1) == first
    value = first.result(S)
    assert work.submit(n=1).result(S) == value
    assert work.submit(2) != first


def test_other_code_is_not_reused(chute):
    def define(factor):
        @chute.job(reuse=True)
        def work(self, n: int):
            return n * factor

        return work.submit(2)

    assert define(2) == define(2)
    assert define(3).result(S) == 6


@pytest.mark.parametrize("ends", [False, True])
async def test_a_job_that_was_submitted_without_a_word_of_reuse_is_given_back_too(
    own_chute, gate, ends
):
    def define():
        @own_chute.job
        def work(gate: str, n: int = 1):
            while not os.path.exists(gate):
                time.sleep(0.01)
            return n

        return work

    define()
    payload = {"gate": str(gate)}
    first = await own_chute.submit_job("work", payload)
    if ends:
        gate.touch()
        assert get_job(first).result(S) == 1
    define()  # Run All
    try:
        assert await own_chute.submit_job("work", payload, reuse=True) == first
        other = await own_chute.submit_job("work", payload | {"n": 2}, reuse=True)
        assert other != first
        newest = await own_chute.submit_job("work", payload)
        assert newest != first
        assert await own_chute.submit_job("work", payload, reuse=True) == newest
    finally:
        gate.touch()

    @own_chute.job
    def work(gate: str, n: int = 1):
        return n + 1

    changed = await own_chute.submit_job("work", payload, reuse=True)
    assert get_job(changed).result(S) == 2


def test_a_job_that_was_submitted_without_reuse_and_ended_badly_is_not_given_back(
    chute,
):
    @chute.job
    def fail(n: int):
        raise ValueError

    first = fail.submit(n=1)
    assert first.exception(S)
    assert fail.options(reuse=True).submit(n=1) != first


def test_a_job_that_ended_badly_is_not_reused(chute):
    @chute.job(reuse=True)
    def fail(self):
        raise ValueError

    first = fail.submit()
    first.wait(S)
    assert fail.submit() != first


async def test_a_badly_ended_job_that_was_made_again_is_reused_as_that(
    own_chute, tmp_path
):
    @own_chute.job(reuse=True)
    def needs(self, folder: str):
        return Path(folder, "there").read_text()

    first = needs.submit(str(tmp_path))
    keyed = await own_chute.submit_job("needs", str(tmp_path), key="today")
    assert first.exception(S)
    assert get_job(keyed).exception(S)
    (tmp_path / "there").touch()
    again, keyed = first.retry(), get_job(keyed).retry()
    assert needs.submit(str(tmp_path)) == again
    assert await own_chute.submit_job("needs", "other", key="today") == keyed.id
    assert again.wait(S)
    newest = again.retry()
    assert newest.result(S) == ""
    assert needs.submit(str(tmp_path)) == newest

    @own_chute.job(reuse=True)
    def needs(self, folder: str):
        return "edited"

    keyed.wait(S)
    edited = newest.retry("current")
    assert edited.result(S) == "edited"
    assert needs.submit(str(tmp_path)) == edited
    keyed = keyed.retry("current")
    assert await own_chute.submit_job("needs", "any", key="today") == keyed.id


def test_a_job_made_again_is_reused_where_the_code_of_now_asks_for_that(
    own_chute, tmp_path
):
    @own_chute.job(upload=True)
    def reads(self, table: bytes, n: int):
        raise ValueError("not yet")

    given = tmp_path / "table.csv"
    given.write_bytes(b"a,b")
    first = reads.submit(table=given, n=1)
    first.wait(S)

    @own_chute.job(upload=True, reuse=True)
    def reads(self, table: bytes, n: int, scale: int = 2):
        return len(table) * n * scale

    again = first.retry("current")
    assert reads.submit(n=1, table=b"a,b") != again  # another name of a file
    assert reads.submit(n=1, table=given) == again
    assert again.result(S) == 6


async def test_a_key_gives_back_the_job_of_that_key(chute):
    pausing(chute)
    first = await chute.submit_job("pause", {"n": 1}, key="today")
    assert await chute.submit_job("pause", {"n": 2}, key="today") == first
    assert await chute.submit_job("pause", {"n": 2}, key="tomorrow") != first
    assert await get_job(first) == 1


async def test_chutes_of_one_name_keep_their_keys_and_jobs_apart(own_chute):
    def whose(self) -> str:
        return self.username

    mine = Chute(username="ann", name="shared")
    other = Chute(username="bob", name="shared")
    jobs = {}
    for chute in (mine, other):
        chute.job(whose)
        jobs[chute] = await chute.submit_job("whose", key="today")
        assert await chute.get_job_results(jobs[chute], wait=True) == chute.username
    for chute in (mine, other):
        assert [job.id for job in chute.jobs()] == [jobs[chute]]
        assert await chute.submit_job("whose", key="today") == jobs[chute]


# -- definitions -------------------------------------------------------------
def test_a_job_defined_again_while_it_waits_keeps_its_old_code(lone_chute, gate):
    holding = hold(lone_chute, gate)
    until(holding.running)

    @lone_chute.job
    def version(self):
        return "old"

    old = version.submit()

    @lone_chute.job
    def version(self):
        return "new"

    new = version.submit()
    gate.touch()
    assert (old.result(S), new.result(S)) == ("old", "new")
    assert '"old"' in old.source
    assert old.retry().result(S) == "old"
    assert old.retry(code="current").result(S) == "new"


def test_a_retry_of_current_code_stays_with_the_chute_of_its_username(lone_chute):
    def made(username, name):
        return Chute(username=username, name="lab").job(name="dup")(lambda self: name)

    old = made("ann", "ann's").submit()
    assert made("bob", "bob's").submit().result(S) == "bob's"
    assert old.result(S) == "ann's"
    assert old.retry(code="current").result(S) == "ann's"


def test_a_retry_of_current_code_has_the_options_of_now(lone_chute):
    def attempts(self, n: int):
        return self.max_attempts, self.remaining is None, n

    old = lone_chute.job(retry=3, tags=["old"])(attempts).submit(n=7)
    lone_chute.job(timeout=60, fresh=True)(attempts)
    assert old.result(S) == (4, True, 7)
    new = old.retry(code="current")
    assert new.result(S) == (1, False, 7)
    assert new.info.retry_of == old.id
    assert new.info.tags == []


def test_a_card_says_when_there_is_no_edited_code_to_try(lone_chute):
    def divide(self, n: int):
        return 1 // n

    card, old = CardActions(), lone_chute.job(divide).submit(n=0)
    assert "ZeroDivisionError" in str(old.exception(S))
    with pytest.raises(CodeUnchanged, match="run the edited cell first"):
        card.retry_current(old.id)
    assert [job.id for job in lone_chute.jobs()] == [old.id]
    lone_chute.job(retry=1)(divide)
    patient = get_job(card.retry_current(old.id))
    assert "ZeroDivisionError" in str(patient.exception(S))
    assert len(patient.attempts) == 2

    @lone_chute.job
    def divide(self, n: int):
        return "mended"

    assert get_job(card.retry_current(old.id)).result(S) == "mended"


def test_a_retry_of_code_that_takes_other_arguments_is_refused_at_once(lone_chute):
    @lone_chute.job
    def changing(self, n: int):
        return n

    old = changing.submit(n=1)
    old.result(S)

    @lone_chute.job
    def changing(self, m: int):
        return m

    with pytest.raises(BindingError, match="unknown key 'n'"):
        old.retry(code="current")
    assert old.retry().result(S) == 1


def test_a_retry_of_current_code_has_the_file_again(lone_chute, tmp_path):
    source = tmp_path / "data.txt"
    source.write_text("content")

    @lone_chute.job(upload=True)
    def read(self, file: bytes):
        return "old"

    old = read.submit(file=source)
    old.result(S)
    source.unlink()

    @lone_chute.job(upload=True)
    def read(self, file: bytes):
        return file.decode()

    assert old.retry(code="current").result(S) == "content"


async def test_an_unknown_job_names_the_nearest(chute):
    pausing(chute)
    with pytest.raises(Exception, match="did you mean 'pause'"):
        await chute.submit_job("pauze", {})


def test_jobs_are_listed_by_state_name_and_tag(own_chute):
    job = pausing(own_chute, tags=["night"]).submit(1)
    job.result(S)
    assert list(jobs(tag="night", status="completed")) == [job]
    assert list(own_chute.jobs(name="pause")) == [job]
    assert list(jobs(status="failed")) == []
    with pytest.raises(ValueError, match="status='done' is none of queued"):
        jobs(status="done")


def test_a_job_is_found_by_a_part_of_its_id(own_chute):
    job = pausing(own_chute).submit(1)
    assert get_job(job.id[:12]) == get_job(job.id[-6:]) == job
    job.wait(S)


# -- one job leaves nothing to the next --------------------------------------
def test_what_a_job_changes_of_its_process_does_not_reach_the_next(lone_chute):
    @lone_chute.job
    def litter(self):
        import sys

        os.environ["LITTER"] = "1"
        os.environ.pop("PATH")
        sys.path.insert(0, "/nowhere")
        Path("left.txt").write_text("x")
        os.chdir("/")
        sys.stdout = io.StringIO()
        return os.getpid()

    @lone_chute.job
    def look(self):
        import sys

        print("heard")
        found = ("LITTER" in os.environ, "PATH" in os.environ, "/nowhere" in sys.path)
        return os.getpid(), found, os.listdir(), os.getcwd()

    pid = litter.submit().result(S)
    job = look.submit()
    found = job.result(S)
    assert found[:2] == (pid, (False, True, False))
    assert sorted(found[2]) == ["output", "tmp"]
    assert found[3] != "/"
    assert job.logs() == "heard\n"


def test_a_job_sees_no_secret_of_the_server(own_chute, monkeypatch):
    monkeypatch.setenv("JPY_API_TOKEN", "secret")
    monkeypatch.setenv("JUPYTER_TOKEN", "secret")
    monkeypatch.setenv("MINE", "kept")

    @own_chute.job
    def names(self):
        return sorted(os.environ)

    found = names.submit().result(S)
    assert "MINE" in found
    assert not [one for one in found if one.startswith(("JPY_", "JUPYTER_TOKEN"))]


def test_startup_hooks_run_once_in_each_worker(lone_chute):
    @lone_chute.on_startup()
    def load(chute):
        chute.model = {"loaded_in": os.getpid(), "at": time.time_ns()}

    @lone_chute.job
    def use(self):
        return self.model, os.getpid()

    found = use.map([{}] * 4).results(S)
    assert len({model["at"] for model, _ in found}) == 1
    assert {model["loaded_in"] for model, _ in found} == {pid for _, pid in found}


def test_chutes_of_one_name_start_each_for_itself_in_a_warm_worker(lone_chute):
    def load(chute):
        chute.model = f"model of {chute.username}"

    def loaded(self) -> str:
        return self.model

    for username in ("ann", "bob"):
        chute = Chute(username=username, name=lone_chute.name)
        chute.on_startup(load)
        found = chute.job(loaded).submit().result(S)
        assert found == f"model of {username}"


def test_a_new_value_of_the_chute_reaches_a_warm_worker_without_a_new_start(lone_chute):
    @lone_chute.on_startup()
    def load(chute):
        chute.loaded_at = time.time_ns()

    @lone_chute.job
    def read(self):
        return self.loaded_at, self.threshold

    lone_chute.threshold = 0.5
    first = read.submit().result(S)
    lone_chute.threshold = 0.7
    assert first[1] == 0.5
    assert read.submit().result(S) == (first[0], 0.7)


async def test_a_submit_that_nobody_waits_for_any_more_leaves_a_job_that_runs(
    own_chute, tmp_path
):
    done = tmp_path / "done"

    @own_chute.job
    def touch(path: str) -> None:
        Path(path).touch()

    waiting = asyncio.ensure_future(own_chute.submit_job("touch", {"path": str(done)}))
    await asyncio.sleep(0)  # let it hand the job over, not wait for the answer
    waiting.cancel()
    other = own_chute.function("touch").submit(path=str(tmp_path / "other"))
    assert other.result(S) is None
    until(done.exists)


def test_of_two_jobs_of_one_commit_an_idle_worker_takes_the_more_urgent(lone_chute):
    @lone_chute.job()
    def at():
        return time.monotonic()

    at.submit().result(S)  # the one worker is warm, and idle
    place = runtime.store().gate()
    place.enter()
    try:
        asked = [
            submitted(at.options(priority=priority), runtime.executor())
            for priority in (0, 9)
        ]
    finally:
        place.leave()
    (plain,), (urgent,) = (future.result(S) for future in asked)
    assert get_job(urgent).result(S) < get_job(plain).result(S)


def submitted(function, executor):
    """The future of a job that is put to an executor, and not waited for."""
    definition = function.definer.definition()
    job = submitting.new_job(function.definer, definition, {})
    return executor.submit(definition, [job])
