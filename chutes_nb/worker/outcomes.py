"""What is handed over of an attempt: its result, and whether to try again."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import Any

from ..codec import Encoded
from ..errors import PermanentError, ResultNotStorable, TemporaryError
from ..store.blobs import keep

INLINE_BYTES = 1_000_000  # larger results are files of the store
SMALL_JSON_BYTES = 2_000  # below it the result is shown from its own JSON


def shows_itself(encoded: Encoded) -> bool:
    """Whether a result is shown from its own JSON, so that it needs no view."""
    return encoded.kind == "json" and len(encoded.body) <= SMALL_JSON_BYTES


def packed(
    value: Any, encoded: Encoded, shown: str | None, blobs: Path
) -> dict[str, Any]:
    """Return a result as ``Outcome.result`` has it; a large one goes into a file."""
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


def may_retry(error: BaseException, retry_on: Any) -> bool:
    """Whether the job's ``retry_on`` and the exception allow another attempt."""
    if isinstance(error, PermanentError | ResultNotStorable):
        return False
    if isinstance(error, TemporaryError):
        return True
    if isinstance(retry_on, type | tuple):
        # A body that ends its process (sys.exit) is tried again like a crash.
        return isinstance(error, retry_on) or not isinstance(error, Exception)
    try:
        return bool(retry_on(error))
    except Exception as second:
        with contextlib.suppress(Exception):  # the body may have closed stderr
            print(f"retry_on raised {second!r}; not retried", file=sys.stderr)
        return False
