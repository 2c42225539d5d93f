"""Whether another attempt may follow what a body has raised."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from ..errors import (
    PermanentError,
    ResultNotStorable,
    StoreDamaged,
    TemporaryError,
)
from .context import NameTaken

NEVER_AGAIN = (PermanentError, ResultNotStorable, StoreDamaged, NameTaken)


def may_retry(error: BaseException, retry_on: Any) -> bool:
    """Whether the job's ``retry_on`` and the exception allow another attempt."""
    if isinstance(error, NEVER_AGAIN):
        return False
    if isinstance(error, TemporaryError):
        return True
    if isinstance(retry_on, type | tuple):
        # A body that ends its process (sys.exit) is tried again like a crash. Exception
        # is what stands there where nobody has chosen, and means every failure.
        return isinstance(error, (retry_on, SystemExit)) or (
            issubclass(Exception, retry_on) and not isinstance(error, Exception)
        )
    try:
        return bool(retry_on(error))
    except Exception as second:
        with contextlib.suppress(Exception):  # the body may have closed stderr
            print(f"retry_on raised {second!r}; not retried", file=sys.stderr)
        return False
