"""What came by value is told from what its file has become since."""

from __future__ import annotations

import textwrap

import numpy
import pytest

from chutes_nb.worker.alike import is_alike

MODULE = """
import dataclasses, enum

RATE = 0.5

def scaled(number, by=2):
    return [one * by for one in range(number)]

def made():
    class Inner:
        size = 3
    return Inner

class Kind(enum.Enum):
    A = 1

@dataclasses.dataclass
class Row:
    kind: Kind = Kind.A
    size: int = 3
    @property
    def area(self):
        return self.size ** 2
    @classmethod
    def empty(cls):
        return cls(size=0)
"""


def read(text):
    """Run a module's text anew; gives its own names."""
    space = {"__name__": "beside"}
    exec(compile(text, "beside.py", "exec", dont_inherit=True), space)
    return {name: space[name] for name in ("RATE", "scaled", "made", "Kind", "Row")}


@pytest.mark.parametrize("above", ["", "# two\n\n"])
def test_a_module_that_is_read_again_is_the_same_wherever_its_lines_are(above):
    one, other = read(MODULE), read(above + textwrap.dedent(MODULE))
    assert all(is_alike(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("name", "was", "now"),
    [
        ("RATE", "0.5", "0.25"),
        ("scaled", "by=2", "by=3"),
        ("scaled", "one * by", "one + by"),
        ("made", "size = 3", "size = 4"),
        ("Kind", "A = 1", "A = 2"),
        ("Kind", "A = 1", "A = 1\n    B = 2"),
        ("Row", "size: int = 3", "size: float = 3"),
        ("Row", "** 2", "** 3"),
        ("Row", "size=0", "size=1"),
        ("Row", "class Row:", "class Row(dict):"),
    ],
)
def test_what_was_edited_is_not_the_same(name, was, now):
    assert not is_alike(read(MODULE)[name], read(MODULE.replace(was, now))[name])


def test_what_does_not_compare_is_not_the_same():
    assert not is_alike(numpy.zeros(2), numpy.zeros(2))
    assert not is_alike([1, [2]], [1, [3]])
    assert not is_alike({"a": 1}, {"a": True})
    assert is_alike({"a": [1, numpy]}, {"a": [1, numpy]})


def test_what_holds_itself_comes_to_an_end():
    one, other = [1], [1]
    one.append(one)
    other.append(other)
    assert is_alike(one, other)
