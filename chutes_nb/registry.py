"""What this process has defined last: its chutes, job functions and newest job."""

from __future__ import annotations

from typing import Protocol

from .store.jobs import NewDefinition, NewJob


class Defines(Protocol):
    """Something that can say its code as it is now."""

    def definition(self) -> NewDefinition:
        """Return the definition of the code as it is now."""

    def as_now(self, job: NewJob) -> NewJob:
        """Return a job's row with code and options as they are now."""


_functions: dict[tuple[str, str], Defines] = {}
_last_job: str | None = None
# Ids of all jobs of this process in the order of their submits, as keys.
_jobs: dict[str, None] = {}
_answered: set[str] = set()


def remember_function(chute: str, name: str, function: Defines) -> None:
    """Note which code a name stands for from now on."""
    _functions[chute, name] = function


def current_function(chute: str, name: str) -> Defines | None:
    """Return what a name stands for in this process, or None."""
    return _functions.get((chute, name))


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
