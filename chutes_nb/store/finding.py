"""Which job a text stands for: a whole id, its beginning or its ending."""

from __future__ import annotations

from ..errors import JobNotFound
from . import jobs
from .db import Transaction
from .ids import ALPHABET

BY_PREFIX = "SELECT id FROM jobs WHERE id >= :low AND id < :high LIMIT 2"
BY_ENDING = "SELECT id FROM jobs WHERE id LIKE '%' || :ending ORDER BY seq DESC LIMIT 2"
_ID_LETTERS = frozenset(ALPHABET)


def find(tx: Transaction, hint: str) -> str:
    """Return the id that a whole id, a beginning or an ending of one stands for.

    Raises
    ------
    JobNotFound
        If no job answers, or more than one.
    """
    if not isinstance(hint, str):
        raise JobNotFound(f"{hint!r:.80} is no id of a job: a text is wanted")
    if jobs.state(tx, hint) is not None:
        return hint
    if hint and set(hint) <= _ID_LETTERS:
        low = {"low": hint, "high": hint[:-1] + chr(ord(hint[-1]) + 1)}
        for rows in (tx.all(BY_PREFIX, low), tx.all(BY_ENDING, {"ending": hint})):
            if len(rows) == 1:
                return str(rows[0][0])
            if rows:
                raise JobNotFound(f"more than one job answers to {hint!r}: say more")
    raise JobNotFound(
        f"no job has the id {hint!r:.80}; chutes_nb.jobs() and 'chutes-nb ls' list them"
    )
