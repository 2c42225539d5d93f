"""A worker that is alone writes only what is its own attempt's."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from chutes_nb.errors import StoreBusy, StoreFull
from chutes_nb.states import State
from chutes_nb.store import logs
from chutes_nb.worker.alone import Alone
from chutes_nb.worker.frames import Outcome, Task, Telling
from chutes_nb.worker.pulse import Pulse
from rows import claim, finish, queue, until

RESULT = {"kind": "json", "body": b"1", "blob": None, "type": "int", "view": None}


@pytest.fixture
def settled_and_claimed(store, tmp_path):
    """A worker whose first job is settled and whose second was claimed, not sent.

    Its executor committed both in one transaction and died before it could say so.
    """
    first, second = queue(store), queue(store)
    assert claim(store) == first
    finish(store, first, State.COMPLETED)
    assert claim(store) == second
    output = str(tmp_path / "output")
    task = Task(first, 1, 3, "work", "d1", "json", b"{}", None, 1.0, output)
    return task, second


def test_an_outcome_that_was_settled_does_not_end_the_next_job(
    store, settled_and_claimed
):
    task, second = settled_and_claimed
    outcome = Outcome(task.job, 1, "ok", result=RESULT | {"reported_failure": False})

    Alone(store, "worker-1", task).finish(outcome, None)

    assert store.status(second)["status"] == State.RUNNING


def test_a_cancel_of_the_next_job_does_not_stop_this_one(store, settled_and_claimed):
    task, second = settled_and_claimed
    store.request_cancel(second, by="a test")

    alone = Alone(store, "worker-1", task)
    assert alone.asked(alone.row()) is None


@pytest.fixture
def alone(store, tmp_path):
    """A worker that is alone with an attempt, and the file of its output."""
    job = queue(store)
    assert claim(store) == job
    output = tmp_path / "output"
    output.touch()
    task = Task(job, 1, 3, "work", "d1", "json", b"{}", None, 1.0, str(output))
    return Alone(store, "worker-1", task), output


def test_a_beat_does_not_wait_for_room_and_the_next_one_writes_all(store, alone):
    alone, output = alone
    output.write_text("words\n" * 800_000 + "loss=0.5\n")
    pages = store.log_reader.one("PRAGMA page_count")[0]
    store.log_reader.one(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull):
        alone.look()
    store.request_cancel(alone._task.job, by="a test")
    assert alone.asked(alone.row()) is not None
    store.log_reader.one("PRAGMA max_page_count = 1000000")
    until(alone.look)
    while alone.look():
        pass
    job = alone._task.job
    assert logs.end(store.log_reader, job, 1) == output.stat().st_size
    found = [tuple(one) for one in store.reader.all("SELECT name, value FROM metrics")]
    assert found == [("loss", 0.5)]


@pytest.fixture(params=[StoreFull, StoreBusy])
def look_in_vain(request, monkeypatch):
    """Beats that can write nothing, and may not wait until they can."""

    def wait(seconds):
        pytest.fail("a beat waits")

    def refuse(*look):
        raise request.param

    def beat(alone):
        with monkeypatch.context() as patch, pytest.raises(request.param):
            patch.setattr("chutes_nb.worker.alone._record", refuse)
            alone.look()

    clock = SimpleNamespace(monotonic=time.monotonic, time=time.time, sleep=wait)
    monkeypatch.setattr("chutes_nb.worker.alone.time", clock)
    return beat


def fall_silent(alone):
    """Let it be a thousand seconds since the last of several signs of life."""
    for ago in (1002.0, 1001.0, 1000.0):
        alone._capture._silence.broken(time.monotonic() - ago)


def test_a_beat_does_not_wait_to_say_that_a_job_is_silent(store, alone, look_in_vain):
    alone, _ = alone
    began = time.time()
    fall_silent(alone)
    look_in_vain(alone)
    look_in_vain(alone)
    alone._owed_at -= 500.0  # as if it had been so long ago
    assert alone.look() is True
    quiet_since = store.status(alone._task.job)["quiet_since"]
    assert began - 1510.0 < quiet_since <= began - 1490.0
    assert alone.look() is False


def test_output_that_follows_ends_a_silence_that_could_not_be_told(
    store, alone, look_in_vain
):
    alone, output = alone
    fall_silent(alone)
    look_in_vain(alone)
    output.write_text("a word\n")
    assert alone.look() is True
    assert store.status(alone._task.job)["quiet_since"] is None


def test_what_a_last_line_says_is_written_once_there_is_room(
    store, alone, look_in_vain
):
    alone, output = alone
    output.write_text("step 3/10")
    assert alone.look() is True
    look_in_vain(alone)  # the line is whole as it stands
    look_in_vain(alone)
    with output.open("a") as file:
        file.write("\nloss=0.25\n")
    look_in_vain(alone)
    until(lambda: alone.look() and alone._capture.has(output.stat().st_size))
    while alone.look():
        pass
    found = [one["value"] for one in store.reader.all("SELECT value FROM metrics")]
    assert found == [0.25]
    assert store.status(alone._task.job)["progress"]["done"] == 3


def test_what_is_told_is_not_followed_by_what_was_read_before(
    store, alone, look_in_vain
):
    alone, output = alone
    output.write_text("step 3/10")
    assert alone.look() is True
    look_in_vain(alone)
    told = {"done": 5, "total": 10, "message": None, "unit": None}
    alone.tell([Telling("progress", told)])
    while alone.look():
        pass
    assert store.status(alone._task.job)["progress"]["done"] == 5


@pytest.fixture
def pulse(store, alone):
    """The pulse of a worker that has just lost its executor."""
    task = alone[0]._task
    worker = SimpleNamespace(
        id="worker-1",
        store=store,
        line=None,
        place=SimpleNamespace(told=f"{task.output}.told", leave_note=lambda *a: None),
        guard=SimpleNamespace(has_lost=lambda: False, is_harmed=lambda: False),
        is_heard=lambda: True,
        answer=lambda timeout_s: False,
        kill_started=lambda: None,
    )
    pulse = Pulse(worker)
    pulse.task = pulse._last_task = task
    return pulse


def partials(store):
    return store.reader.one("SELECT count(*) FROM partials")[0]


def test_a_first_beat_beside_a_store_that_cannot_be_read_loses_nothing(
    store, pulse, monkeypatch
):
    job, signals = pulse.task.job, []

    def refuse(*where):
        raise StoreBusy

    name = "chutes_nb.worker.pulse.signal_group"
    monkeypatch.setattr(name, lambda *signal: signals.append(signal))
    pulse.tell(Telling("partial", ("json", b"1")))
    store.request_cancel(job, by="a test")
    with monkeypatch.context() as patch, pytest.raises(StoreBusy):
        patch.setattr(logs, "end", refuse)
        pulse._beat()
    assert pulse.asked is not None  # the cancel was seen all the same
    assert signals
    assert partials(store) == 0
    pulse._beat()
    assert partials(store) == 1


def test_a_worker_that_cannot_be_alone_yet_loses_nothing(store, pulse, monkeypatch):
    def refuse(*whom):
        raise StoreBusy

    pulse.tell(Telling("partial", ("json", b"1")))
    with monkeypatch.context() as patch, pytest.raises(StoreBusy):
        patch.setattr("chutes_nb.worker.pulse.Alone", refuse)
        pulse._beat()
    pulse._beat()
    assert partials(store) == 1


def test_the_end_waits_for_room(store, alone):
    alone, output = alone
    output.write_text("x" * 5_000_000)
    pages = store.log_reader.one("PRAGMA page_count")[0]
    store.log_reader.one(f"PRAGMA max_page_count = {pages}")
    looked = []

    def room(seconds):
        looked.append(seconds)
        store.log_reader.one("PRAGMA max_page_count = 1000000")

    outcome = Outcome(alone._task.job, 1, "ok", result=RESULT | {"reported_failure": 0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chutes_nb.worker.alone.time.sleep", room)
        alone.finish(outcome, None)
    assert looked
    assert store.status(alone._task.job)["status"] == State.COMPLETED
