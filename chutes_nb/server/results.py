"""``GET jobs/ID/results``: what a job returned, never unpickled here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..answers import partials, result
from .base import ChutesHandler
from .jobs import LookAtJob

PIECE_BYTES = 256 << 10


class Results(LookAtJob):
    """``GET jobs/ID/results``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer the result; 202 while there is none."""
        found = await self.when_ready(scope, job, result)
        if found.blob is None:
            self.answer(found.body, found.status)
        else:
            await self._stream(found.body, found.blob)

    async def _stream(self, body: dict[str, Any], blob: Path) -> None:
        """Put a file with JSON into the answer without reading it whole."""
        self.set_header("Content-Type", "application/json")
        if self.wants_headers_alone:
            await self.end_headers()
            return
        rest = json.dumps({k: v for k, v in body.items() if k != "result"})
        with blob.open("rb") as source:
            self.write(rest[:-1] + ', "result": ')
            while piece := await self.desk.ask(source.read, PIECE_BYTES):
                self.write(piece)
                await self.flush()
        self.finish("}")


class Partial(ChutesHandler):
    """``GET jobs/ID/partial``."""

    async def get(self, job: str, scope: str | None = None) -> None:
        """Answer what a job has emitted so far, in order."""
        self.answer({"partial": await self.of_job(scope, job, partials)})
