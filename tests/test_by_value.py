"""What a notebook defines comes back as it was, from a job and in another process."""

from __future__ import annotations

import dataclasses
import enum
import functools
import subprocess
import sys
import textwrap

import pytest

from chutes_nb.codec import decode, encode

S = 60

# One text for both sides: what a notebook defines, and the values that it makes.
NOTEBOOK = """
    import dataclasses, enum, functools, typing

    class Slots:
        __slots__ = ("a", "__weakref__")
        def __init__(self): self.a = 1

    class One:
        __slots__ = "a"
        def __init__(self): self.a = 1

    class Private(Slots):
        __slots__ = ("__b",)
        def __init__(self): self.__b = 2; super().__init__()
        def read(self): return self.a + self.__b

    class Open:
        __slots__ = ("a", "__dict__")
        def __init__(self): self.a, self.b = 1, 2

    @dataclasses.dataclass(slots=True)
    class Record:
        a: int = 1
        b: list = dataclasses.field(default_factory=list)
        _: dataclasses.KW_ONLY
        c: int

    class Caches:
        n = 2
        @functools.cached_property
        def kept(self): return self.n * 2
        @functools.lru_cache
        def looked_up(self): return self.n * 3
        @functools.singledispatchmethod
        def told(self, x): return "any"
        @told.register
        def _(self, x: int): return "int"

    class Planet(enum.Enum):
        EARTH = 5.9, 6.3
        MARS = 0.6, 3.3
        HOME = 5.9, 6.3
        def __init__(self, mass, radius): self.mass, self.radius = mass, radius
        @property
        def neighbour(self): return Planet.MARS
        @classmethod
        def _missing_(cls, value): return cls.EARTH

    class Coordinate(bytes, enum.Enum):
        def __new__(cls, value, label):
            made = bytes.__new__(cls, [value])
            made._value_, made.label = value, label
            return made
        X = 7, "P.X"
        Y = 8, "P.Y"

    class Right(enum.Flag):
        READ = enum.auto()
        WRITE = enum.auto()
        ALL = READ | WRITE

    class Colour(enum.StrEnum):
        RED = enum.auto()

    class Pair(typing.NamedTuple):
        a: int
        b: str = "b"
        def swapped(self): return self.b, self.a

    @functools.lru_cache(maxsize=3)
    def cached(n): return n * 2

    @functools.singledispatch
    def told(x): return "any"
    @told.register
    def _(x: int): return "int"
"""
READ = [
    ("Slots()", "v.a, v.__slots__, hasattr(v, '__dict__')"),
    ("One()", "v.a, hasattr(v, '__dict__')"),
    ("Private()", "v.read(), hasattr(v, '__dict__')"),
    ("Open()", "v.a, v.b"),
    ("Record(c=3)", "v, hasattr(v, '__dict__')"),
    ("Record(c=3)", "[f.default is MISSING for f in fields(v)]"),
    ("Caches()", "v.kept, vars(v), v.looked_up(), v.told(1), v.told('a')"),
    ("Planet.MARS", "v, v.radius, v.neighbour is v, list(type(v).__members__)"),
    ("Planet['HOME']", "v, v.mass, type(v)('none'), v.neighbour.mass"),
    ("Coordinate.Y", "v.name, v.value, v.label, bytes(v), type(v)(7).label"),
    ("Right.ALL", "v, type(v)['READ'] | type(v).WRITE, v & type(v).READ, ~v"),
    ("Colour.RED", "v, str(v), type(v)('red')"),
    ("Pair(1)", "v, v.swapped(), v._fields, hasattr(v, '__dict__')"),
    ("Pair", "v(1), v._field_defaults"),
    ("cached", "v(2), v.cache_parameters()"),
    ("told", "v(1), v('a')"),
]


@pytest.mark.parametrize(("made", "read"), READ, ids=[made for made, _ in READ])
def test_a_value_of_a_class_of_the_notebook_is_the_same_elsewhere(made, read):
    """It is written by one process, and read and written by one without the class."""
    notebook = textwrap.dedent(NOTEBOOK)
    write = f"{notebook}\nv = {made}\n"
    through = (
        "import sys\n"
        "from dataclasses import MISSING, fields\n"
        "from chutes_nb.codec import decode, encode\n"
        "v = decode('pickle', bytes.fromhex(sys.stdin.read()))\n"
        f"print(encode(v).body.hex(), repr(({read})), sep='\\n')\n"
    )
    here: dict[str, object] = {"__name__": "__main__"}
    here |= {"MISSING": dataclasses.MISSING, "fields": dataclasses.fields}
    exec(compile(write, "<cell>", "exec", dont_inherit=True), here)
    body = encode(here["v"])
    assert body.kind == "pickle"
    there = subprocess.run(
        [sys.executable, "-c", through],
        input=body.body.hex(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    back, said = there.splitlines()
    here["v"] = decode("pickle", bytes.fromhex(back))
    assert said == repr(eval(read, here))


def test_a_job_takes_and_gives_back_records_with_slots(chute):
    @dataclasses.dataclass(slots=True)
    class Point:
        x: int
        y: int = 2

    @chute.job
    def moved(self, point):
        return dataclasses.replace(point, x=point.x + 1)

    back = moved.submit(point=Point(1)).result(S)
    assert type(back) is Point
    assert back == Point(2)


def test_a_job_uses_a_class_that_keeps_what_it_has_worked_out(chute):
    class Table:
        rows = (1, 2)

        @functools.cached_property
        def total(self):
            return sum(self.rows)

    @chute.job
    def totals(self, table):
        return table.total, Table().total, Table()

    given, made, back = totals.submit(table=Table()).result(S)
    assert given == made == back.total == 3


def test_a_job_gives_back_the_very_member_of_an_enum(chute):
    class Level(enum.Enum):
        LOW = 1
        SMALL = 1  # noqa: PIE796 - an alias

        def __init__(self, size):
            self.size = size

    @chute.job
    def levels(self, level):
        return level, Level["SMALL"], Level(1).size, list(Level.__members__)

    level, small, size, names = levels.submit(level=Level.SMALL).result(S)
    assert level is small is Level.LOW
    assert (size, names) == (1, ["LOW", "SMALL"])
