"""Figures and pictures → PNG bytes."""

from __future__ import annotations

import io
import sys
from typing import Any

MOST_PIXELS = 2_000  # of the longer side


def png_of(value: Any) -> bytes | None:
    """Draw a matplotlib figure or axes, or a PIL image; None for others."""
    figure = _figure(value)
    if figure is not None:
        out = io.BytesIO()
        if hasattr(figure, "get_canvas") or not hasattr(figure.canvas, "print_png"):
            figure.savefig(out, format="png")
        else:
            figure.savefig(out, format="png", bbox_inches="tight")
        return out.getvalue()
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(value, pillow.Image):
        return _picture(value)
    return None


# How files begin that a page can show.
BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": "application/pdf",
}


def type_of(body: bytes) -> str | None:
    """Tell the media type of a picture or document from its first bytes."""
    for beginning, mime in BEGINNINGS.items():
        if body.startswith(beginning):
            return mime
    return None


def _figure(value: Any) -> Any:
    module = sys.modules.get("matplotlib.figure")
    if module is None:
        return None
    if isinstance(value, module.Figure):
        return value
    axes = sys.modules.get("matplotlib.axes")
    if axes is not None and isinstance(value, axes.Axes):
        return value.get_figure()
    return None


def _picture(image: Any) -> bytes:
    if max(image.size) > MOST_PIXELS:
        image = image.copy()
        image.thumbnail((MOST_PIXELS, MOST_PIXELS))
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = image.convert("RGB")  # CMYK, F: PNG cannot hold them
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()
