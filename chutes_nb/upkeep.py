"""Keeping the store: letting go of old jobs, copying, looking whether all is sound."""

from __future__ import annotations

from pathlib import Path

from . import runtime
from .errors import StoreError
from .sizes import read_size
from .spans import Span, not_negative
from .store import Pruned, Store


def prune(
    older_than: Span | None = None, keep_bytes: int | str | None = None
) -> Pruned:
    """Let go of ended jobs, with their logs, results, files and checkpoints.

    Jobs that wait or run always stay, and so do contents that any job needs. Without
    arguments only what no job needs is let go: no job is.

    Parameters
    ----------
    older_than : float, timedelta or str, optional
        Ended longer ago than this: seconds, or a text such as ``"30d"``.
    keep_bytes : int or str, optional
        What the jobs that stay may take, such as ``"2 GB"``; the oldest go first.

    Returns
    -------
    Pruned
        ``jobs``, ``files`` and ``bytes`` that were let go.

    Raises
    ------
    DefinitionError
        If ``older_than`` is no span of time.
    ValueError
        If ``keep_bytes`` is no size.
    StoreError
    """
    age = None if older_than is None else not_negative("older_than", older_than)
    size = None if keep_bytes is None else read_size("keep_bytes", keep_bytes)
    return runtime.store().prune(age, size)


def export_db(path: str | Path) -> Path:
    """Write a copy of the jobs and results to a new SQLite file.

    A file of one's own to query: the store itself must not be opened by another
    SQLite library. Logs and large results are not in it.

    Parameters
    ----------
    path : str or pathlib.Path
        Must not exist yet.

    Raises
    ------
    FileExistsError
    StoreError
    """
    target = Path(path).expanduser().absolute()
    try:
        runtime.store().copy_to(target)
    except FileExistsError as error:
        said = f"{target} is there already; name a new file, or remove this one"
        raise FileExistsError(said) from error
    return target


def mended(store: Store) -> str:
    """Mend a store that is damaged or has lost jobs; says what was done."""
    try:
        done = store.mend()
    except StoreError as error:
        return f"cannot be mended: {error}"
    return str(done) if done else "there was nothing to mend"
