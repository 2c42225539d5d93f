"""A Python value → a MIME bundle that a browser can show (light: no imports)."""

from __future__ import annotations

from .bundle import LIMIT_BYTES, TABLE_MIME, reduced, view
from .cells import answered, texts
from .jsonable import preview
from .pages import Pages, packed, wanted
from .text import safe_repr

__all__ = [
    "LIMIT_BYTES",
    "TABLE_MIME",
    "Pages",
    "answered",
    "packed",
    "preview",
    "reduced",
    "safe_repr",
    "texts",
    "view",
    "wanted",
]
