"""``GET metrics``: what Prometheus may want to know, and who can be submitted to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..orders import definition_named
from ..processes import is_held
from ..store import Store, fleet
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
                lines += [f'{name}{{state="{k}"}} {v}' for k, v in value.items()]
            else:
                lines.append(f"{name} {value}")
        self.finish("\n".join(lines) + "\n", set_content_type=TEXT)


HELP = {
    "chutes_jobs": "Jobs in the store by state.",
    "chutes_revision": "Revision of the store.",
    "chutes_executors_live": "Kernels and hosts that run jobs.",
    "chutes_event_streams": "Open event streams of this server.",
    "chutes_uploads_open": "Uploads that are not finished.",
}


def _figures(store: Store) -> dict[str, Any]:
    rows = fleet.live_executors(store.reader)
    return {
        "chutes_jobs": store.counts(),
        "chutes_revision": store.rev(),
        "chutes_executors_live": sum(_lives(row["lease"]) for row in rows),
    }


def _lives(lease: str) -> bool:
    try:
        return is_held(Path(lease))
    except OSError:  # the runtime folder may be another user's by now
        return False


class Schema(ChutesHandler):
    """``GET schema/NAME``."""

    async def get(self, name: str, scope: str | None = None) -> None:
        """Answer the parameters of a job as JSON schema."""
        row = await self.read(definition_named, name, scope)
        self.answer(json.loads(row["schema"]))
