"""The run form of a job: a widget with a field for each parameter, and its files."""

from __future__ import annotations

import threading
import weakref
from typing import Any, ClassVar, Protocol

import traitlets as t

from ..showing import is_headless
from ..store import Store
from ..uploads import UPLOADS, upload_limit
from .live import LiveWidget, answer_of, free_from_the_cell
from .receiving import Receiver
from .static_form import static_bundle


class Runner(Protocol):
    """What a form needs of the job that it runs."""

    def document(self) -> dict[str, Any]:
        """Return what the form shows, as JSON.

        ``chute``, ``name``, ``schema`` of the parameters, ``upload`` (whether binary
        parameters take files), ``timeout_s`` and ``retry``.
        """
        ...

    def submit(self, payload: dict[str, Any]) -> str:
        """Queue a job and return its id.

        Raises
        ------
        ChutesError
            A ``ValidationFailed`` says in ``details`` which fields are wrong.
        """
        ...


class RunForm(LiveWidget):
    """What ``job_function.form()`` shows.

    Parameters
    ----------
    store : Store
    runner : Runner
    actions : object, optional
        Answers the commands of the cards under the form, as for a card.
    """

    form = t.Dict().tag(sync=True)

    _runners: ClassVar[weakref.WeakValueDictionary[str, RunForm]] = (
        weakref.WeakValueDictionary()
    )

    def __init__(self, store: Store, runner: Runner, actions: object = None) -> None:
        self._runner = runner
        self._receiver = Receiver(store)
        limit = upload_limit(store.home / UPLOADS)
        document = runner.document() | {"limit": limit}
        super().__init__(store, actions, kind="form", form=document)
        # A page of JupyterLab names the form by this on a comm of its own.
        self.form = document | {"form": self.model_id}
        self._runners[self.model_id] = self

    @classmethod
    def runner_of(cls, form: str) -> Runner | None:
        """Return what a form of this process runs; None where it is not known."""
        found = cls._runners.get(form)
        return None if found is None else found._runner

    def _take(self, _: object, message: dict[str, Any], buffers: Any) -> None:
        if message.get("type") != "upload":
            super()._take(_, message, buffers)
            return
        said = answer_of(lambda: self._receiver.answer(message, buffers))
        self.send({"type": "answer", "id": message["id"]} | said)

    def _obey(self, message: dict[str, Any]) -> Any:
        if message.get("type") != "submit":
            return super()._obey(message)
        return self._runner.submit(message["payload"])

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        made = super()._repr_mimebundle_(**kwargs)
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        if is_headless():  # a saved widget would be drawn instead of the fields
            data, metadata = {}, {}
        return dict(data) | static_bundle(self.form), metadata


class FormLine:
    """The line of a page that draws the form itself and asks this kernel to run it.

    Parameters
    ----------
    channel : comm.base_comm.BaseComm
        Opened by the page.
    runner : Runner
    """

    def __init__(self, channel: Any, runner: Runner) -> None:
        self._channel, self._runner = channel, runner
        self._lock = threading.Lock()
        free_from_the_cell(channel)
        channel.on_msg(self._take)
        self._send({"type": "form", "form": runner.document()})

    def _take(self, message: dict[str, Any]) -> None:
        asked = message["content"]["data"]
        if asked.get("type") == "submit" and "id" in asked:
            said = answer_of(lambda: self._runner.submit(asked["payload"]))
            self._send({"type": "answer", "id": asked["id"]} | said)

    def _send(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._channel.send(message)
