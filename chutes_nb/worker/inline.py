"""A job function called directly: run here, with a ``self`` of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .context import inline_context


def call_inline(
    function: Callable[..., Any],
    takes_self: bool,
    chute: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Call a job's function; gives its value, or a coroutine where it is async."""
    if takes_self:
        return function(inline_context(chute), *args, **kwargs)
    return function(*args, **kwargs)


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
