"""A notebook's progress bar inside a job: a bar of text, which the log can show.

A bar made of widgets has nobody to be shown to there, and no progress is read of it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from .context import current

MODULE = "tqdm.notebook"
_OF_TQDM = (MODULE, "tqdm.auto")  # a class of the user's own stays what it is
_OF_TEXT = ("tqdm.asyncio", "tqdm.std")


def new_around(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Put a bar of text in the place of a notebook's, where code runs in a job."""

    def new(kind: type, *args: Any, **options: Any) -> Any:
        if current() is None or kind.__module__ not in _OF_TQDM:
            return plain(kind, *args, **options)
        text = next(base for base in kind.__mro__ if base.__module__ in _OF_TEXT)
        return text(*args, **_of_text(options))

    return new


def mend(module: ModuleType) -> None:
    """Have ``tqdm.notebook`` make bars of text inside a job."""
    kind = module.tqdm_notebook
    kind.__new__ = new_around(kind.__new__)


def _of_text(options: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only widgets know: where they are, and widths as CSS has them."""
    known = {name: value for name, value in options.items() if name != "display"}
    if isinstance(known.get("ncols"), str):
        del known["ncols"]
    # None hides a bar of text that no terminal shows; one of widgets it does not.
    return known | {"disable": bool(known.get("disable"))}
