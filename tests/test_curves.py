"""A curve stays small enough to be kept and drawn, and ends where it ended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chutes_nb.reading import Thinner

S = 60.0


def thinned(count, most):
    thinner = Thinner(most)
    points = [("loss", n, 0.5) for n in range(count)]
    kept = [point for point in points if thinner.take(point)]
    return [point[1] for point in kept + thinner.finish()]


def test_a_curve_of_usual_length_is_kept_whole():
    assert thinned(10_000, 10_000) == list(range(10_000))


def test_the_longer_a_curve_the_fewer_of_its_points_stay():
    assert thinned(30, 8) == [*range(8), 8, 10, 12, 14, 16, 20, 24, 28, 29]


@given(st.integers(1, 5_000), st.integers(1, 50))
def test_a_curve_is_bounded_ordered_and_has_both_ends(count, most):
    steps = thinned(count, most)
    assert (steps[0], steps[-1]) == (0, count - 1)
    assert steps == sorted(set(steps))
    assert len(steps) <= most * (2 + (count // most).bit_length()) + 1


def test_curves_are_thinned_by_name():
    thinner = Thinner(1)
    assert thinner.take(("a", 0, 0.0))
    assert thinner.take(("b", 0, 0.0))


def test_a_name_for_each_point_is_no_curve():
    thinner = Thinner()
    kept = [thinner.take((f"loss{n}", 0, 0.0)) for n in range(2_000)]
    assert sum(point is not None for point in kept) == 1_000


def test_a_job_that_logs_without_end_leaves_a_bounded_curve(chute):
    @chute.job
    def work(self):
        for n in range(30_000):
            self.log(n, loss=1 / (n + 1))

    job = work.submit()
    job.result(S)
    loss = job.metrics["loss"]
    assert 10_000 < len(loss) < 20_001
    assert (loss[0][0], loss[-1][0]) == (0, 29_999)
