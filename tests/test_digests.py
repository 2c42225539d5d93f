"""Equal values have one hash in every process, so ``reuse`` outlives its kernel."""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
import subprocess
import sys
import textwrap
from typing import Any

import numpy
import pytest

from chutes_nb.buffers import Hashes
from chutes_nb.codec import encode
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


class Loop:
    """Something that is found by its name."""


def test_a_set_that_is_in_itself_is_hashed_by_its_pickle():
    loop = Loop()
    loop.kept = {loop, 1}
    assert digest_of_input({"a": loop}, b"body") == hashlib.sha256(b"body").hexdigest()


NOTEBOOK = """
import dataclasses, enum, typing
from pydantic import BaseModel

T = typing.TypeVar("T")
SCALE = 1
NAMES = {"a", "bb", "ccc"}

class Kind(enum.Enum):
    ONE = "one"

class Base(typing.Generic[T]):
    sizes: typing.ClassVar = {"s", "m", "xl"}

    def size(self):
        return SCALE, NAMES

class Own(Base[int]):
    usual = None

    def __init__(self):
        self.first, self.second, self.third = 1, 2, 3

Own.usual = Own()

@dataclasses.dataclass
class Plan:
    steps: int = 10
    kind: Kind = Kind.ONE

class Config(BaseModel):
    name: str = "a"
    rate: float = 0.5
    kind: Kind = Kind.ONE

    def doubled(self):
        return self.rate * 2

def scaled(by):
    def scale(n):
        return n * by + SCALE
    return scale

values = [
    Kind.ONE, Own(), Plan(), Config(name="b", rate=1), scaled(2), lambda n: n + 1, Plan,
    Own().size,
]
"""


def values_of(notebook: str) -> list[str]:
    """Hashes of the values that a notebook makes."""
    made: dict[str, Any] = {"__name__": "__main__"}
    exec(notebook, made)
    found = []
    for value in made["values"]:
        body = encode({"given": value}).body
        given = digest_of_input({"given": value}, body)
        assert given != hashlib.sha256(body).hexdigest()
        found.append(digest_of(value, Hashes()) + given)
    return found


def test_what_a_notebook_defines_has_one_hash_wherever_its_cell_stands():
    assert values_of(NOTEBOOK) == values_of(f"# a new line{NOTEBOOK}\n")


@pytest.mark.parametrize(
    ("was", "now", "others"),
    [
        ('ONE = "one"', 'ONE = "two"', {0, 2, 3, 6}),
        ("return SCALE, NAMES", "return SCALE, 1", {1, 7}),
        ('"xl"}', '"xxl"}', {1, 7}),
        ("third = 1, 2, 3", "third = 1, 2, 4", {1, 7}),
        ("steps: int = 10", "steps: int = 11", {2, 6}),
        ("rate: float = 0.5", "rate: float = 0.25", {3}),
        ("rate * 2", "rate * 3", {3}),
        ("n * by", "n + by", {4}),
        ("scaled(2)", "scaled(3)", {4}),
        ("SCALE = 1", "SCALE = 2", {1, 4, 7}),
        ("lambda n: n + 1", "lambda n: n + 2", {5}),
    ],
)
def test_what_a_notebook_defines_anew_has_another_hash(was, now, others):
    assert was in NOTEBOOK
    before, after = values_of(NOTEBOOK), values_of(NOTEBOOK.replace(was, now))
    both = zip(before, after, strict=True)
    assert {n for n, (one, other) in enumerate(both) if one != other} == others


REUSED = """
    from pydantic import BaseModel
    from chutes_nb import Chute
    chute = Chute(name="reused")

    class Config(BaseModel):
        name: str
        rate: float

    class Plan:
        def __init__(self):
            self.steps = 2

    plan = Plan()

    @chute.job(reuse=True)
    def configured(self, config: Config):
        return config.name

    @chute.job(reuse=True)
    def planned(self):
        return plan.steps

    EXT = {".png", ".jpg", ".gif", ".tif"}

    @chute.job(reuse=True)
    def uses(self, n: int):
        return [n, *sorted(EXT)]

    @chute.job(reuse=True)
    def takes(self, words: set):
        return sorted(words)

    words = {"a", "bb", "ccc", "dddd"}
    made = [
        uses.submit(n=1),
        takes.submit(words=words),
        configured.submit(Config(name="a", rate=1)),
        configured.submit(name="b", rate=2),
        planned.submit(),
    ]
    print([job.id for job in made])
    for job in made:
        job.result(30)
"""


def test_reuse_finds_the_jobs_of_an_earlier_kernel(own_chute):
    assert told(1, REUSED) == told(2, REUSED)
