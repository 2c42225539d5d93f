"""Frames and lists of dicts → columns and rows."""

from __future__ import annotations

import sys
from typing import Any

from .jsonable import preview
from .text import clean, safe_repr

ROWS = 1_000
COLUMNS = 200
CELL = 500  # characters of one cell
INT_LIMIT = 1 << 63


Rows = list[list[Any]]
Columns = list[dict[str, str]]


def of_frame(value: Any) -> dict[str, Any] | None:
    """Make a table of a pandas or polars frame or series; None for others."""
    found = _frame(value)
    if found is None:
        return None
    frame, pandas = found
    if pandas is not None:
        columns, rows = _of_pandas(frame, pandas, 0, ROWS)
        return _table(columns, rows, len(frame), is_cut=frame.shape[1] > COLUMNS)
    columns, rows = _of_polars(frame, 0, ROWS)
    return _table(columns, rows, frame.height, is_cut=frame.width > COLUMNS)


def rows_of(value: Any, start: int, count: int) -> Rows:
    """Give so many rows of a frame or a list of dicts; none where it is no table."""
    found = _frame(value)
    if found is not None:
        frame, pandas = found
        if pandas is not None:
            return _of_pandas(frame, pandas, start, count)[1]
        return _of_polars(frame, start, count)[1]
    names = _names(value)
    if names is None:
        return []
    return _rows_of_dicts(value[start : start + count], names)


def _frame(value: Any) -> tuple[Any, Any] | None:
    """Give a frame, and pandas where it is one of pandas; None for what is none."""
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None:
        series, frame = _classes(pandas)
        if isinstance(value, series):
            value = value.to_frame(name=value.name if value.name is not None else 0)
        if isinstance(value, frame):
            return value, pandas
    if polars is not None:
        series, frame = _classes(polars)
        if isinstance(value, series):
            value = value.to_frame()
        if isinstance(value, frame):
            return value, None
    return None


def _classes(module: Any) -> tuple[Any, Any]:
    # A module that is still being imported lacks them.
    return getattr(module, "Series", ()), getattr(module, "DataFrame", ())


def of_dicts(value: Any) -> dict[str, Any] | None:
    """Make a table of a non-empty list of dicts with text keys; None for others."""
    names = _names(value)
    if names is None:
        return None
    rows = _rows_of_dicts(value[:ROWS], names)
    columns = [
        {"name": clean(name, CELL), "type": _kind([row[i] for row in rows])}
        for i, name in enumerate(names)
    ]
    return _table(columns, rows, len(value), is_cut=False)


def _names(value: Any) -> list[str] | None:
    """Name the columns of a list of dicts, as its first rows have them."""
    if type(value) is not list or not value:
        return None
    names: dict[str, None] = {}
    for row in value[:ROWS]:
        if type(row) is not dict or not all(isinstance(key, str) for key in row):
            return None
        names.update(dict.fromkeys(row))
        if len(names) > COLUMNS:
            return None
    return list(names) or None


def _rows_of_dicts(items: list[Any], names: list[str]) -> Rows:
    """Give the cells of dicts; what is none, behind the first rows, is empty."""
    return [
        [_cell(row.get(name)) if isinstance(row, dict) else None for name in names]
        for row in items
    ]


def _of_pandas(frame: Any, pandas: Any, start: int, count: int) -> tuple[Columns, Rows]:
    part = frame.iloc[start : start + count, :COLUMNS]
    columns = [
        {"name": _label(name), "type": _dtype(dtype)}
        for name, dtype in zip(part.columns, part.dtypes, strict=True)
    ]
    series = [_filled(part.iloc[:, i]) for i in range(part.shape[1])]
    is_plain = isinstance(frame.index, pandas.RangeIndex)
    if not is_plain:  # else the index only counts the rows
        name = " / ".join(_label(n) for n in frame.index.names if n is not None)
        columns.insert(0, {"name": name or "index", "type": _dtype(frame.index.dtype)})
        series.insert(0, part.index.tolist())
    rows = [[_cell(item) for item in row] for row in zip(*series, strict=True)]
    return columns, rows


def _filled(series: Any) -> list[Any]:
    """Give the values of a pandas series, None for each that is missing."""
    items, missing = series.tolist(), series.isna().tolist()
    return [
        None if is_missing else item
        for item, is_missing in zip(items, missing, strict=True)
    ]


def _of_polars(frame: Any, start: int, count: int) -> tuple[Columns, Rows]:
    part = frame[start : start + count, :COLUMNS]
    columns = [
        {"name": _label(name), "type": _dtype(dtype)}
        for name, dtype in zip(part.columns, part.dtypes, strict=True)
    ]
    return columns, [[_cell(item) for item in row] for row in part.rows()]


def _table(columns: Columns, rows: Rows, total: int, *, is_cut: bool) -> dict[str, Any]:
    return {
        "columns": columns,
        "rows": rows,
        "total_rows": total,
        "truncated": is_cut or total > len(rows),
    }


def _cell(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is bool or (kind is float and value - value == 0):
        return value
    if kind is int and -INT_LIMIT < value < INT_LIMIT:
        return value
    if kind is str and len(value) <= CELL and value.isascii():
        return value
    return preview(value, CELL)


def _label(name: Any) -> str:
    return clean(name, CELL) if isinstance(name, str) else safe_repr(name, CELL)


def _dtype(dtype: Any) -> str:
    """Say what a column holds: number, boolean, time or text."""
    name = str(dtype).lower()
    if name.startswith(("int", "uint", "float", "decimal")):
        return "number"
    if name.startswith("bool"):
        return "boolean"
    return "time" if name.startswith(("date", "time")) else "text"


def _kind(items: list[Any]) -> str:
    kinds = {type(item) for item in items if item is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds and kinds <= {int, float}:
        return "number"
    return "text"
