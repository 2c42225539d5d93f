"""What is defined outside of a notebook is known by its name at once, if it can be."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import pytest

from chutes_nb import Job, orders, runtime
from chutes_nb.processes import WORKER_MARK
from chutes_nb.store import intake

S = 60.0


def known(name: str) -> list[str]:
    rows = intake.newest_definitions(runtime.store().reader, name)
    return [row["chute"] for row in rows]


def no_uploads() -> NoReturn:
    raise AssertionError("this payload names no upload")


def test_what_a_script_defines_is_known_before_its_first_submit(own_chute):
    @own_chute.job
    def shift_by_one(n: int) -> int:
        return n + 1

    assert known("shift_by_one") == [own_chute.name]


def test_a_function_that_uses_what_comes_below_it_is_known_by_its_submit(own_chute):
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("def shift_by_below(n):\n    return below(n)", space)
    shift = own_chute.job(space["shift_by_below"])
    assert known("shift_by_below") == []
    exec("def below(n):\n    return n + 2", space)
    assert shift.submit(n=1).result(S) == 3
    assert known("shift_by_below") == [own_chute.name]


def test_a_hook_below_a_job_is_known_with_it(own_chute):
    @own_chute.job
    def model_and_more(self, n: int) -> int:
        return self.model + n

    @own_chute.on_startup()
    def load(chute):
        chute.model = 40

    store = runtime.store()
    newest = orders.definition_named(store, "model_and_more", own_chute.name)
    order = orders.Order(newest, {"n": 2})
    queued = orders.take_in(store, no_uploads, order)
    runtime.executor()
    assert Job(queued.job, store).result(S) == 42


def test_one_that_carries_much_is_known_by_the_submit_that_says_so(own_chute):
    large = np.zeros(100_000)

    @own_chute.job
    def total_of_large() -> float:
        return float(large.sum())

    assert known("total_of_large") == []
    assert total_of_large.submit().result(S) == 0.0
    assert known("total_of_large") == [own_chute.name]


def test_one_whose_hook_carries_much_or_uses_what_comes_below_waits_too(own_chute):
    large = np.zeros(100_000)

    @own_chute.on_startup()
    def load(chute):
        chute.total = float(large.sum())

    @own_chute.job
    def total_of_hook(self) -> float:
        return self.total

    space: dict[str, Any] = {"__name__": "__main__"}
    exec("def load(chute):\n    chute.total = below()", space)
    assert known("total_of_hook") == []
    space["load"].__qualname__ = load.__qualname__  # it is defined again
    own_chute.on_startup(space["load"])
    assert known("total_of_hook") == []
    exec("def below():\n    return 5.0", space)
    assert total_of_hook.submit().result(S) == 5.0
    assert known("total_of_hook") == [own_chute.name]


def test_one_whose_chute_carries_much_waits_too(own_chute):
    own_chute.table = ["row"] * 100_000

    @own_chute.job
    def rows_of_chute(self) -> int:
        return len(self.table)

    assert known("rows_of_chute") == []


@pytest.mark.parametrize("lane", ["kernel", "dask"])
def test_what_runs_elsewhere_is_known_by_its_submit(own_chute, lane):
    def stays_where_it_is() -> None:
        pass

    own_chute.job(executor=lane)(stays_where_it_is)
    assert known("stays_where_it_is") == []


def test_a_worker_that_imports_a_module_with_jobs_writes_none(own_chute, monkeypatch):
    monkeypatch.setenv(WORKER_MARK, "some worker")

    @own_chute.job
    def made_in_a_worker() -> None:
        pass

    assert known("made_in_a_worker") == []


def test_nobody_waits_for_a_writer_while_a_module_loads(own_chute):
    @own_chute.job
    def before_the_writer() -> None:
        pass

    with runtime.store().writing():

        @own_chute.job
        def beside_the_writer() -> None:
            pass

    assert known("before_the_writer") == [own_chute.name]
    assert known("beside_the_writer") == []
