"""The panel of all jobs: a widget that lists, filters and opens them."""

from __future__ import annotations

import time
from typing import Any

from .. import showing
from ..snapshots import JOBS_MIME, one_line, static_list
from ..store import Store, listing
from .feeder import Feeder
from .live import LiveWidget

STATIC_JOBS = 20
MOST_ROWS = 1000
FILTERS = ("status", "name", "tag", "notebook", "text")


class JobsPanel(LiveWidget):
    """What ``chute.panel()`` shows: every job of the store, newest first.

    Parameters
    ----------
    store : Store
    actions : object, optional
        As for a card.
    """

    def __init__(self, store: Store, actions: object = None) -> None:
        super().__init__(store, actions, kind="panel")
        self._since = store.rev()
        Feeder.of(store).follow(self)

    def tick(self) -> bool:
        """Send what has changed; False once the widget is closed."""
        if self.comm is None:
            return False
        while self._store.rev() > self._since:
            found = self._store.changes(self._since)
            self._since = found["rev"]
            self.send({"type": "news", "now": time.time(), "changes": found})
            if not found["more"]:
                break
        return True

    def _obey(self, message: dict[str, Any]) -> Any:
        if message.get("type") != "page":
            return super()._obey(message)
        wanted = {name: message.get(name) or None for name in FILTERS}
        return listing.answer(
            self._store.reader,
            **wanted,
            attempts=bool(message.get("attempts")),
            order=message.get("order") or "newest",
            before=message.get("before"),
            limit=min(int(message["limit"]), MOST_ROWS),
        )

    def _ipython_display_(self) -> None:
        """Show a list that the notebook's end brings up to date, with no front end."""
        if not showing.is_headless():
            raise NotImplementedError  # IPython goes on with the MIME bundle
        showing.show(lambda: board_bundle(self._store))

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        made = super()._repr_mimebundle_(**kwargs)
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        if showing.is_headless():  # a saved widget would be drawn instead of the list
            data, metadata = {}, {}
        return dict(data) | board_bundle(self._store), metadata


def board_bundle(store: Store) -> dict[str, Any]:
    """Make what stands for the panel where no kernel lives: the newest jobs."""
    found, _ = store.jobs(limit=STATIC_JOBS)
    counts = store.counts()
    lines = [one_line(status) for status in found] or ["No jobs yet."]
    return {
        JOBS_MIME: {"version": 1, "jobs": found, "counts": counts},
        "text/html": static_list(found, counts),
        "text/plain": "\n".join(lines),
    }
