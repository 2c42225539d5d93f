"""A job that both logs and prints its metrics has each of them once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from chutes_nb import runtime
from chutes_nb.reading import Doubled, Metric
from chutes_nb.reading.doubled import MOST_HELD
from rows import until

S = 30.0


def read(name, count):
    return [Metric(name, float(n), 1 / (n + 1)) for n in range(count)]


def test_what_is_told_first_is_not_read():
    doubled = Doubled()
    assert doubled.told([("metric", ("loss", None, 0.5)), ("stage", "fit")]) == []
    assert doubled.left([*read("Loss", 2), *read("acc", 1)]) == read("acc", 1)


def test_what_was_read_before_it_was_told_goes():
    doubled = Doubled()
    assert doubled.left(read("loss", 2)) == read("loss", 2)
    assert doubled.told([("metric", ("loss", 0.0, 0.5))]) == [
        ("loss", 0.0, 1.0),
        ("loss", 1.0, 0.5),
    ]
    assert doubled.told([("metric", ("loss", 1.0, 0.4))]) == []


def test_much_that_was_read_before_stays():
    doubled = Doubled()
    doubled.left(read("loss", MOST_HELD + 1))
    assert doubled.told([("metric", ("loss", 0.0, 0.5))]) == []


@pytest.mark.parametrize("executor", ["process", "kernel"])
@pytest.mark.parametrize("is_slow", [False, True])
def test_a_loop_that_prints_and_logs_has_one_curve(chute, executor, is_slow):
    @chute.job(executor=executor)
    def fit(self, pause_s: float):
        for n in range(12):
            print(f"Epoch {n + 1}: loss = {1 / (n + 1):.3f}, lr = 0.1", flush=True)
            time.sleep(pause_s)
            self.log(loss=1 / (n + 1))

    job = fit.submit(pause_s=0.03 if is_slow else 0.0)
    job.result(S)
    assert job.metrics["loss"] == [(None, 1 / (n + 1)) for n in range(12)]
    assert len(job.metrics["lr"]) == 12


def test_a_metric_that_is_logged_at_the_end_only_is_that_alone(chute):
    @chute.job
    def fit(self):
        print("Epoch 1: loss = 0.5", flush=True)
        gate = self.output_dir / "gate"
        while not gate.exists():
            time.sleep(0.01)
        gate.unlink()
        self.log(step=7, loss=0.25)

    job = fit.submit()
    until(lambda: job.metrics.get("loss") == [(1.0, 0.5)])
    worker = runtime.executor().handles
    folders = [Path(os.readlink(f"/proc/{one.identity.pid}/cwd")) for one in worker]
    for folder in folders:
        (folder / "output" / "gate").touch()
    job.result(S)
    assert job.metrics["loss"] == [(7.0, 0.25)]


def test_it_is_so_while_no_executor_lives(own_chute, tmp_path):
    gate = tmp_path / "gate"

    @own_chute.job
    def fit(self, gate: str):
        n = 0
        while not os.path.exists(gate):
            n += 1
            print(f"Epoch {n}: loss = {1 / n}", flush=True)
            self.log(loss=1 / n)
            time.sleep(0.02)
        return n

    job = fit.submit(gate=str(gate))
    until(lambda: len(job.metrics.get("loss", ())) > 3)
    runtime.stop()
    seen = len(job.metrics["loss"])
    until(lambda: len(job.metrics["loss"]) > seen + 10)
    gate.touch()
    n = job.result(S)
    assert job.metrics["loss"] == [(None, 1 / (k + 1)) for k in range(n)]
