"""Frames, matrices and lists of dicts → columns and rows."""

from __future__ import annotations

import sys
from typing import Any

from .cells import BOOLEAN, CELL, NUMBER, SPAN, TEXT, TIME, cell, is_missing, kind_of
from .text import clean, safe_repr

ROWS = 1_000
COLUMNS = 200

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


def of_matrix(value: Any) -> dict[str, Any] | None:
    """Make a table of a NumPy array of two dimensions; None for others."""
    if not _is_matrix(value):
        return None
    kind = BOOLEAN if value.dtype.kind == "b" else NUMBER
    columns = [{"name": str(n), "type": kind} for n in range(value.shape[1])]
    return _table(columns, _rows_of_matrix(value[:ROWS]), len(value), is_cut=False)


def _is_matrix(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, getattr(numpy, "ndarray", ())):
        return False
    array: Any = value
    has_numbers = array.dtype.kind in "biuf" and array.itemsize <= 8
    return has_numbers and array.ndim == 2 and 0 < array.shape[1] <= COLUMNS


def _rows_of_matrix(part: Any) -> Rows:
    return [[cell(item) for item in row] for row in part.tolist()]


def rows_of(value: Any, start: int, count: int) -> Rows:
    """Give so many rows of what is a table; none of what is not."""
    if _is_matrix(value):
        return _rows_of_matrix(value[start : start + count])
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
    first = value[:ROWS]
    rows = _rows_of_dicts(first, names)
    columns = [
        {"name": clean(name, CELL), "type": kind_of([row.get(name) for row in first])}
        for name in names
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
        [cell(row.get(name)) if isinstance(row, dict) else None for name in names]
        for row in items
    ]


def _of_pandas(frame: Any, pandas: Any, start: int, count: int) -> tuple[Columns, Rows]:
    part = frame.iloc[start : start + count, :COLUMNS]
    found = [(_title(part.columns[i]), part.iloc[:, i]) for i in range(part.shape[1])]
    columns: Columns = []
    filled: Rows = []
    for name, series in [*_levels(part.index, pandas), *found]:
        items = series.tolist()
        kind = _dtype(series.dtype) or kind_of(items)
        columns.append({"name": name, "type": kind})
        filled.append(_filled(items, kind))
    return columns, [list(row) for row in zip(*filled, strict=True)]


def _levels(index: Any, pandas: Any) -> list[tuple[str, Any]]:
    """Give the columns of an index, each with its title; none if it only counts."""
    if isinstance(index, pandas.RangeIndex):
        return []
    if index.nlevels == 1:
        return [("index" if index.name is None else _title(index.name), index)]
    return [
        (f"level_{n}" if name is None else _title(name), index.get_level_values(n))
        for n, name in enumerate(index.names)
    ]


def _title(name: Any) -> str:
    """Write the label of a column; that of a column of several levels in a row."""
    if not isinstance(name, tuple):
        return _label(name)
    return clean(" / ".join(_label(part) for part in name if part != ""), CELL)


def _filled(items: list[Any], kind: str) -> list[Any]:
    """Give the cells of a column; NaN is a number, or elsewhere a word for none."""
    return [
        None
        if is_missing(item)
        or (kind != NUMBER and isinstance(item, float) and item != item)
        else cell(item)
        for item in items
    ]


def _of_polars(frame: Any, start: int, count: int) -> tuple[Columns, Rows]:
    part = frame[start : start + count, :COLUMNS]
    columns = [
        {"name": _label(name), "type": _dtype(dtype) or TEXT}
        for name, dtype in zip(part.columns, part.dtypes, strict=True)
    ]
    return columns, [[cell(item) for item in row] for row in part.rows()]


def _table(columns: Columns, rows: Rows, total: int, *, is_cut: bool) -> dict[str, Any]:
    return {
        "columns": columns,
        "rows": rows,
        "total_rows": total,
        "truncated": is_cut or total > len(rows),
    }


def _label(name: Any) -> str:
    return clean(name, CELL) if isinstance(name, str) else safe_repr(name, CELL)


def _dtype(dtype: Any) -> str | None:
    """Say what a column holds by its type; None where only its values know."""
    name = str(dtype).lower()
    if name.startswith(("int", "uint", "float", "decimal")):
        return None if name.startswith("interval") else NUMBER
    if name.startswith("bool"):
        return BOOLEAN
    if name.startswith(("timedelta", "duration")):
        return SPAN
    if name.startswith(("date", "time")):
        return TIME
    return TEXT if name.startswith("str") else None
