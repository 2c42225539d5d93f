"""The live card of a job: an anywidget that follows the store."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anywidget
import comm
import traitlets as t

from ..errors import ChutesError
from ..store import Store
from .actions import Actions, StoreActions
from .feeder import Feeder
from .static import JOB_MIME, TAIL_LINES, one_line, static_card
from .stream import Stream

STATIC = Path(__file__).parents[1] / "static"
# Lines that a page has before its first message, also from a kernel that is busy.
MODEL_LINES = 200


class JobCard(anywidget.AnyWidget):
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

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"
    job = t.Dict().tag(sync=True)
    tail = t.List(t.Unicode()).tag(sync=True)
    rev = t.Int().tag(sync=True)
    commands = t.List(t.Unicode()).tag(sync=True)

    def __init__(self, store: Store, job_id: str, actions: object = None) -> None:
        self._store = store
        self._actions = StoreActions(store) if actions is None else actions
        # Messages of pages come in the main thread and in subshell threads.
        self._streams_lock = threading.Lock()
        self._streams: dict[str, Stream] = {}
        self._job_id = job_id
        super().__init__(commands=Actions.offered(self._actions), **self._now())
        _free_from_the_cell(self.comm)
        self.on_msg(self._take)
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

    def _stream(self, job_id: str) -> Stream:
        with self._streams_lock:
            stream = self._streams.get(job_id)
            if stream is None:
                stream = self._streams[job_id] = Stream(self._store, job_id, self.send)
                Feeder.of(self._store).follow(stream)
            return stream

    def _take(self, _: object, message: dict[str, Any], __: object) -> None:
        if message.get("type") == "attach":
            stream = self._stream(message["job_id"])
            stream.answer(message.get("attempt"), message.get("offset"))
        elif message.get("type") == "command":
            answer = self._obey(message)
            self.send({"type": "answer", "id": message["id"]} | answer)

    def _obey(self, message: dict[str, Any]) -> dict[str, Any]:
        name, job_id = message["name"], message["job_id"]
        if name not in self.commands:
            return {"ok": False, "message": f"this card has no command {name!r}"}
        try:
            args = message.get("args") or {}
            value = getattr(self._actions, name)(job_id, **args)
        except ChutesError as error:
            return {"ok": False, "message": str(error)}
        except Exception as error:  # said at the button, or the page waits for ever
            return {"ok": False, "message": f"{type(error).__name__}: {error}"}
        if isinstance(value, str):  # a new job stands in this one's place from now on
            self._job_id = value
        return {"ok": True, "value": value if isinstance(value, (str, bool)) else None}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        made = super()._repr_mimebundle_(**kwargs)
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return dict(data) | static_bundle(self._store, self._job_id), metadata


def _free_from_the_cell(channel: Any) -> None:
    """Let a page's messages go to the subshell that they name.

    ipykernel 7.4 (``BaseComm._reply_subshell_for``) sends a page's message to the
    loop that used the comm last, which is the one of the running cell: a button
    would wait for its end. Kernels that do not know this name pass over it.
    """
    if hasattr(channel, "_reply_subshell_for"):
        channel._reply_subshell_for = lambda _, named: named


def static_bundle(store: Store, job_id: str) -> dict[str, Any]:
    """Make what stands for a job where no kernel lives: job MIME, HTML and text."""
    status = store.status(job_id)
    tail = store.tail(job_id, TAIL_LINES)
    return {
        JOB_MIME: {"version": 1, "job": status, "tail": tail},
        "text/html": static_card(status, tail),
        "text/plain": one_line(status),
    }


_cards: dict[tuple[Path, str], JobCard] = {}
_cards_lock = threading.Lock()


def card_bundle(store: Store, job_id: str, actions: object = None) -> dict[str, Any]:
    """MIME bundle of a job's card, with the live one where a kernel can feed it.

    The same job shown twice is one model with two views.
    """
    if comm.create_comm.__module__ == comm.__name__:  # no kernel has put in its own
        return static_bundle(store, job_id)
    with _cards_lock:
        card = _cards.get((store.home, job_id))
        if card is None or card.comm is None:
            card = _cards[store.home, job_id] = JobCard(store, job_id, actions)
    return card._repr_mimebundle_()[0]
