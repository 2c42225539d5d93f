"""Equal values have one hash in every process, so ``reuse`` outlives its kernel."""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
import subprocess
import sys
import textwrap

import numpy
import pytest

from chutes_nb.buffers import Hashes
from chutes_nb.digests import digest_of, digest_of_input

VALUES = """
    from pathlib import Path
    from chutes_nb.buffers import Hashes
    from chutes_nb.digests import digest_of, digest_of_input

    words = {"a", "bb", "ccc", "dddd", "eeeee"}
    values = [
        words,
        frozenset(words),
        {1, "a", None, ("b", frozenset(words))},
        {Path(word) for word in words},
        [{"deep": (words, [words])}],
    ]
    print([digest_of(value, Hashes()) for value in values])
    print([digest_of_input({"value": value}, b"") for value in values])
"""


def told(seed: int, code: str) -> str:
    """What a process prints whose texts have other hashes."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_sets_have_one_hash_in_every_process():
    assert told(1, VALUES) == told(2, VALUES) == told(3, VALUES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a", "b"}, {"a", "c"}),
        ({"a", "b"}, frozenset({"a", "b"})),
        ({"a", "b"}, ["a", "b"]),
        ({1, 2}, {"1", "2"}),
        ({b"a", "b"}, {"a", "b"}),
        ({("a", 1), "b"}, {("a", 2), "b"}),
    ],
)
def test_other_sets_have_another_hash(one, other):
    assert digest_of(one, Hashes()) != digest_of(other, Hashes())


def test_another_list_of_a_class_of_the_notebook_is_another_hash():
    class Named:
        names = ["a"]  # noqa: RUF012

    before = digest_of(Named(), Hashes())
    Named.names = ["b"]
    assert digest_of(Named(), Hashes()) != before


@pytest.mark.parametrize("value", [1, "a", [1, {"b": 2.5}], set(), {"only"}])
def test_without_an_order_to_lose_the_hash_is_that_of_the_pickle(value):
    body = pickle.dumps(value, protocol=5)
    assert digest_of(value, Hashes()) == hashlib.sha256(body).hexdigest()
    assert digest_of_input({"a": value}, b"body") == hashlib.sha256(b"body").hexdigest()


def test_an_array_beside_a_set_counts():
    one, other = ({"a", "b"}, numpy.zeros(100_000)), ({"a", "b"}, numpy.ones(100_000))
    digests = [digest_of_input({"a": value}, b"") for value in (one, other)]
    assert digests[0] != digests[1]


def test_sets_that_lead_to_each_other_are_hashed_at_once_and_by_what_they_hold():
    class Node:
        def __init__(self, n):
            self.n, self.near = n, set()

    layers = [[Node(0), Node(0)] for _ in range(60)]
    for upper, lower in itertools.pairwise(layers):
        for node in upper:
            node.near = set(lower)
    top = layers[0]
    layers[-1][0].near = {*top}  # and round
    before = digest_of(top, Hashes())
    layers[30][0].n = 1
    assert digest_of(top, Hashes()) != before


def test_a_set_that_is_in_itself_is_hashed_by_its_pickle():
    class Loop:
        pass

    loop = Loop()
    loop.kept = {loop, 1}
    assert digest_of_input({"a": loop}, b"body") == hashlib.sha256(b"body").hexdigest()


REUSED = """
    from chutes_nb import Chute
    chute = Chute(name="reused")
    EXT = {".png", ".jpg", ".gif", ".tif"}

    @chute.job(reuse=True)
    def uses(self, n: int):
        return [n, *sorted(EXT)]

    @chute.job(reuse=True)
    def takes(self, words: set):
        return sorted(words)

    words = {"a", "bb", "ccc", "dddd"}
    both = [
        uses.submit(n=1),
        takes.submit(words=words),
    ]
    print([job.id for job in both])
    for job in both:
        job.result(30)
"""


def test_reuse_finds_a_job_of_an_earlier_kernel_by_its_sets(own_chute):
    assert told(1, REUSED) == told(2, REUSED)
