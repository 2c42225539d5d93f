"""What a user may do to a job from its card."""

from __future__ import annotations

from typing import Any

from ..store import Store

# Name of a command on the wire, and of the method that answers it.
COMMANDS = ("cancel", "retry", "retry_current", "extend", "delete")


class Actions:
    """The root of what answers a card's commands.

    A card offers the commands whose methods are there: ``cancel(job_id)``,
    ``retry(job_id, resume)`` and ``retry_current(job_id, resume)``, which give the
    new job's id, ``extend(job_id, seconds)`` and ``delete(job_id)``.
    """

    @classmethod
    def offered(cls, actions: object) -> list[str]:
        """Return the commands that an object can answer, in the card's order."""
        return [name for name in COMMANDS if callable(getattr(actions, name, None))]


class StoreActions(Actions):
    """The commands that are a row in the store and need nobody else.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def cancel(self, job_id: str) -> bool:
        """Ask for a job to be cancelled; False if it had ended."""
        return self._store.request_cancel(job_id, by="the user, on its card")

    def extend(self, job_id: str, seconds: float) -> Any:
        """Ask for more seconds for the running attempt."""
        return self._store.request_extend(job_id, seconds)

    def delete(self, job_id: str) -> bool:
        """Forget an ended job, its log, result and files.

        Raises
        ------
        JobNotFound
        StoreError
            If it has not ended.
        """
        self._store.delete(job_id)
        return True
