"""Two stores on one home, in any order of calls, are one store: held by a model."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chutes_nb.errors import MoveRefused
from chutes_nb.policy import Ending
from chutes_nb.states import ENDED, State
from chutes_nb.store import Store, fleet, jobs, settling
from rows import DEFINITION, add_crew, queue

DELAY_S = 2.0
POLICY = json.dumps({"delay_s": DELAY_S, "backoff": 1.0})
CREW = {"one": ("one-a", "one-b"), "two": ("two-a", "two-b")}
WAITING = (State.QUEUED, State.RETRYING)


@dataclass
class Model:
    """What is known of one job."""

    seq: int
    executor: str
    max_attempts: int
    priority: int
    deadline_at: float | None
    state: State = State.QUEUED
    attempt: int = 0
    worker: str | None = None
    not_before: float = 0.0
    timeout_s: float = 10.0
    is_cancelled: bool = False

    def is_ready(self, executor: str, now: float) -> bool:
        is_due = self.not_before <= now
        is_late = self.deadline_at is not None and self.deadline_at <= now
        waits = self.state in WAITING and self.executor == executor
        return waits and is_due and not is_late and self.attempt < self.max_attempts


class TwoStores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.stores = [Store(self.folder / "home"), Store(self.folder / "home")]
        with self.stores[0].writing() as tx:
            for executor, workers in CREW.items():
                add_crew(tx, executor, *workers)
            jobs.add_definition(tx, DEFINITION)
        self.now = 1_000.0
        self.model: dict[str, Model] = {}
        self.tasks: list[tuple[jobs.Row, str]] = []
        self.alive = dict.fromkeys(CREW, True)
        self.told: list[dict[str, str]] = [{}, {}]
        self.seen = [0, 0]

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        shutil.rmtree(self.folder)

    def job(self, pick: int) -> tuple[str, Model]:
        names = list(self.model)
        name = names[pick % len(names)]
        return name, self.model[name]

    # -- rules -------------------------------------------------------------------
    @rule(
        which=st.booleans(),
        executor=st.sampled_from(sorted(CREW)),
        retries=st.integers(0, 2),
        priority=st.integers(-1, 1),
        span=st.none() | st.floats(0.5, 9.0),
    )
    def submit(
        self,
        which: bool,
        executor: str,
        retries: int,
        priority: int,
        span: float | None,
    ) -> None:
        deadline_at = None if span is None else self.now + span
        name = queue(
            self.stores[which],
            executor=executor,
            max_attempts=1 + retries,
            priority=priority,
            deadline_at=deadline_at,
            timeout_s=10.0,
            policy=POLICY,
        )
        self.model[name] = Model(
            len(self.model), executor, 1 + retries, priority, deadline_at
        )

    @rule(seconds=st.floats(0.1, 3.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(which=st.booleans(), worker=st.sampled_from(sum(CREW.values(), ())))
    def claim(self, which: bool, worker: str) -> None:
        executor = worker.split("-")[0]
        if any(one.worker == worker for one in self.model.values()):
            return  # it has an attempt
        ready = [
            (-one.priority, one.seq, name)
            for name, one in self.model.items()
            if one.is_ready(executor, self.now)
        ]
        with self.stores[which].writing() as tx:
            row = jobs.claim(tx, executor, worker, "out", self.now)
        assert (None if row is None else row["id"]) == (
            min(ready)[2] if ready else None
        )
        if row is not None:
            one = self.model[row["id"]]
            one.state, one.worker, one.attempt = State.RUNNING, worker, one.attempt + 1
            assert row["attempt"] == one.attempt
            self.tasks.append((row, worker))

    @precondition(lambda self: self.tasks)
    @rule(
        which=st.booleans(),
        pick=st.integers(0, 99),
        end=st.sampled_from(["completed", "failed", "timeout", "interrupted"]),
    )
    def finish(self, which: bool, pick: int, end: str) -> None:
        """End any attempt that ever was: only the live one may be."""
        row, worker = self.tasks[pick % len(self.tasks)]
        one = self.model[row["id"]]
        is_live = one.state is State.RUNNING and one.worker == worker
        is_live = is_live and one.attempt == row["attempt"]
        ending = Ending(State(end))
        result = jobs.NewResult("json", b"1", "int") if end == "completed" else None
        try:
            with self.stores[which].writing() as tx:
                settling.finish_attempt(tx, row, worker, ending, self.now, result)
        except MoveRefused:
            assert not is_live
            return
        assert is_live
        self._end(one, State(end))

    def _end(self, one: Model, end: State) -> None:
        one.worker = None
        if one.is_cancelled and end in (State.FAILED, State.INTERRUPTED):
            end = State.CANCELLED
        due = self.now + DELAY_S
        may_retry = end in (State.FAILED, State.INTERRUPTED)
        if may_retry and one.attempt < one.max_attempts:
            one.state, one.not_before = State.RETRYING, due
        else:
            one.state = end

    @precondition(lambda self: self.model)
    @rule(which=st.booleans(), pick=st.integers(0, 99))
    def cancel(self, which: bool, pick: int) -> None:
        name, one = self.job(pick)
        asked = self.stores[which].request_cancel(name, by="a test")
        assert asked == (one.state not in ENDED)
        if one.state in WAITING:
            one.state = State.CANCELLED
        one.is_cancelled |= one.state is State.RUNNING

    @precondition(lambda self: self.model)
    @rule(which=st.booleans(), pick=st.integers(0, 99), seconds=st.integers(1, 9))
    def extend(self, which: bool, pick: int, seconds: int) -> None:
        name, one = self.job(pick)
        is_running = one.state is State.RUNNING
        assert self.stores[which].request_extend(name, seconds) == is_running
        one.timeout_s += seconds if is_running else 0

    @rule(which=st.booleans(), dead=st.sampled_from(sorted(CREW)))
    def inherit(self, which: bool, dead: str) -> None:
        """One executor takes over from the other, again and again."""
        heir = "two" if dead == "one" else "one"
        with self.stores[which].writing() as tx:
            moved, _ = fleet.inherit(tx, dead, heir, self.now)
        left = [
            one
            for one in self.model.values()
            if one.executor == dead and one.state not in ENDED
        ]
        assert moved == len(left)
        for one in left:
            one.executor = heir

    @rule(which=st.booleans(), worker=st.sampled_from(sum(CREW.values(), ())))
    def bury(self, which: bool, worker: str) -> None:
        """A worker with an attempt is never recorded as ended."""
        store = self.stores[which]
        with store.writing() as tx:
            fleet.end_worker(tx, worker, self.now)
            is_there = tx.one(
                "SELECT 1 FROM workers WHERE id = :id AND ended_at IS NULL",
                {"id": worker},
            )
            tx.run("UPDATE workers SET ended_at = NULL WHERE id = :id", {"id": worker})
        has_attempt = any(one.worker == worker for one in self.model.values())
        assert bool(is_there) == has_attempt

    @rule(which=st.booleans(), limit=st.integers(1, 4))
    def follow(self, which: bool, limit: int) -> None:
        """Read on from where this store's reader was, in small pages."""
        page = self.stores[which].changes(self.seen[which], limit)
        for move in page["moves"]:
            assert self.told[which].get(move["job_id"]) == move["from"]
            self.told[which][move["job_id"]] = move["to"]
        self.seen[which] = page["rev"]
        if not page["more"]:
            now = {name: str(one.state) for name, one in self.model.items()}
            assert self.told[which] == now

    # -- always --------------------------------------------------------------------
    @invariant()
    def both_stores_say_what_the_model_says(self) -> None:
        wanted = {name: one.state for name, one in self.model.items()}
        for store in self.stores:
            found, _ = store.jobs(limit=1000)
            assert {one["job_id"]: one["status"] for one in found} == wanted
            assert {one["job_id"]: one["timeout_s"] for one in found} == {
                name: one.timeout_s for name, one in self.model.items()
            }
            states = list(wanted.values())
            assert store.counts() == {state: states.count(state) for state in State}


TestTwoStores = TwoStores.TestCase
TestTwoStores.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestTwoStores.pytestmark = [pytest.mark.timeout(120)]
