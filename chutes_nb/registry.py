"""What this process has defined last: its chutes, job functions and newest job."""

from __future__ import annotations

from sqlite3 import Row
from typing import Protocol

from .store.jobs import NewDefinition, NewJob


class Defines(Protocol):
    """Something that can say its code as it is now.

    Attributes
    ----------
    names : tuple of str
        Chute, name, and the chute's username.
    """

    names: tuple[str, str, str | None]

    def definition(self) -> NewDefinition:
        """Return the definition of the code as it is now."""

    def as_now(self, job: NewJob) -> NewJob:
        """Return a job's row with code and options as they are now."""

    def has_made(self, job: Row) -> bool:
        """Whether a job's row was made from code and options as they are now."""


class Named(Protocol):
    """A chute."""

    username: str
    name: str


# By chute, name and username.
_functions: dict[tuple[str, str, str | None], Defines] = {}
# By username and name, in the order in which they were made; of equal ones the last.
_chutes: dict[tuple[str, str], Named] = {}
_last_job: str | None = None
# Ids of all jobs of this process in the order of their submits, as keys.
_jobs: dict[str, None] = {}
_answered: set[str] = set()


def remember_chute(chute: Named) -> None:
    """Note a chute that this process made."""
    key = (chute.username, chute.name)
    _chutes.pop(key, None)
    _chutes[key] = chute


def last_chute() -> Named | None:
    """Return the chute that this process made last."""
    return next(reversed(_chutes.values()), None)


def chute_named(name: str) -> Named | None:
    """Return the last chute that NAME or USERNAME-NAME means in this process."""
    for said in ("{1}", "{0}-{1}"):
        for key, chute in reversed(_chutes.items()):
            if said.format(*key) == name:
                return chute
    return None


def remember_function(function: Defines) -> None:
    """Note which code a name stands for from now on."""
    _functions.pop(function.names, None)  # the newest stands last
    _functions[function.names] = function


def current_function(
    chute: str, name: str, username: str | None = None
) -> Defines | None:
    """Return what a name stands for in this process, or None.

    Parameters
    ----------
    username : str, optional
        Of the chute; by default what was defined last counts.
    """
    if username is not None:
        return _functions.get((chute, name, username))
    fits = [one for names, one in _functions.items() if names[:2] == (chute, name)]
    return fits[-1] if fits else None


def remember_jobs(ids: list[str]) -> None:
    """Note jobs that this process submitted."""
    global _last_job
    if ids:
        _last_job = ids[-1]
        _jobs.update(dict.fromkeys(ids))


def own_jobs() -> list[str]:
    """Return the jobs that this process submitted, in their order."""
    return list(_jobs)


def answer_for(job_id: str) -> None:
    """Note that this process was told of a job's bad end as an exception."""
    _answered.add(job_id)


def is_answered_for(job_id: str) -> bool:
    """Whether this process was told of a job's bad end as an exception."""
    return job_id in _answered


def last_job() -> str | None:
    """Return the job that this process submitted last."""
    return _last_job
