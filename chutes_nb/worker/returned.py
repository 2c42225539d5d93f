"""What a body returned, as the store keeps it and as it is shown."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from ..codec import Encoded
from ..store.blobs import keep
from ..views import TABLE_MIME, packed, view
from .body import TooSlow, at_most

INLINE_BYTES = 1_000_000  # larger results are files of the store
SMALL_JSON_BYTES = 2_000  # below it the result is shown from its own JSON
SHOW_S = 5.0  # for a repr; one that takes longer is not worth the wait


def shown(value: Any, encoded: Encoded, blobs: Path) -> str | None:
    """Make the view of a result, as JSON; None where its own JSON says it all."""
    is_small = len(encoded.body) <= SMALL_JSON_BYTES
    # A list of dicts is a table, however short.
    if encoded.kind == "json" and is_small and not encoded.body.startswith(b"[{"):
        return None
    try:
        with at_most(SHOW_S):
            bundle = _paged(value, view(value), blobs)
    except TooSlow:
        text = f"<{encoded.type}; its repr takes longer than {SHOW_S:g} s>"
        bundle = {"text/plain": text}
    return json.dumps(bundle, allow_nan=False)


def _paged(value: Any, bundle: dict[str, Any], blobs: Path) -> dict[str, Any]:
    """Keep the rows that the view of a table has no room for, to be paged."""
    table = bundle.get(TABLE_MIME)
    if isinstance(table, dict) and table.get("truncated"):
        table.pop("pages", None)
        pages = packed(value)
        if pages is not None and pages[1] > len(table["rows"]):
            blob = keep(io.BytesIO(pages[0]), blobs)
            table["pages"] = {"sha256": blob.sha256, "rows": pages[1]}
    return bundle


def stored(
    value: Any, encoded: Encoded, shown: str | None, blobs: Path
) -> dict[str, Any]:
    """Return a result as the fields of ``store.jobs.NewResult``."""
    is_large = len(encoded.body) > INLINE_BYTES
    blob = keep(io.BytesIO(encoded.body), blobs) if is_large else None
    return {
        "kind": encoded.kind,
        "body": None if blob else encoded.body,
        "blob": blob.sha256 if blob else None,
        "type": encoded.type,
        "view": shown,
        "reported_failure": isinstance(value, dict) and value.get("success") is False,
    }
