"""Kinds of values that jobs return, and how each is told to have come back whole."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import PIL.Image
import polars as pl
import pyarrow as pa
import pydantic
from matplotlib.figure import Figure


@dataclasses.dataclass
class Point:
    x: float
    label: str = "p"


class Model(pydantic.BaseModel):
    name: str
    sizes: list[int] = []


class Color(enum.Enum):
    RED = "red"


class Pair(collections.namedtuple("Pair", "a b")):
    __slots__ = ()


def figure() -> Figure:
    made = Figure()
    axes = made.subplots()
    axes.plot([1, 3, 2])
    axes.set_title("loss")
    return made


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"n": [1, 2], "s": ["x", None], "t": pd.to_datetime(["2024-05-06", None])},
        index=pd.Index(["a", "b"], name="key"),
    ).astype({"s": "category"})


KINDS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "bool": lambda: True,
    "int": lambda: 42,
    "huge int": lambda: 10**400,
    "float": lambda: 0.1,
    "nan": lambda: float("nan"),
    "complex": lambda: 1 + 2j,
    "text": lambda: "naïve 😀 \x00",
    "lone surrogate": lambda: "\ud800",
    "bytes": lambda: bytes(range(256)),
    "bytearray": lambda: bytearray(b"ab"),
    "list": lambda: [1, [2.5, None]],
    "tuple": lambda: (1, ("a", None)),
    "set": lambda: {1, 2},
    "frozenset": lambda: frozenset("ab"),
    "dict": lambda: {"a": {"b": [1, None]}},
    "dict with any keys": lambda: {1: "a", None: "b", (1, 2): "c"},
    "ordered dict": lambda: collections.OrderedDict(b=1, a=2),
    "counter": lambda: collections.Counter("aab"),
    "deque": lambda: collections.deque([1, 2], maxlen=3),
    "named tuple": lambda: Pair(1, 2),
    "range": lambda: range(1, 9, 2),
    "dataclass": lambda: Point(1.5),
    "pydantic model": lambda: Model(name="m", sizes=[1]),
    "enum": lambda: Color.RED,
    "datetime": lambda: datetime.datetime(
        2024, 5, 6, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Vienna")
    ),
    "timedelta": lambda: datetime.timedelta(days=1, microseconds=1),
    "decimal": lambda: decimal.Decimal("1.10"),
    "fraction": lambda: fractions.Fraction(1, 3),
    "uuid": lambda: uuid.UUID(int=7),
    "path": lambda: pathlib.PurePosixPath("a/b"),
    "numpy scalar": lambda: np.float32(0.1),
    "numpy array": lambda: np.arange(6.0).reshape(2, 3),
    "large array": lambda: np.ones((300, 300), dtype="int16"),
    "structured array": lambda: np.array([(1, "a")], dtype=[("n", "i4"), ("s", "U3")]),
    "masked array": lambda: np.ma.masked_array([1, 2], mask=[True, False]),
    "pandas frame": frame,
    "pandas series": lambda: pd.Series([1, None], name="s", dtype="Int64"),
    "pandas timestamp": lambda: pd.Timestamp("2024-05-06", tz="UTC"),
    "polars frame": lambda: pl.DataFrame({"a": [1, None], "b": [["x"], []]}),
    "polars series": lambda: pl.Series("s", [1.5, None]),
    "arrow table": lambda: pa.table({"a": [1, None]}),
    "figure": figure,
    "picture": lambda: PIL.Image.new("RGBA", (3, 2), "red"),
    "long list of dicts": lambda: [{"n": n, "ok": n % 2 == 0} for n in range(3_000)],
    "exception": lambda: ValueError("bad", 3),
    "function": lambda: Point,
}


def is_same(found: Any, value: Any) -> bool:
    """Whether a value came back as it was, to its type."""
    if isinstance(value, type):
        return found.__qualname__ == value.__qualname__
    if type(found).__qualname__ != type(value).__qualname__:
        return False
    if isinstance(value, pd.DataFrame | pd.Series):
        return bool(
            found.equals(value)
            and str(getattr(found, "dtypes", "")) == str(getattr(value, "dtypes", ""))
        )
    if isinstance(value, pl.DataFrame | pl.Series):
        return bool(found.equals(value, null_equal=True))
    if isinstance(value, np.ndarray):
        return bool(found.dtype == value.dtype and (found.tolist() == value.tolist()))
    if isinstance(value, Figure):
        return bool(found.axes[0].get_title() == "loss")
    if isinstance(value, PIL.Image.Image):
        return bool(found.tobytes() == value.tobytes() and found.mode == value.mode)
    if isinstance(value, float):
        return bool(value.hex() == found.hex())
    if isinstance(value, Exception):
        return bool(found.args == value.args)
    if type(value).__module__ == __name__:
        return repr(found) == repr(value)
    return bool(found == value)


matplotlib.use("agg")
