"""The feed: whoever waits for news or for an end is woken, whoever brought it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from chutes_nb import runtime
from chutes_nb.codec import decode
from chutes_nb.policy import Ending, Verdict
from chutes_nb.states import State
from chutes_nb.store import jobs
from chutes_nb.store.feed import Feed
from chutes_nb.store.new import SHORT_BYTES
from interrupting import interrupted
from rows import NOW, WORKER, bring, claim, finish, queue, until

S = 30.0
ELSEWHERE = """
    import sys
    from pathlib import Path
    from chutes_nb.states import State
    from chutes_nb.store import Store
    sys.path.insert(0, sys.argv[2])
    from rows import finish, queue
    store = Store(Path(sys.argv[1]))
    if sys.argv[3] == "queue":
        queue(store)
    else:
        finish(store, sys.argv[3], State.COMPLETED)
    store.close()
"""


def elsewhere(store, what):
    """Another process that queues a job, or finishes one."""
    code = textwrap.dedent(ELSEWHERE)
    here = Path(__file__).parent
    subprocess.run(
        [sys.executable, "-c", code, store.home, here, what], check=True, timeout=30
    )


def test_waiting_ends_at_once_when_there_is_something_newer(store):
    queue(store)
    assert store.wait(0, timeout_s=60) == store.rev()


def test_a_nudge_between_a_look_and_the_wait_is_not_lost(monkeypatch):
    monkeypatch.setattr("chutes_nb.store.feed.FOREIGN_POLL_S", 60)
    revs = [1]

    def revision():
        seen = revs[-1]
        if seen == 1:  # a read takes its time, and nobody waits for it
            thread = threading.Thread(target=lambda: (revs.append(2), feed.nudge()))
            thread.start()
            thread.join(60)
            assert not thread.is_alive()
        return seen

    feed = Feed(revision, lambda jobs: set(jobs), lambda rev: [])
    assert feed.wait(1, timeout_s=60) == 2


def test_waiting_ends_with_its_time(store):
    rev = store.rev()
    began = time.monotonic()
    assert store.wait(rev, timeout_s=0.05) == rev
    assert time.monotonic() - began >= 0.05


def test_waiting_is_ended_by_another_thread(store):
    rev = store.rev()
    writer = threading.Thread(target=queue, args=(store,))
    writer.start()
    assert store.wait(rev, timeout_s=30) == rev + 1
    writer.join()


def test_waiting_is_ended_by_another_process(store):
    rev = store.rev()
    found = []
    waiter = threading.Thread(target=lambda: found.append(store.wait(rev, 30)))
    waiter.start()
    elsewhere(store, "queue")
    waiter.join(30)
    assert found == [rev + 1]


def test_the_end_of_an_ended_job_has_come(store):
    job = bring(store, State.FAILED)
    assert store.feed.when_ended(job).done()


def test_a_job_that_is_gone_has_ended(store):
    job = bring(store, State.COMPLETED)
    store.delete(job)
    assert store.feed.when_ended(job).done()


def test_the_end_of_a_job_is_told_by_a_nudge(store):
    job = bring(store, State.RUNNING)
    future = store.feed.when_ended(job)
    finish(store, job, State.COMPLETED)
    store.feed.nudge([job])
    assert future.result(0) is None


def test_the_end_by_another_process_is_noticed(store):
    job = bring(store, State.RUNNING)
    future = store.feed.when_ended(job)
    elsewhere(store, job)
    assert future.result(60) is None


def test_many_jobs_are_waited_for_by_one_thread(store):
    jobs = [queue(store) for _ in range(20)]
    futures = [store.feed.when_ended(job) for job in jobs]
    followers = [one for one in threading.enumerate() if one.name == "chutes-feed"]
    for job in jobs:
        assert claim(store) == job
        finish(store, job, State.COMPLETED)
    for future in futures:
        future.result(60)
    assert len(followers) == 1


def test_the_end_of_one_job_is_not_the_end_of_another(store):
    first, second = queue(store), queue(store)
    waiting = store.feed.when_ended(second)
    done = store.feed.when_ended(first)
    claim(store)
    finish(store, first, State.COMPLETED)
    done.result(60)
    assert not waiting.done()
    store.request_cancel(second, by="me")
    waiting.result(60)


def test_a_future_that_was_cancelled_harms_nobody(store):
    job = bring(store, State.RUNNING)
    dropped, kept = store.feed.when_ended(job), store.feed.when_ended(job)
    dropped.cancel()
    finish(store, job, State.COMPLETED)
    kept.result(60)


def test_a_future_that_was_cancelled_is_forgotten(store):
    job = bring(store, State.RUNNING)
    futures = [store.feed.when_ended(job) for _ in range(3)]
    for future in futures:
        future.cancel()
    assert store.feed._waiting == {}
    until(
        lambda: not [one for one in threading.enumerate() if one.name == "chutes-feed"]
    )


def test_a_job_that_is_deleted_in_the_moment_in_which_it_ends_is_told(store):
    job = bring(store, State.RUNNING)
    future, waiting = store.feed.when_ended(job), store.feed.when_returned(job)
    until(lambda: store.feed._follower is not None)
    with store.writing() as tx:  # as another process may between two looks of ours
        end = Ending(State.FAILED), Verdict(State.FAILED), NOW + 1
        jobs.finish(tx, job, 1, WORKER, *end)
        assert jobs.delete(tx, job)
    future.result(30)
    assert waiting.wait(30)


def test_who_was_told_once_is_told_for_good(store):
    job = bring(store, State.RUNNING)
    waiting = store.feed.when_returned(job)
    assert not waiting.wait(0)
    finish(store, job, State.COMPLETED)
    assert waiting.wait(30)
    running = bring(store, State.RUNNING)
    other = store.feed.when_returned(running)  # perhaps by its bell
    assert waiting.wait(0)
    assert not other.wait(0)
    store.feed.withdraw(running, other)


def test_the_follower_ends_when_nobody_waits(store):
    job = bring(store, State.RUNNING)
    future = store.feed.when_ended(job)
    finish(store, job, State.COMPLETED)
    future.result(60)
    until(
        lambda: not [one for one in threading.enumerate() if one.name == "chutes-feed"]
    )


@pytest.mark.parametrize("length", [10, 2 * SHORT_BYTES])
def test_who_waits_for_a_short_result_is_given_it_along(chute, tmp_path, length):
    gate = tmp_path / "gate"

    @chute.job
    def write(gate: str, length: int):
        while not os.path.exists(gate):
            time.sleep(0.01)
        return "x" * length

    job = write.submit(gate=str(gate), length=length)
    waiting = runtime.store().feed.when_returned(job.id)
    gate.touch()
    assert waiting.wait(30)
    found = waiting.result
    assert job.result(30) == "x" * length
    if length > SHORT_BYTES:
        assert found is None
    else:
        assert decode(found.kind, found.body) == "x" * length


def test_a_job_that_ends_badly_gives_no_result_along(chute, tmp_path):
    gate = tmp_path / "gate"

    @chute.job
    def stop(gate: str):
        while not os.path.exists(gate):
            time.sleep(0.01)
        raise ValueError("no")

    job = stop.submit(gate=str(gate))
    waiting = runtime.store().feed.when_returned(job.id)
    gate.touch()
    assert waiting.wait(30)
    assert waiting.result is None
    assert job.status == "failed"


def test_who_waits_no_more_is_forgotten(chute, tmp_path):
    gate = tmp_path / "gate"

    @chute.job
    def work(gate: str):
        while not os.path.exists(gate):
            time.sleep(0.01)
        return 1

    job, feed = work.submit(gate=str(gate)), runtime.store().feed
    for _ in range(3):
        with pytest.raises(TimeoutError):
            job.result(0)
        assert not job.wait(0.001)
    assert job.id not in feed._waiting
    gate.touch()
    assert job.result(30) == 1
    assert job.id not in feed._waiting


def test_who_waits_no_more_leaves_the_bell_to_the_next():
    feed = Feed(lambda: 1, set, lambda since: [])
    feed.expect(["job"])
    waiting = feed.when_returned("job")
    assert not waiting.wait(0)
    feed.withdraw("job", waiting)
    before = len(os.listdir("/dev/fd"))
    other = feed.when_returned("job")
    assert len(os.listdir("/dev/fd")) == before
    feed.withdraw("job", waiting)  # once more
    assert not other.wait(0)
    feed.nudge(["job"])
    assert other.wait(0)


def test_interrupts_at_any_moment_leave_the_feed_to_the_others():
    feed = Feed(lambda: 1, set, lambda since: [])
    feed.expect(["job"])

    def wait() -> None:
        waiting = feed.when_returned("job")
        try:
            waiting.wait(0)
        finally:
            feed.withdraw("job", waiting)
        feed.nudge()

    for _ in interrupted(wait, 300):
        told = threading.Thread(target=feed.nudge, daemon=True)
        told.start()
        told.join(S)
        assert not told.is_alive()


def test_an_interrupt_of_who_tells_an_end_costs_nobody_the_news():
    feed = Feed(lambda: 1, set, lambda since: [])
    feed.expect(["job"])
    first, other = feed.when_ended("job"), feed.when_returned("job")
    first.add_done_callback(lambda _: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        feed.nudge(["job"])
    assert other.wait(0)
