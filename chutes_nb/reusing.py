"""The names by which a job is given back instead of a new one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .errors import DefinitionError
from .store.jobs import BY_INPUT
from .store.jobs import READS_FILES as READS_FILES

MOST_KEY_CHARACTERS = 1000
NAMED = "key:"
PLAIN = (type(None), bool, int, float, str)


def by_key(username: str | None, chute: str, name: str, key: object) -> str:
    """Name a job by what its user calls it; the same in a notebook and by HTTP.

    Parameters
    ----------
    username : str or None
        Of the chute: two users' chutes may have one name, and other jobs.

    Raises
    ------
    DefinitionError
        If the key is no text, or has none or too many characters.
    """
    if not isinstance(key, str) or not 0 < len(key) <= MOST_KEY_CHARACTERS:
        raise DefinitionError(
            f"key={key!r:.80} must be a text of 1 to {MOST_KEY_CHARACTERS} characters"
        )
    return f"{NAMED}{username}/{chute}/{name}/{key}"


def by_other_code(reuse_key: str | None, code: str) -> str | None:
    """Name a job that is made again, with the same input and other code.

    A name that is its user's stays: it does not ask for the code.

    Parameters
    ----------
    code : str
        As :func:`by_input` takes it.
    """
    if reuse_key is None or is_named(reuse_key):
        return reuse_key
    return by_input(code, reuse_key.rpartition("/")[2])


def is_named(reuse_key: str | None) -> bool:
    """Whether a name is its user's, and so not by code and input."""
    return reuse_key is not None and reuse_key.startswith(NAMED)


def by_input(code: str, digest: str) -> str:
    """Name a job by its code and what it is given.

    Parameters
    ----------
    code : str
        The definition's fingerprint: the same while code and captured values are.
    digest : str
        From :func:`digest_of` where JSON says all that the job is given.
    """
    return f"{BY_INPUT}{code}/{digest}"


def is_wanted(reuse: object, option: bool) -> bool:
    """Whether a job of the same code and input will do; ``option`` unless said.

    Raises
    ------
    DefinitionError
    """
    if reuse is not None and not isinstance(reuse, bool):
        raise DefinitionError(f"reuse={reuse!r} must be True or False")
    return option if reuse is None else reuse


def without_defaults(
    arguments: dict[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Leave out what says only what would be without it: ``y=2`` for ``f(x, y=2)``.

    Of plain values alone: whether others are equal is theirs to say, at any cost.
    """
    return {
        name: value
        for name, value in arguments.items()
        if name not in defaults
        or type(value) not in PLAIN
        or type(value) is not type(defaults[name])
        or value != defaults[name]
    }


def digest_of(arguments: dict[str, Any], files: dict[str, Any]) -> str:
    """Hash arguments of JSON, whatever their order, and the contents of files."""
    said = json.dumps([_plain(arguments), files], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Write a number in one way: 1.0 equals 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
