"""Definitions and jobs of ``executor="kernel"``: rows that tell of them, no pickles."""

from __future__ import annotations

import functools
import secrets
from typing import Any

from . import live, runtime
from .binding import bind
from .captures import captures
from .codec import Encoded, encode
from .definer import Definer
from .definition import Definition, fingerprint, outline, sources_of
from .pickling import pickled
from .store import jobs, kernel

STORED_BYTES = 1_000_000  # inputs up to here are kept for a later retry


class LiveDefiner(Definer):
    """Makes the definition of a job function that runs in its own kernel.

    Its row has no code that another process could run, and belongs to this kernel's
    executor alone.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._home: str | None = None
        self._live: live.Live | None = None

    def define(self) -> Definition:
        """Return what is to be told of the function."""
        return outline(self.function, self.name, self.signature)

    def definition(self) -> jobs.NewDefinition:
        """Return the definition row, the same as long as the executor is."""
        return self._current().definition

    def _current(self) -> live.Live:
        executor = runtime.executor()
        if self._live is None or self._home != executor.id:
            self._home = executor.id
            self._live = self._alive()
            live.remember(self._live)
            executor.look()  # a job may have waited for just this name
        return self._live

    def _alive(self) -> live.Live:
        found = self.define()
        function = self.function
        return live.Live(
            definition=self.row(found, key=secrets.token_hex(16), setup=b""),
            function=function,
            chute=self.chute,
            retry_on=self.options.retry_on,
            takes_self=found.takes_self,
            wants_output_dir=found.wants_output_dir,
            uploads=found.upload_parameters,
            bind=functools.partial(bind, self.signature),
            sources=lambda: sources_of(captures(function)),
        )

    def told_options(self) -> dict[str, Any]:
        """Return the options, and whose kernel the function is in."""
        return super().told_options() | {"home": self._home}

    def fingerprint(self) -> str:
        """Return what stays the same while code and captured values do."""
        found = fingerprint(self.function, self.name, self.signature)
        return self.with_more(found)

    def stored(self, arguments: dict[str, Any]) -> Encoded:
        """Encode arguments for their row, where they are small and can be."""
        try:
            pickled(arguments, most_bytes=STORED_BYTES)
            return encode(arguments)
        except Exception:  # a live object: what its pickling raises is not bounded
            return Encoded("json", kernel.NOT_STORED, "dict", False)

    def hold(self, job: str, arguments: dict[str, Any]) -> None:
        """Keep arguments as they are until their job has ended."""
        live.hold(job, self._current(), arguments)
