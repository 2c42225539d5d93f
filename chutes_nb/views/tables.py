"""Frames and lists of dicts → columns and rows."""

from __future__ import annotations

import sys
from typing import Any

from .jsonable import preview
from .text import clean, safe_repr

ROWS = 1_000
COLUMNS = 200
CELL = 500  # characters of one cell
SAMPLE = 50  # dicts looked at before a list is called a table


def of_frame(value: Any) -> dict[str, Any] | None:
    """Make a table of a pandas or polars frame or series; None for others."""
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None:
        series, frame = _classes(pandas)
        if isinstance(value, series):
            value = value.to_frame(name=value.name if value.name is not None else 0)
        if isinstance(value, frame):
            return _of_pandas(value, pandas)
    if polars is not None:
        series, frame = _classes(polars)
        if isinstance(value, series):
            value = value.to_frame()
        if isinstance(value, frame):
            return _of_polars(value)
    return None


def _classes(module: Any) -> tuple[Any, Any]:
    # A module that is still being imported lacks them.
    return getattr(module, "Series", ()), getattr(module, "DataFrame", ())


def of_dicts(value: Any) -> dict[str, Any] | None:
    """Make a table of a non-empty list of dicts with text keys; None for others."""
    if type(value) is not list or not value:
        return None
    names: dict[str, None] = {}
    for row in value[:ROWS]:
        if type(row) is not dict or not all(isinstance(key, str) for key in row):
            return None
        names.update(dict.fromkeys(row))
        if len(names) > COLUMNS:
            return None
    if not names:
        return None
    rows = [[_cell(row.get(name)) for name in names] for row in value[:ROWS]]
    columns = [
        {"name": clean(name, CELL), "type": _kind([row[i] for row in rows])}
        for i, name in enumerate(names)
    ]
    return _table(columns, rows, len(value), is_cut=False)


def _of_pandas(frame: Any, pandas: Any) -> dict[str, Any]:
    head = frame.iloc[:ROWS, :COLUMNS]
    columns = [
        {"name": _label(name), "type": _dtype(dtype)}
        for name, dtype in zip(head.columns, head.dtypes, strict=True)
    ]
    series = [head.iloc[:, i].tolist() for i in range(head.shape[1])]
    is_plain = isinstance(frame.index, pandas.RangeIndex)
    if not is_plain:  # else the index only counts the rows
        name = " / ".join(_label(n) for n in frame.index.names if n is not None)
        columns.insert(0, {"name": name or "index", "type": _dtype(frame.index.dtype)})
        series.insert(0, head.index.tolist())
    missing = pandas.isna
    rows = [
        [None if _is_missing(item, missing) else _cell(item) for item in row]
        for row in zip(*series, strict=True)
    ]
    return _table(columns, rows, len(frame), is_cut=frame.shape[1] > COLUMNS)


def _of_polars(frame: Any) -> dict[str, Any]:
    head = frame[:ROWS, :COLUMNS]
    columns = [
        {"name": _label(name), "type": _dtype(dtype)}
        for name, dtype in zip(head.columns, head.dtypes, strict=True)
    ]
    rows = [[_cell(item) for item in row] for row in head.rows()]
    return _table(columns, rows, frame.height, is_cut=frame.width > COLUMNS)


def _table(
    columns: list[dict[str, str]], rows: list[list[Any]], total: int, *, is_cut: bool
) -> dict[str, Any]:
    return {
        "columns": columns,
        "rows": rows,
        "total_rows": total,
        "truncated": is_cut or total > len(rows),
    }


def _cell(value: Any) -> Any:
    return preview(value, CELL)


def _is_missing(value: Any, isna: Any) -> bool:
    return value is None or (
        not isinstance(value, (str, list, dict)) and _na(value, isna)
    )


def _na(value: Any, isna: Any) -> bool:
    try:
        return bool(isna(value))
    except (TypeError, ValueError):
        return False  # an array in a cell


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
