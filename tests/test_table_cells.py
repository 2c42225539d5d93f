"""A table shows the numbers, times and spans that are in it, and sorts by them."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from chutes_nb.answers import _preview_in
from chutes_nb.snapshots.result import drawn_result
from chutes_nb.views import TABLE_MIME, preview, view, wanted
from chutes_nb.views.cells import texts
from chutes_nb.wide import for_page

WIDE = 2**60 + 1
HOUR = datetime.timedelta(hours=1)


def table(value: Any) -> dict[str, Any]:
    bundle = view(value)
    json.dumps(bundle, allow_nan=False)
    found: dict[str, Any] = bundle[TABLE_MIME]
    return found


def column(value: Any) -> tuple[str, list[Any]]:
    found = table(value)
    return found["columns"][-1]["type"], [row[-1] for row in found["rows"]]


FRAMES = [
    lambda items: pd.DataFrame({"x": items}),
    lambda items: pl.DataFrame({"x": items}),
    lambda items: [{"x": item} for item in items],
]


@pytest.mark.parametrize("made", FRAMES, ids=["pandas", "polars", "dicts"])
@pytest.mark.parametrize(
    ("items", "kind", "cells"),
    [
        ([WIDE, 7], "number", [str(WIDE), 7]),
        ([1.5, float("nan")], "number", [1.5, "NaN"]),
        ([float("inf"), -float("inf"), 0.5], "number", ["inf", "-inf", 0.5]),
        ([HOUR, -HOUR], "duration", ["0 days 01:00:00", "-1 days +23:00:00"]),
        (
            [datetime.datetime(2026, 1, 1), None],
            "time",
            ["2026-01-01T00:00:00", None],
        ),
        ([True, None], "boolean", [True, None]),
        (["a", None], "text", ["a", None]),
    ],
)
def test_no_cell_loses_what_it_says(made: Any, items: Any, kind: str, cells: Any):
    assert column(made(items)) == (kind, cells)


def test_numbers_that_no_type_of_a_column_has_are_numbers_too() -> None:
    huge = pd.DataFrame({"x": [2**70, 1, None]}, dtype=object)
    assert column(huge) == ("number", [str(2**70), 1, None])
    assert column([{"x": Decimal("1.50")}]) == ("number", ["1.50"])
    assert column([{"x": np.int64(WIDE)}]) == ("number", [str(WIDE)])
    assert column([{"x": np.float64("nan")}]) == ("number", ["NaN"])
    frame = pd.DataFrame({"x": pd.array([WIDE, None], dtype="Int64")})
    assert column(frame) == ("number", [str(WIDE), None])


def test_what_is_missing_is_empty_and_no_word() -> None:
    assert column(pd.DataFrame({"x": ["a", np.nan]})) == ("text", ["a", None])
    assert column(pd.DataFrame({"x": ["a", None, np.nan]}, dtype=object))[1][1:] == [
        None,
        None,
    ]
    assert column([{"x": pd.NaT}, {"x": pd.NA}]) == ("text", [None, None])
    frame = pd.DataFrame({"x": [1]}, index=pd.DatetimeIndex([pd.NaT]))
    assert table(frame)["rows"] == [[None, 1]]


def test_periods_and_intervals_are_no_reprs() -> None:
    period = pd.DataFrame({"x": pd.period_range("2026-01", periods=1, freq="M")})
    assert column(period) == ("text", ["2026-01"])
    interval = pd.DataFrame({"x": pd.interval_range(0, 1)})
    assert column(interval) == ("text", ["(0, 1]"])


@pytest.mark.parametrize(
    ("cells", "kind", "shown"),
    [
        ([99.999, 5], "number", ["99.999", "5.000"]),
        ([12345678.9], "number", ["12345678.9"]),
        ([1.5e-7, 0.25, 3], "number", ["1.5e-7", "0.25", "3.00"]),
        ([1e22, 0.5], "number", ["1e+22", "0.5"]),
        ([1 / 3, "NaN", None], "number", ["0.333333", "NaN", ""]),
        ([0.1 + 0.2], "number", ["0.3"]),
        ([2026, 100234567, str(WIDE)], "number", ["2026", "100234567", str(WIDE)]),
        (["2026-01-01T00:00:00", None], "time", ["2026-01-01", ""]),
        (
            ["2026-01-01T00:00:00", "2026-01-01T09:30:00"],
            "time",
            ["2026-01-01 00:00:00", "2026-01-01 09:30:00"],
        ),
        ([True, None, [1]], "text", ["True", "", "[1]"]),
    ],
)
def test_cells_are_written_as_pandas_prints_them(cells: Any, kind: str, shown: Any):
    assert texts(cells, kind) == shown


@pytest.mark.parametrize(
    ("cells", "kind", "ordered"),
    [
        (
            ["inf", 3, "NaN", str(WIDE), WIDE - 1, None, "-inf"],
            "number",
            ["-inf", 3, WIDE - 1, str(WIDE), "inf", "NaN", None],
        ),
        (
            ["10 days 00:00:00", "9 days 00:00:00", "-1 days +23:00:00"],
            "duration",
            ["-1 days +23:00:00", "9 days 00:00:00", "10 days 00:00:00"],
        ),
        (["10.5", "9"], "number", ["9", "10.5"]),
        (["inf", "NaN", "a"], "text", ["NaN", "a", "inf"]),
    ],
)
def test_rows_are_sorted_by_what_their_cells_mean(cells: Any, kind: str, ordered: Any):
    rows = wanted(iter([[one] for one in cells]), "", 0, kind, is_down=False)
    assert sorted(map(str, cells)) == sorted(str(row[0]) for row in rows)
    if kind != "text":
        assert [row[0] for row in rows] == ordered


def test_rows_sorted_down_have_no_number_last_too() -> None:
    cells = [[3], ["NaN"], ["inf"], [None]]
    down = wanted(iter(cells), "", 0, "number", is_down=True)
    assert down == [["inf"], [3], ["NaN"], [None]]


@pytest.mark.parametrize(
    ("text", "found"),
    [("2026-01-01 09", 1), ("2026-01-01T09", 1), ("2026-01", 2), ("inf", 1)],
)
def test_rows_are_found_by_what_is_shown_and_by_what_is_sent(text: str, found: int):
    rows = [["2026-01-01T09:30:00", 1], ["2026-01-02T00:00:00", "inf"]]
    assert len(wanted(iter(rows), text, None, "", is_down=False)) == found


def test_a_preview_has_no_integer_that_a_page_would_round() -> None:
    assert preview({"n": 2**60, "m": 2**53 - 1}) == {"n": str(2**60), "m": 2**53 - 1}
    assert preview([-(2**60)], is_read_back=True) == [-(2**60)]
    assert for_page({"a": [2**60, 2**53 - 1, True]}) == {
        "a": [str(2**60), 2**53 - 1, True]
    }


def test_a_frame_is_answered_in_json_as_before() -> None:
    bundle = view(pd.DataFrame({"n": [WIDE], "x": [np.nan], "t": ["inf"]}))
    assert _preview_in(bundle) == [{"n": WIDE, "x": None, "t": "inf"}]


def test_a_saved_notebook_has_the_same_texts() -> None:
    frame = pd.DataFrame({"price": [99.999, np.inf], "n": [WIDE, 2026]})
    found = {"type": "DataFrame", "exact": False, "view": view(frame)}
    drawn = drawn_result("train", found)
    for text in ("99.999", "inf", str(WIDE), "2026"):
        assert f'text-align:right">{text}<' in drawn
