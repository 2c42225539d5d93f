"""The views of one value, gathered: one function a type, in a small registry."""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
from collections.abc import Callable, Mapping
from typing import Any

from .images import png_of, type_of
from .jsonable import SAID_AS_TEXT, preview
from .tables import of_dicts, of_frame, of_matrix
from .text import clean, safe_repr, type_name

TABLE_MIME = "application/vnd.chutes.table+json"
LIMIT_BYTES = 2_000_000

# IPython's own names for what an object can show of itself.
_REPRS = {
    "_repr_html_": "text/html",
    "_repr_markdown_": "text/markdown",
    "_repr_svg_": "image/svg+xml",
    "_repr_png_": "image/png",
    "_repr_jpeg_": "image/jpeg",
    "_repr_latex_": "text/latex",
    "_repr_json_": "application/json",
}
_TREES = (dict, list, tuple, set, frozenset)
_JSON_TYPES = (*_TREES, str, int, float, bool, type(None), enum.Enum, *SAID_AS_TEXT)


def view(value: Any, *, limit_bytes: int = LIMIT_BYTES) -> dict[str, Any]:
    """Make the MIME bundle that shows a value; never raises.

    Parameters
    ----------
    value : object
        Anything a job returns or displays.
    limit_bytes : int
        Most UTF-8 bytes of the whole bundle as JSON; entries that do not fit
        are left out, which the text then says.

    Returns
    -------
    dict
        MIME type to a string (base64 for images) or JSON. Always strict JSON,
        always with ``text/plain``.
    """
    bundle: dict[str, Any] = {}
    notes: list[str] = []
    for show in SHOWS:
        try:
            for mime, content in show(value).items():
                bundle.setdefault(mime, content)
        except Exception as error:
            notes.append(f"[{_name(show)} of {type_name(value)} raised {_say(error)}]")
    _own_methods(value, bundle, notes)
    text = _text(bundle.pop("text/plain", None), value)
    return _capped(text, bundle, notes, limit_bytes)


def reduced(bundle: dict[str, Any], limit_bytes: int) -> dict[str, Any]:
    """Make a bundle of a smaller size of one that :func:`view` has made."""
    rest = dict(bundle)
    return _capped(rest.pop("text/plain", ""), rest, [], limit_bytes)


def _show_table(value: Any) -> dict[str, Any]:
    table = of_frame(value) or of_matrix(value) or of_dicts(value)
    return {TABLE_MIME: table} if table else {}


def _show_image(value: Any) -> dict[str, Any]:
    if isinstance(value, bytes):
        mime = type_of(value)
        return {mime: base64.b64encode(value).decode("ascii")} if mime else {}
    png = png_of(value)
    return {"image/png": base64.b64encode(png).decode("ascii")} if png else {}


def _show_json(value: Any) -> dict[str, Any]:
    is_record = dataclasses.is_dataclass(value) and not isinstance(value, type)
    is_model = hasattr(type(value), "model_fields") and not isinstance(value, type)
    is_scalar = type(value).__module__ in ("numpy", "torch") and hasattr(
        value, "tolist"
    )
    if isinstance(value, _JSON_TYPES) or is_record or is_model or is_scalar:
        return {"application/json": preview(value)}
    return {}


# To show another type: write its function, name it here.
SHOWS: list[Callable[[Any], dict[str, Any]]] = [_show_table, _show_image, _show_json]


def _own_methods(value: Any, bundle: dict[str, Any], notes: list[str]) -> None:
    """Add what the object shows of itself, as IPython would ask it."""
    if isinstance(value, type):
        return
    for name in ("_repr_mimebundle_", *_REPRS):
        try:
            method = getattr(type(value), name, None)
            if not callable(method):
                continue
            made = getattr(value, name)()
        except Exception as error:
            notes.append(f"[{name} of {type_name(value)} raised {_say(error)}]")
            continue
        if isinstance(made, tuple) and made:  # with metadata
            made = made[0]
        parts = made if name == "_repr_mimebundle_" else {_REPRS[name]: made}
        if isinstance(parts, Mapping):
            for mime, content in parts.items():
                fitting = _content(mime, content)
                if fitting is not None and mime not in bundle:
                    bundle[str(mime)] = fitting


def _content(mime: Any, content: Any) -> Any:
    """Make an object's own offer JSON-able; None for what is no offer."""
    if content is None or not isinstance(mime, str):
        return None
    if isinstance(content, (bytes, bytearray)):
        if mime.startswith("text/"):
            return bytes(content).decode("utf-8", "replace")
        return base64.b64encode(content).decode("ascii")
    if isinstance(content, str):
        return clean(content)
    if mime.endswith("json"):
        return preview(content)
    return None


def _text(offered: Any, value: Any) -> str:
    if isinstance(offered, str):
        return clean(offered, 20_000)
    return safe_repr(value)


def _capped(
    text: str, bundle: dict[str, Any], notes: list[str], limit_bytes: int
) -> dict[str, Any]:
    left = limit_bytes - len(text.encode()) - 200
    made: dict[str, Any] = {}
    for mime, content in bundle.items():
        if mime == TABLE_MIME:
            content = _fewer_rows(content, left)
        try:
            size = _size(content)
        except (TypeError, ValueError, RecursionError) as error:
            notes.append(f"[{mime} left out: {_say(error)}]")
            continue
        if size > left:
            notes.append(f"[{mime} left out: {size:,} bytes are too many to keep]")
            continue
        left -= size
        made[mime] = content
    said = "\n".join([clean(text, max(limit_bytes // 4, 80)), *notes[:20]])
    return {"text/plain": clean(said), **made}


def _fewer_rows(table: Any, left: int) -> Any:
    rows = table.get("rows") if isinstance(table, dict) else None
    while rows and _size(table) > left:
        rows = rows[: len(rows) // 2]
        table = {**table, "rows": rows, "truncated": True}
    return table


def _size(content: Any) -> int:
    return len(json.dumps(content, allow_nan=False, ensure_ascii=False).encode())


def _say(error: BaseException) -> str:
    try:
        return clean(f"{type(error).__name__}: {error}", 200)
    except Exception:
        return type(error).__name__


def _name(show: Callable[[Any], dict[str, Any]]) -> str:
    return show.__name__.removeprefix("_show_") + " view"
