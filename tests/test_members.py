"""A class of the user's below ``Chute``: what it defines, its jobs have."""

from __future__ import annotations

import pytest

from chutes_nb import Chute, runtime

S = 20.0


class Base(Chute):
    threshold = 5
    model = None

    def doubled(self, n):
        self.progress(n, 10)
        self.seen = 2 * n + self.threshold
        return self.seen

    @property
    def label(self):
        return f"{self.name}-{self.threshold}"

    @staticmethod
    def plain(n):
        return n + 1

    @classmethod
    def at_first(cls):
        return cls.threshold


class Mine(Base):
    threshold = 7


@pytest.fixture
def mine():
    yield Mine(name="mine")
    runtime.stop()


def reading(chute, lane):
    @chute.job(executor=lane)
    def read(self, n: int):
        return [self.doubled(n), self.label, self.plain(n), self.at_first(), self.model]

    return read


@pytest.fixture(params=["process", "kernel"])
def lane(request):
    return request.param


def test_a_job_has_the_methods_of_its_chutes_class_with_the_verbs_of_its_run(
    mine, lane
):
    job = reading(mine, lane).submit(n=3)
    assert job.result(S) == [13, "mine-7", 4, 7, None]
    assert job.state == {"seen": 13}
    assert (job.progress.done, job.progress.total) == (3, 10)


def test_what_is_set_on_the_chute_goes_before_its_class(mine, lane):
    mine.threshold = 9
    assert mine.threshold == 9
    assert reading(mine, lane).submit(n=3).result(S) == [15, "mine-9", 4, 7, None]


def test_a_hook_sets_what_the_class_holds_a_place_for(mine, lane):
    @mine.on_startup()
    def load(chute):
        chute.model = chute.plain(40)

    assert reading(mine, lane).submit(n=3).result(S)[-1] == 41
    assert mine.model is None  # a model is loaded where the jobs are


def test_a_direct_call_has_them_too(mine):
    @mine.on_startup()
    def load(chute):
        chute.model = "loaded"

    assert reading(mine, "process")(3) == [13, "mine-7", 4, 7, "loaded"]


def test_a_property_of_the_class_is_set_by_its_own_rules(mine):
    with pytest.raises(AttributeError, match="label"):
        mine.label = "other"


def test_a_method_that_is_changed_is_so_for_the_next_submit(mine):
    read = reading(mine, "process")
    assert read.submit(n=1).result(S)[2] == 2
    Mine.plain = staticmethod(lambda n: n + 10)
    try:
        assert read.submit(n=1).result(S)[2] == 11
    finally:
        del Mine.plain


@pytest.mark.parametrize("lane", ["process", "kernel"])
def test_a_job_is_reused_while_what_it_reads_of_its_chute_stays(mine, lane):
    @mine.job(reuse=True, executor=lane)
    def read(self):
        return self.doubled(2)  # which reads the threshold

    first = read.submit()
    assert first.result(S) == 11
    mine.unread = 1
    assert read.submit().id == first.id
    mine.threshold = 8
    second = read.submit()
    assert (second.id != first.id, second.result(S)) == (True, 12)
    mine.threshold = 7
    assert read.submit().id == first.id
