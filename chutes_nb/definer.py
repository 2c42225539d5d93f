"""From a function and its options to the definition row that its jobs share."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from hashlib import sha256
from sqlite3 import Row
from types import FunctionType
from typing import Any

from . import comparing, log_settings, payloads, reusing, runtime, warning_filters
from .arguments import packed
from .binding import bind
from .captures import Capture, captures
from .chute_facts import ChuteFacts, Surroundings
from .codec import Encoded, decode
from .definition import Definition, define, sources_of
from .digests import input_digest, with_sources, with_values
from .errors import DefinitionError
from .loading import load_value
from .options import JobOptions
from .paths import interpreter
from .pickling import dump, pickled, pickled_members, warn_user
from .signatures import Signature
from .store import jobs
from .views import preview
from .wording import kind_of


class Definer:
    """Makes and keeps the definition row of one job function."""

    def __init__(
        self,
        chute: ChuteFacts,
        function: FunctionType,
        name: str,
        signature: Signature,
        options: JobOptions,
    ) -> None:
        self.chute, self.function, self.name = chute, function, name
        self.signature, self.options = signature, options
        self.names = (chute.name, name, chute.values.get("username"))
        self._made: tuple[Surroundings, jobs.NewDefinition] | None = None

    def define(self) -> Definition:
        """Return the function as it would travel now."""
        blobs = runtime.store().blobs
        return define(self.function, self.name, signature=self.signature, blobs=blobs)

    def definition(self) -> jobs.NewDefinition:
        """Return the definition row of the code as it is now.

        Warns
        -----
        CaptureWarning
            For names that nothing defines; see also ``pickling.dump``.
        """
        found = self.define()
        if found.missing:
            warn_user(
                f"job {self.name} uses {', '.join(found.missing)}, which nothing "
                "defines, and raises NameError where it does; define it and submit "
                "again"
            )
        row = self._definition(found)
        comparing.remember(row.key, self.function, found.marks)
        return row

    def _definition(self, found: Definition) -> jobs.NewDefinition:
        told = log_settings.told(found.loggers), warning_filters.told()
        mark = found.key, found.sources, *told
        if self._made is not None and self._made[0].still_hold(mark, self.chute):
            return self._made[1]
        # What it depends on is noted first: a change meanwhile is seen next time.
        surroundings = Surroundings(mark, self.chute, self.options.retry_on)
        row = self._row(found)
        self._made = (surroundings, row)
        return row

    def captured(self) -> tuple[Capture, ...]:
        """Return what travels with the function, found without pickling it."""
        return captures(self.function).items

    def fingerprint(self) -> str:
        """Return what stays the same while code and captured values do."""
        return self.with_more(self.define().fingerprint)

    def with_more(self, fingerprint: str) -> str:
        """Add to a function's fingerprint what it reads of its chute, and elsewhere."""
        values = self.chute.all_values()
        fingerprint = with_values(fingerprint, self.function, values)
        return with_sources(fingerprint, self.function)

    def as_now(self, job: jobs.NewJob) -> jobs.NewJob:
        """Return a job's row with the code and the options that there are now.

        Raises
        ------
        BindingError, ValidationFailed
            If what the job was given does not fit the code any more.
        """
        given = (
            payloads.read(job.input, runtime.store().blobs)
            if job.input_kind == payloads.PAYLOAD
            else arguments_of(job.input_kind, job.input)
        )
        bound = bind(self.signature, given)
        encoded = self.stored(bound)
        definition = self.definition().key
        self.hold(job.id, bound)
        reuse_key = job.reuse_key
        if not reusing.is_named(reuse_key) and (reuse_key or self.options.reuse):
            reuse_key = self.reuse_key(bound, encoded)
        return replace(
            job,
            definition=definition,
            reuse_key=reuse_key,
            input_kind=encoded.kind,
            input=encoded.body,
            **self.options.terms(job.submitted_at),
        )

    def has_made(self, job: Row) -> bool:
        """Whether a job's row was made from code and options as they are now."""
        return self.options.have_made(job, self.definition().key)

    def reuse_key(self, arguments: dict[str, Any], encoded: Encoded) -> str:
        """Name a job by the code as it is now and what it is given.

        Raises
        ------
        BindingError
            If what it is given cannot be stored, and so not be compared.
        """
        given = reusing.without_defaults(arguments, self.signature.defaults)
        if len(given) < len(arguments):
            arguments, encoded = given, self.stored(given)
        digest = input_digest(self.signature, arguments, encoded, self.stored)
        return reusing.by_input(self.fingerprint(), digest)

    def stored(self, arguments: dict[str, Any]) -> Encoded:
        """Encode arguments for the row of their job."""
        return packed(arguments, self.name, runtime.store().blobs)

    def hold(self, job: str, arguments: dict[str, Any]) -> None:
        """Keep arguments for a job that runs here; others read them from its row."""

    def _row(self, found: Definition) -> jobs.NewDefinition:
        setup = self._setup(found)
        key = sha256(found.key.encode() + setup).hexdigest()[:32]
        return self.row(found, key, setup)

    def row(self, found: Definition, key: str, setup: bytes) -> jobs.NewDefinition:
        """Return a definition as the store takes it."""
        texts = dict(found.sources)
        for one in self.chute.functions():  # tracebacks show their lines too
            texts |= sources_of(captures(one))
        sources = {name: [cell, text] for name, (cell, text) in texts.items()}
        mark = self.with_more(found.fingerprint) if found.fingerprint else key
        told = self.told_options() | {"fingerprint": mark}
        return jobs.NewDefinition(
            key=key,
            chute=self.chute.name,
            name=self.name,
            code=found.code,
            setup=setup,
            source=found.source,
            first_line=found.first_line,
            sources=json.dumps(sources),
            schema=json.dumps(found.schema),
            options=json.dumps(preview(told, is_read_back=True), allow_nan=False),
            python=interpreter(),
            created_at=time.time(),
        )

    def setup_facts(self) -> dict[str, Any]:
        """Return what a worker needs that depends on where it runs."""
        return {}

    def told_options(self) -> dict[str, Any]:
        """Return what a server needs to know to queue a job of this definition."""
        return vars(self.options) | {"username": self.chute.values.get("username")}

    def _signature(self) -> bytes | None:
        """Pickle the signature by itself: only payloads nobody has bound need it."""
        try:
            return pickled(self.signature, blobs=runtime.store().blobs).body
        except Exception:  # a default may be anything; the worker reads it anew then
            return None

    def _setup(self, found: Definition) -> bytes:
        """Pickle what a worker needs beside the function."""
        blobs = runtime.store().blobs
        hooks = [dump(hook, blobs=blobs).body for hook in self.chute.hooks]
        mark = sha256(b"".join(hooks)).hexdigest()[:16]
        retry_on, members = self.options.retry_on, self.chute.members
        username = self.chute.values.get("username")
        try:
            along = pickled_members(members, blobs).body
            values = pickled(self.chute.values, blobs=blobs).body
            return pickled(
                {
                    "chute_key": f"{username}/{self.chute.name}:{mark}",
                    "values_key": sha256(values + along).hexdigest()[:16],
                    "chute": self.chute.values,
                    "members": along,
                    "hooks": hooks,
                    "retry_on": retry_on,
                    "has_mutable": found.has_mutable,
                    "path": [os.path.abspath(one) for one in sys.path],
                    "folder": os.getcwd(),
                    "uploads": dict(found.upload_parameters),
                    "logging": log_settings.told(found.loggers),
                    "warnings": warning_filters.told(),
                    "signature": self._signature(),
                    "takes_self": found.takes_self,
                    "wants_output_dir": found.wants_output_dir,
                }
                | self.setup_facts(),
                blobs=blobs,
            ).body
        except (TypeError, AttributeError) as error:
            raise DefinitionError(
                f"job {self.name} takes its chute along, whose {self._staying()} "
                f"cannot travel: {error}; set it in a @chute.on_startup() hook"
            ) from error

    def _staying(self) -> str:
        """Name what of the chute cannot be pickled."""
        blobs = runtime.store().blobs
        for name, value in (self.chute.members | self.chute.values).items():
            try:
                pickled(value, blobs=blobs)
            except (TypeError, AttributeError):
                return f"attribute {name}, {kind_of(value)},"
        return "retry_on"


def arguments_of(kind: str, body: bytes) -> Any:
    """Read what a job was given, as its row has it."""
    if kind == "pickle":
        return load_value(body, None, runtime.store().blobs)
    return decode(kind, body)
