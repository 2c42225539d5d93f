"""Large checkpoints, states and partial results are files; the last one stays."""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from chutes_nb.states import State
from chutes_nb.store import blobs
from rows import bring, until

S = 60.0
MEGA = 1 << 20


def files(store, job):
    place = store.home / "kept" / job
    return sorted(one.name for one in place.iterdir()) if place.exists() else []


def test_a_small_checkpoint_needs_no_file(store):
    job = bring(store, State.RUNNING)
    store.save_checkpoint(job, 1, None, "json", b"1")
    assert store.load_checkpoint(job) == ("json", b"1")
    assert files(store, job) == []


def test_of_large_checkpoints_the_last_one_stays(store):
    job = bring(store, State.RUNNING)
    for n in range(5):
        store.save_checkpoint(job, 1, n, "pickle", bytes([n]) * 2 * MEGA)
    assert store.load_checkpoint(job) == ("pickle", b"\x04" * 2 * MEGA)
    assert len(files(store, job)) == 1


def test_another_job_begins_at_a_large_checkpoint_that_outlives_its_job(own_chute):
    @own_chute.job
    def train(self):
        model = self.restore(None)
        if model is None:
            self.checkpoint(np.ones(MEGA))
            raise ValueError("once")
        return float(model.sum())

    old = train.submit()
    old.wait(S)
    new = old.retry()
    assert new.result(S) == MEGA
    store = new._store
    store.delete(old.id)
    assert store.load_checkpoint(new.id) is not None
    store.delete(new.id)
    store.prune()
    assert not any((store.home / "kept").iterdir())


def test_a_large_state_is_exact_live_and_after_the_run(own_chute, tmp_path):
    @own_chute.job
    def work(self, gate: str):
        self.weights = np.zeros(MEGA)
        self.epoch = 0
        for n in range(3):
            self.weights[:] = n
            self.epoch = n
        while not os.path.exists(gate):
            time.sleep(0.01)
        self.weights[:] = 7

    job = work.submit(gate=str(tmp_path / "gate"))
    until(lambda: is_at(job.state, 2), S)  # a look may fall between two assignments
    (tmp_path / "gate").touch()
    job.result(S)
    assert job.state["weights"].mean() == 7
    assert len(files(job._store, job.id)) <= 2
    assert len(job._store.detail(job.id)["state"]) == 2


def is_at(state, epoch):
    """Whether both values of a state are those of an epoch, each as it was."""
    return state.get("epoch") == epoch and (state["weights"] == epoch).all()


def test_what_no_pickle_takes_is_shown_by_its_repr(own_chute):
    @own_chute.job
    def work(self):
        self.stream = open("stream.txt", "w")  # noqa: SIM115
        self.epoch = 3
        self.generator = (n for n in range(3))

    job = work.submit()
    job.result(S)
    assert job.state["epoch"] == 3
    assert job.state["stream"].startswith("<_io.TextIOWrapper")
    assert job.state["generator"].startswith("<generator object")


def test_a_large_partial_result_is_read_as_it_was(own_chute):
    @own_chute.job
    def work(self):
        self.emit(np.arange(MEGA))
        self.emit("small")

    job = work.submit()
    job.result(S)
    first, second = job.partial
    assert (first.shape, second) == ((MEGA,), "small")
    job._store.prune()
    assert len(job.partial) == 2


def test_an_endless_state_is_bounded_on_the_disk(store):
    job = bring(store, State.RUNNING)
    for n in range(10):
        file = store.large.put(job, "state-1", bytes([n]) * 10)
        store.large.drop_older(file, keep=2)
    assert len(files(store, job)) == 2
    assert store.large.read(file) == b"\x09" * 10


def test_a_checkpoint_whose_writer_was_killed_leaves_the_last_one(store):
    job = bring(store, State.RUNNING)
    store.save_checkpoint(job, 1, 1, "pickle", b"a" * 2 * MEGA)
    store.large.put(job, "checkpoint", b"b")  # the row was not committed any more
    assert store.load_checkpoint(job) == ("pickle", b"a" * 2 * MEGA)
    store.save_checkpoint(job, 1, 2, "pickle", b"c" * 2 * MEGA)
    assert len(files(store, job)) == 1


def test_a_checkpoint_whose_file_is_gone_is_an_error_that_names_it(store):
    job = bring(store, State.RUNNING)
    store.save_checkpoint(job, 1, 1, "pickle", b"a" * 2 * MEGA)
    (store.home / "kept" / job / files(store, job)[0]).unlink()
    with pytest.raises(FileNotFoundError, match="checkpoint"):
        store.load_checkpoint(job)


def test_a_checkpoint_that_is_replaced_while_it_is_read_is_the_newer_one(
    store, monkeypatch
):
    job = bring(store, State.RUNNING)
    store.save_checkpoint(job, 1, 1, "pickle", b"a" * 2 * MEGA)
    read = store.large.read

    def read_late(file):
        monkeypatch.undo()
        store.save_checkpoint(job, 1, 2, "pickle", b"b" * 2 * MEGA)
        return read(file)

    monkeypatch.setattr(store.large, "read", read_late)
    assert store.load_checkpoint(job) == ("pickle", b"b" * 2 * MEGA)


@pytest.mark.parametrize("size", [0, 5, 3 * MEGA, 17 * MEGA + 4097])
@pytest.mark.parametrize("folder", ["disk", "memory"])
def test_memory_that_is_written_past_the_cache_is_kept_whole(
    tmp_path, monkeypatch, size, folder
):
    if folder == "memory":
        if not os.path.isdir("/dev/shm"):
            pytest.skip("no folder in memory: there is no /dev/shm")
        monkeypatch.setattr("tempfile.tempdir", "/dev/shm")
    monkeypatch.setattr(blobs, "PAST_CACHE_BYTES", 0)
    raw = random.Random(size).randbytes(size)
    with tempfile.TemporaryDirectory(dir=None if folder == "memory" else tmp_path) as d:
        kept = blobs.keep_memory(memoryview(raw), Path(d))
        assert kept == (hashlib.sha256(raw).hexdigest(), size)
        assert blobs.blob_path(Path(d), kept.sha256).read_bytes() == raw
