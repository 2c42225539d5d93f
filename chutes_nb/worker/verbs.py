"""What a run can tell, as functions: for helpers, threads and processes of a job."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, overload

from .context import current, is_async_only

T = TypeVar("T")


def progress(
    done: float, total: float | None = None, message: str | None = None
) -> None:
    """Tell how far the run is; does nothing outside a job. See ``RunContext``."""
    run = current()
    if run is not None:
        run.progress(done, total, message)


@overload
def track(iterable: Iterable[T], total: int | None = None) -> Iterator[T]: ...


@overload
def track(iterable: AsyncIterable[T], total: int | None = None) -> AsyncIterator[T]: ...


def track(iterable: Any, total: int | None = None) -> Any:
    """Go through items and tell the progress; outside a job just go through them."""
    run = current()
    if run is not None:
        return run.track(iterable, total)
    return aiter(iterable) if is_async_only(iterable) else iter(iterable)


def log(step: float | None = None, **metrics: float) -> None:
    """Add a point to metric curves; does nothing outside a job."""
    run = current()
    if run is not None:
        run.log(step, **metrics)


def stage(name: str) -> None:
    """Say which part of the work begins; does nothing outside a job."""
    run = current()
    if run is not None:
        run.stage(name)


def emit(partial: object) -> None:
    """Give a partial result; does nothing outside a job."""
    run = current()
    if run is not None:
        run.emit(partial)


def checkpoint(obj: object, step: float | None = None) -> None:
    """Keep where the work stands; does nothing outside a job."""
    run = current()
    if run is not None:
        run.checkpoint(obj, step)


def restore(default: Any = None) -> Any:
    """Return the newest checkpoint of the job, or ``default``."""
    run = current()
    return default if run is None else run.restore(default)


def save_file(path: str | Path, name: str | None = None) -> None:
    """Keep a file with the job; does nothing outside a job."""
    run = current()
    if run is not None:
        run.save_file(path, name)
