"""The live card of a job: an anywidget that follows the store."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import comm
import traitlets as t

from ..snapshots import job_bundle
from ..store import Store
from .live import LiveWidget

# Lines that a page has before its first message, also from a kernel that is busy.
MODEL_LINES = 200


class JobCard(LiveWidget):
    """What a cell shows of a job.

    Parameters
    ----------
    store : Store
    job_id : str
    actions : object, optional
        Answers the card's commands, see :class:`Actions`; by default those that
        the store alone can answer.

    Raises
    ------
    JobNotFound
    """

    job = t.Dict().tag(sync=True)
    tail = t.List(t.Unicode()).tag(sync=True)
    rev = t.Int().tag(sync=True)

    def __init__(self, store: Store, job_id: str, actions: object = None) -> None:
        self._job_id = job_id
        self._store = store
        super().__init__(store, actions, kind="card", **self._now())
        if not isinstance(self.comm, comm.DummyComm):
            self._stream(job_id)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Return the traits, with the job as it is now: pages loaded later ask."""
        state = super().get_state(key, drop_defaults)
        return state | self._now() if key is None else state

    def _now(self) -> dict[str, Any]:
        status = self._store.status(self._job_id)
        tail = self._store.tail(self._job_id, MODEL_LINES)
        return {"job": status, "tail": tail, "rev": status["rev"]}

    def _moved(self, job_id: str) -> None:
        self._job_id = job_id

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        made = super()._repr_mimebundle_(**kwargs)
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return dict(data) | job_bundle(self._store, self._job_id), metadata


_cards: dict[tuple[Path, str], JobCard] = {}
_cards_lock = threading.Lock()


def card_bundle(store: Store, job_id: str, actions: object = None) -> dict[str, Any]:
    """MIME bundle of a job's card, with the live one where a kernel can feed it.

    The same job shown twice is one model with two views.
    """
    if comm.create_comm.__module__ == comm.__name__:  # no kernel has put in its own
        return job_bundle(store, job_id)
    with _cards_lock:
        card = _cards.get((store.home, job_id))
        if card is None or card.comm is None:
            card = _cards[store.home, job_id] = JobCard(store, job_id, actions)
    return card._repr_mimebundle_()[0]
