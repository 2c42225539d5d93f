"""``GET metrics``: what Prometheus may want to know, and who can be submitted to."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ..orders import definition_named
from ..processes import is_held
from ..store import Store, fleet, wire
from .base import ChutesHandler

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics(ChutesHandler):
    """``GET metrics``."""

    async def get(self) -> None:
        """Answer in Prometheus' text format."""
        figures = await self.read(_figures)
        uploads = await self.desk.ask(self.desk.uploads)
        figures["chutes_event_streams"] = self.desk.news.streams
        figures["chutes_uploads_open"] = await self.desk.ask(uploads.count)
        lines = []
        for name, value in figures.items():
            lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge"]
            if isinstance(value, dict):
                label = LABELS[name]
                lines += [f'{name}{{{label}="{k}"}} {v}' for k, v in value.items()]
            else:
                lines.append(f"{name} {value}")
        self.finish("\n".join(lines) + "\n", set_content_type=TEXT)


HELP = {
    "chutes_jobs": "Jobs in the store by state.",
    "chutes_oldest_waiting_seconds": "Age of the queued job that waits longest.",
    "chutes_store_bytes": "Size of the store's files.",
    "chutes_revision": "Revision of the store.",
    "chutes_executors_live": "Kernels and hosts that run jobs.",
    "chutes_event_streams": "Open event streams of this server.",
    "chutes_uploads_open": "Uploads that are not finished.",
}
LABELS = {"chutes_jobs": "state", "chutes_store_bytes": "file"}
FILES = ("store.db", "store.db-wal", "logs.db", "logs.db-wal")


def _figures(store: Store) -> dict[str, Any]:
    since = wire.oldest_waiting(store.reader)
    rows = fleet.live_executors(store.reader)
    return {
        "chutes_jobs": store.counts(),
        "chutes_oldest_waiting_seconds": 0.0
        if since is None
        else max(0.0, time.time() - since),
        "chutes_store_bytes": {name: _size(store.home / name) for name in FILES},
        "chutes_revision": store.rev(),
        "chutes_executors_live": sum(_lives(row["lease"]) for row in rows),
    }


def _size(path: Path) -> int:
    """Ask the folder; a file of the store is never opened beside SQLite."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _lives(lease: str) -> bool:
    try:
        return is_held(Path(lease))
    except OSError:  # the runtime folder may be another user's by now
        return False


class Schema(ChutesHandler):
    """``GET schema/NAME``."""

    async def get(self, name: str, scope: str | None = None) -> None:
        """Answer the parameters of a job as JSON schema, and what a form says beside.

        ``x-chutes`` has the chute, the limits of a run, and whether parameters of
        format ``binary`` take files.
        """
        row = await self.read(definition_named, name, scope)
        told = json.loads(row["options"])
        names = ("upload", "timeout_s", "retry")
        about = {"chute": row["chute"]} | {one: told.get(one) for one in names}
        self.answer(json.loads(row["schema"]) | {"x-chutes": about})
