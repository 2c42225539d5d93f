"""What a job takes along beside its function is what it is at the submit."""

from __future__ import annotations

import threading

import pytest

from chutes_nb import Chute, DefinitionError, PermanentError

S = 20.0


@pytest.fixture
def own():
    return Chute(username="u", name="surroundings")


def test_an_attribute_of_the_chute_that_was_set_again_is_read_as_it_is_now(own):
    @own.job
    def read(self):
        return self.rate

    own.rate = sum((0.25, 0.5))
    assert read.submit().result(S) == 0.75
    was = id(own.rate)
    for n in range(1000):  # the id of a value that is gone comes to mean another
        own.rate = n / 7
        if id(own.rate) == was:
            break
    assert read.submit().result(S) == own.rate


def test_a_hook_runs_again_where_what_it_uses_was_defined_anew(own):
    path, sizes = "first", {"n": 1}

    def older():
        return "old"

    helper = older

    @own.on_startup()
    def load(self):
        self.model = (path, sizes["n"], helper())

    @own.job
    def read(self):
        return self.model

    assert read.submit().result(S) == ("first", 1, "old")
    path = "second"
    assert read.submit().result(S) == ("second", 1, "old")
    sizes["n"] = 2
    assert read.submit().result(S) == ("second", 2, "old")

    def newer():
        return "new"

    helper = newer
    assert read.submit().result(S) == ("second", 2, "new")


def test_retry_on_judges_by_what_it_uses_now(own):
    word = "x"

    @own.job(retry=1, retry_delay=0, retry_on=lambda error: word in str(error))
    def fail():
        raise ValueError("y")

    job = fail.submit()
    assert job.wait(S)
    assert len(job.attempts) == 1
    word = "y"
    job = fail.submit()
    assert job.wait(S)
    assert len(job.attempts) == 2


def test_what_of_a_chute_cannot_travel_is_named(own):
    @own.job(retry_on=PermanentError)
    def work(self):
        return self.limit

    own.limit, own.guard = 3, threading.Lock()
    with pytest.raises(DefinitionError, match=r"attribute guard, a lock, cannot"):
        work.submit()
    own.guard = None
    assert work.submit().result(S) == 3
