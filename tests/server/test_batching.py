"""Short questions share a thread's turn, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading

import pytest

from chutes_nb.errors import ChutesError
from chutes_nb.server.batching import Batches
from chutes_nb.server.desk import Desk


@pytest.fixture
def batches():
    made = Batches()
    yield made
    made.close()


async def test_what_comes_while_the_thread_is_busy_goes_in_one_turn(batches):
    gate, turns = threading.Event(), []

    def slow():
        gate.wait(60)
        return "slow"

    def quick(number):
        turns.append(threading.current_thread().name)
        return number

    first = asyncio.ensure_future(batches.ask(slow))
    await asyncio.sleep(0)  # it is asked
    await asyncio.sleep(0)  # it is sent
    rest = [asyncio.ensure_future(batches.ask(lambda n=n: quick(n))) for n in range(50)]
    await asyncio.sleep(0)
    gate.set()
    assert await first == "slow"
    assert await asyncio.gather(*rest) == list(range(50))
    assert len(set(turns)) == 1


async def test_an_error_goes_to_who_asked_for_it_alone(batches):
    def wrong():
        raise LookupError("no")

    answers = await asyncio.gather(
        batches.ask(lambda: 1),
        batches.ask(wrong),
        batches.ask(lambda: 2),
        return_exceptions=True,
    )
    assert answers[0] == 1
    assert isinstance(answers[1], LookupError)
    assert answers[2] == 2


async def test_who_goes_away_disturbs_nobody(batches):
    gate = threading.Event()
    gone = asyncio.ensure_future(batches.ask(lambda: gate.wait(60)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    other = asyncio.ensure_future(batches.ask(lambda: "there"))
    await asyncio.sleep(0)
    gone.cancel()
    gate.set()
    assert await other == "there"


async def test_a_question_behind_the_end_is_refused_and_hangs_nobody():
    batches = Batches()
    batches.close()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shutdown"):
            await asyncio.wait_for(batches.ask(lambda: 1), 60)


def test_the_most_streams_are_set_by_a_whole_number(monkeypatch):
    monkeypatch.setenv("CHUTES_NB_EVENT_STREAMS", "many")
    with pytest.raises(ChutesError, match="must be a whole number"):
        Desk()
    monkeypatch.setenv("CHUTES_NB_EVENT_STREAMS", "7")
    assert Desk().most_streams == 7
