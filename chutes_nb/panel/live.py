"""What a card and the panel share: a widget that answers its pages from the store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets as t

from ..errors import ChutesError
from ..store import Store, intake
from ..store.blobs import blob_path
from .actions import Actions, StoreActions
from .feeder import Feeder
from .stream import Stream

STATIC = Path(__file__).parents[1] / "static"
# A server closes the connection at a message of 10 MiB.
PIECE_BYTES = 1 << 20


class LiveWidget(anywidget.AnyWidget):
    """An anywidget whose pages follow jobs and ask for things.

    Parameters
    ----------
    store : Store
    actions : object, optional
        Answers the commands of the pages, see :class:`Actions`; by default those
        that the store alone can answer.
    **traits
        First values of the widget's traits.
    """

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"
    kind = t.Unicode().tag(sync=True)
    commands = t.List(t.Unicode()).tag(sync=True)

    def __init__(self, store: Store, actions: object = None, **traits: Any) -> None:
        self._store = store
        self._actions = StoreActions(store) if actions is None else actions
        # Messages of pages come in the main thread and in subshell threads.
        self._streams_lock = threading.Lock()
        self._streams: dict[str, Stream] = {}
        super().__init__(commands=Actions.offered(self._actions), **traits)
        free_from_the_cell(self.comm)
        self.on_msg(self._take)

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
        elif "id" in message:
            buffers: list[bytes] = []
            said = self._answer(message, buffers)
            self.send({"type": "answer", "id": message["id"]} | said, buffers)

    def _answer(
        self, message: dict[str, Any], buffers: list[bytes] | None = None
    ) -> dict[str, Any]:
        """Answer a question of a page; bytes of files go into ``buffers``."""
        kind = message.get("type")
        if kind == "ping":
            return {"ok": True, "value": True}
        if kind == "file":
            return answer_of(lambda: self._piece(message, buffers))
        return answer_of(lambda: self._obey(message))

    def _obey(self, message: dict[str, Any]) -> Any:
        """Do what a page asks for; returns what it is told.

        Raises
        ------
        ChutesError
        """
        name, job_id = message["name"], message["job_id"]
        if name not in self.commands:
            raise ChutesError(f"this card has no command {name!r}")
        args = message.get("args") or {}
        value = getattr(self._actions, name)(job_id, **args)
        if isinstance(value, str):
            self._moved(value)
        return value if isinstance(value, (str, bool)) else None

    def _piece(
        self, message: dict[str, Any], buffers: list[bytes] | None
    ) -> dict[str, Any]:
        """Read the next piece of a job's file for a page that no server serves.

        Raises
        ------
        ChutesError
            If there is no such file, or its content is gone.
        """
        job_id, n = message["job_id"], int(message["n"])
        row = intake.file(self._store.reader, job_id, n)
        if row is None:
            raise ChutesError(f"job {job_id} has no file number {n}")
        try:
            with blob_path(self._store.blobs, row["sha256"]).open("rb") as source:
                source.seek(max(0, int(message["offset"])))
                body = source.read(PIECE_BYTES)
        except OSError as error:
            raise ChutesError(
                f"the content of {row['name']} is not in the store any more"
            ) from error
        if buffers is not None:
            buffers.append(body)
        return {"size": row["size"], "type": row["type"]}

    def _moved(self, job_id: str) -> None:
        """Take note of a new job that stands in an old one's place."""


def answer_of(question: Callable[[], Any]) -> dict[str, Any]:
    """Put what a page asked for, or why there is none, into the shape of an answer."""
    try:
        return {"ok": True, "value": question()}
    except ChutesError as error:
        said = {"message": str(error), "kind": type(error).__name__}
        return {"ok": False, "details": getattr(error, "details", [])} | said
    except Exception as error:  # said at the button, or the page waits for ever
        said = {"message": f"{type(error).__name__}: {error}", "kind": "Error"}
        return {"ok": False, "details": []} | said


def free_from_the_cell(channel: Any) -> None:
    """Let a page's messages go to the subshell that they name.

    ipykernel 7.4 (``BaseComm._reply_subshell_for``) sends a page's message to the
    loop that used the comm last, which is the one of the running cell: a button
    would wait for its end. Kernels that do not know this name pass over it.
    """
    if hasattr(channel, "_reply_subshell_for"):
        channel._reply_subshell_for = lambda _, named: named
