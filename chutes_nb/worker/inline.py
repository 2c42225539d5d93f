"""A job function called directly: run here, with a ``self`` of its own."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..loading import as_annotated
from ..signatures import OUTPUT_DIR
from .context import RunContext, RunFacts, current
from .frames import Telling


class InlineOutlet:
    """Takes what a job function tells when it is called directly.

    Within a job its metrics, partial results and files are the job's; progress is
    not, since it is only that of a part.
    """

    def __init__(self, outer: RunContext | None = None) -> None:
        self._outer = outer
        self._checkpoint: tuple[str, bytes] | None = None

    def tell(self, telling: Telling) -> None:
        """Pass a telling on, or let it go."""
        if self._outer is not None and telling.kind in ("metric", "partial", "file"):
            self._outer._run_outlet.tell(telling)

    def save_checkpoint(self, step: float | None, kind: str, body: bytes) -> None:
        """Keep a checkpoint for as long as the call lasts."""
        self._checkpoint = (kind, body)

    def load_checkpoint(self) -> tuple[str, bytes] | None:
        """Return the checkpoint of this call."""
        return self._checkpoint

    def keep_file(self, path: Path, name: str | None) -> None:
        """Keep a file with the job around this call; without one only check it."""
        path.stat()
        if self._outer is not None:
            self._outer._run_outlet.keep_file(path, name)

    def keep_body(self, body: bytes, name: str) -> None:
        """Keep a content with the job around this call, if there is one."""
        if self._outer is not None:
            self._outer._run_outlet.keep_body(body, name)


def inline_context(chute: object) -> RunContext:
    """Make a ``self`` for a job function that is called directly."""
    outer = current()
    if outer is not None:
        return RunContext(outer._run_facts, InlineOutlet(outer), chute)
    return RunContext(RunFacts("inline", 1, 1, Path.cwd(), None), InlineOutlet(), chute)


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
                place = as_annotated(function, context.output_dir)
                kwargs = {**kwargs, OUTPUT_DIR: place}
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
