"""Arrays and frames whose own pickling copies them: so that they go as buffers too.

numpy gives away a buffer only of memory that is in one piece and of types that the
buffer protocol knows, and polars none at all.
"""

from __future__ import annotations

import contextlib
import importlib
import pickle
import re
import sys
from typing import Any

from .buffers import FILE_BYTES

_DATES = "mM"  # kinds of dtype that numpy pickles as bytes
# Types of columns that are the same after a way through Arrow.
_SAME_IN_ARROW = re.compile(
    "U?Int(8|16|32|64)|Float(32|64)|Boolean|String|Binary|Date|Time|Datetime|Duration"
)

Reduced = tuple[Any, tuple[Any, ...]]


def reduced_array(thing: Any) -> Reduced | None:
    """Say how a large array or frame is made again; None where pickle knows better."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(thing, numpy.ndarray):
        return _numpy_array(thing, numpy)
    polars = sys.modules.get("polars")
    if polars is not None and type(thing) in (polars.DataFrame, polars.Series):
        return _polars_frame(thing, polars)
    return None


def _numpy_array(array: Any, numpy: Any) -> Reduced | None:
    is_plain = type(array) is numpy.ndarray or type(array) is numpy.memmap
    dtype = array.dtype
    if not is_plain or array.nbytes < FILE_BYTES or dtype.hasobject:
        return None
    is_whole = array.flags.c_contiguous or array.flags.f_contiguous
    if type(array) is numpy.ndarray and is_whole and dtype.kind not in _DATES:
        return None
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    memory = numpy.ascontiguousarray(array.T if order == "F" else array)
    raw = pickle.PickleBuffer(memory.reshape(-1).view(numpy.uint8))
    return numpy.ndarray, (array.shape, dtype, raw, 0, None, order)


def _polars_frame(frame: Any, polars: Any) -> Reduced | None:
    if frame.estimated_size() < FILE_BYTES:
        return None
    is_series = type(frame) is polars.Series
    dtypes = [frame.dtype] if is_series else frame.dtypes
    if not all(_SAME_IN_ARROW.fullmatch(str(one.base_type())) for one in dtypes):
        return None
    with contextlib.suppress(ImportError):  # pyarrow is not there: as polars does it
        table = frame.to_frame().to_arrow() if is_series else frame.to_arrow()
        return _polars_again, (table, is_series)
    return None


def _polars_again(table: Any, is_series: bool) -> Any:
    frame = importlib.import_module("polars").from_arrow(table, rechunk=False)
    return frame.to_series() if is_series else frame
