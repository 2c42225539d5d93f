"""The panel of all jobs: a widget that lists, filters and opens them."""

from __future__ import annotations

import time
from html import escape
from typing import Any

from ..showing import is_headless
from ..store import Store
from .feeder import Feeder
from .live import LiveWidget
from .static import one_line

STATIC_JOBS = 20
MOST_ROWS = 1000


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
        wanted = {name: message.get(name) or None for name in ("status", "name")}
        found, cursor = self._store.jobs(
            **wanted,
            text=message.get("text") or None,
            before=message.get("before"),
            limit=min(int(message["limit"]), MOST_ROWS),
        )
        return {"jobs": found, "next": cursor, "counts": self._store.counts()}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        made = super()._repr_mimebundle_(**kwargs)
        data, metadata = made if isinstance(made, tuple) else (made or {}, {})
        if is_headless():  # a saved widget would be drawn instead of the list
            data, metadata = {}, {}
        return dict(data) | static_list(self._store), metadata


def static_list(store: Store) -> dict[str, Any]:
    """Make what stands for the panel where no kernel lives: the newest jobs."""
    found, _ = store.jobs(limit=STATIC_JOBS)
    lines = [one_line(status) for status in found] or ["No jobs yet."]
    rows = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return {
        "text/html": f'<ul aria-label="Chutes jobs">{rows}</ul>',
        "text/plain": "\n".join(lines),
    }
