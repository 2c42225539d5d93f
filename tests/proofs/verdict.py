"""What a proof says: whether the promise held, and the figures that show it."""

from __future__ import annotations

from typing import NamedTuple


class Verdict(NamedTuple):
    """The outcome of one proof.

    Attributes
    ----------
    holds : bool
    words : str
        What was done, and what was seen, in figures.
    """

    holds: bool
    words: str
