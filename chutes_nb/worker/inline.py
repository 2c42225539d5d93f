"""A job function called directly: run here, with a ``self`` of its own."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

from ..signatures import OUTPUT_DIR
from .context import inline_context


def call_inline(
    function: Callable[..., Any],
    takes_self: bool,
    chute: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Call a job's function; gives its value, or a coroutine where it is async."""
    context = inline_context(chute)
    first = (context, *args) if takes_self else args
    signature = inspect.signature(function)
    if OUTPUT_DIR in signature.parameters and OUTPUT_DIR not in kwargs:
        with contextlib.suppress(TypeError):  # the call itself says it better
            if OUTPUT_DIR not in signature.bind_partial(*first, **kwargs).arguments:
                kwargs = {**kwargs, OUTPUT_DIR: context.output_dir}
    return function(*first, **kwargs)


class InlineJob:
    """A job function as it travels into jobs: it can be called, not submitted."""

    def __init__(
        self, function: Callable[..., Any], takes_self: bool, name: str, chute: object
    ) -> None:
        self._function, self._takes_self = function, takes_self
        self.name, self._chute = name, chute

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function here."""
        return call_inline(self._function, self._takes_self, self._chute, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in ("submit", "map", "options", "check"):
            raise AttributeError(
                f"{self.name}.{name}: inside a job other jobs can be called "
                f"({self.name}(...)), not submitted"
            )
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"<job function {self.name}, called inline>"
