"""A function that can be submitted as a job, and still be called."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Iterable
from types import FunctionType
from typing import Any, Self

from . import forms, registry, runtime
from .chute_facts import ChuteFacts
from .dask_definer import DaskDefiner
from .definer import Definer
from .definition import Definition
from .errors import BindingError, ValidationFailed, brief
from .group import JobGroup
from .job import CardActions, Job
from .live_definer import LiveDefiner
from .options import JobOptions
from .panel import RunForm
from .payloads import payload_of
from .remarks import Remarks
from .signatures import Signature, inspect_function
from .sizes import approximate_size, shown_size
from .startup import ChuteHere
from .submitting import bound_input, durable, new_job, submit
from .wording import kind_of
from .worker.inline import InlineJob, call_inline

DEFINERS: dict[str, type[Definer]] = {
    "process": Definer,
    "kernel": LiveDefiner,
    "dask": DaskDefiner,
}


class CheckReport:
    """What ``check`` found: the bound arguments, and what the job takes along.

    Attributes
    ----------
    arguments : dict
    captured : tuple of Capture
        ``name``, ``kind``, ``type`` and ``size_bytes`` of each, biggest first.
    modules : tuple of str
        Local modules whose code travels by value.
    missing : tuple of str
        Names that the code uses and nothing defines yet.
    code_bytes : int
        Size of the pickled function, without what is in files.
    file_bytes : int
        Size of the arrays and frames that are files, which workers map.
    """

    def __init__(self, arguments: dict[str, Any], found: Definition) -> None:
        self.arguments = arguments
        self.captured = tuple(sorted(found.captured, key=lambda one: -one.size_bytes))
        self.modules, self.missing = found.modules, found.missing
        self.code_bytes, self.file_bytes = len(found.code), found.buffer_bytes

    def __repr__(self) -> str:
        given = [
            f"{name} ({type(value).__name__}, {shown_size(approximate_size(value))})"
            for name, value in self.arguments.items()
        ]
        lines = [f"arguments: {', '.join(given) or 'none'}"]
        for one in self.captured:
            size = f", {shown_size(one.size_bytes)}" if one.size_bytes else ""
            lines.append(f"takes along: {one.name} ({one.kind}, {one.type}{size})")
        lines += [f"takes along: module {name}, with its code" for name in self.modules]
        if self.missing:
            lines.append(f"not defined yet: {', '.join(self.missing)}")
        files = shown_size(self.file_bytes)
        mapped = f", and {files} in files, which workers map" if self.file_bytes else ""
        lines.append(f"code: {shown_size(self.code_bytes)}{mapped}")
        return "\n".join(lines)


class JobFunction:
    """A function that can be submitted; calling it runs it here and now."""

    __chutes_inline__ = True

    def __init__(
        self,
        chute: object,
        facts: ChuteFacts,
        function: FunctionType,
        options: JobOptions,
    ) -> None:
        self._signature: Signature = inspect_function(function, upload=options.upload)
        self._chute, self._facts = chute, facts
        self.function = function
        self._options = options
        self.name = options.name or function.__name__
        functools.update_wrapper(self, function)
        kind = DEFINERS[options.executor]
        self.definer = kind(facts, function, self.name, self._signature, options)
        self._remarks = Remarks(facts.name, self.name, options.timeout_s)

    # -- submitting ------------------------------------------------------------
    def submit(self, *args: Any, **kwargs: Any) -> Job:
        """Queue a job; it is durable when this returns.

        Parameters
        ----------
        *args, **kwargs
            The function's arguments without ``self``; a single dict may also be a
            payload as :meth:`Chute.submit_job` takes it.

        Raises
        ------
        BindingError, ValidationFailed
            If they do not fit; nothing is queued then.
        """
        return self._queue(self._payload(args, kwargs))

    def _payload(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not args:
            return kwargs
        names = [one.name for one in self._signature.parameters]
        known = inspect.signature(self.function).parameters.values()
        has_more = any(one.kind is one.VAR_POSITIONAL for one in known)
        return payload_of(self.name, names, args, kwargs, has_more=has_more)

    def _queue(
        self, payload: Any, *, key: str | None = None, reuse: bool | None = None
    ) -> Job:
        definition = self.definer.definition()
        new = new_job(self.definer, definition, payload, key=key, reuse=reuse)
        self._remarks.make(stacklevel=3)
        (job_id,) = durable(submit(definition, [new]))
        registry.remember_jobs([job_id])
        return Job(job_id, runtime.store())

    async def submit_async(
        self, payload: Any, *, key: str | None = None, reuse: bool | None = None
    ) -> str:
        """Queue a job and return its id; see :meth:`Chute.submit_job`."""
        definition = self.definer.definition()
        new = new_job(self.definer, definition, payload, key=key, reuse=reuse)
        self._remarks.make(stacklevel=3)
        (job_id,) = await asyncio.wrap_future(submit(definition, [new]))
        registry.remember_jobs([job_id])
        return job_id

    def map(self, items: Iterable[Any]) -> JobGroup:
        """Queue a job for each item, in one commit.

        Parameters
        ----------
        items : iterable
            Each is bound as a payload is.

        Raises
        ------
        BindingError, ValidationFailed
            If one does not fit, with its number; nothing is queued then.
        """
        if not isinstance(items, Iterable):
            raise brief(
                TypeError(
                    f"{self.name}.map() takes the inputs of several jobs, such as a "
                    f"list, and makes a job of each; got {kind_of(items)}"
                )
            )
        definition = self.definer.definition()
        new = []
        for number, item in enumerate(items):
            try:
                new.append(new_job(self.definer, definition, item))
            except (BindingError, ValidationFailed) as error:
                error.args = (f"item {number}: {error}",)
                raise
        self._remarks.make(stacklevel=2)
        ids = durable(submit(definition, new)) if new else []
        registry.remember_jobs(ids)
        place = runtime.store()
        return JobGroup([Job(job_id, place) for job_id in ids])

    def options(self, **overrides: Any) -> JobFunction:
        """Return the same function with other options."""
        options = self._options.with_options(overrides)
        return JobFunction(self._chute, self._facts, self.function, options)

    def check(self, *args: Any, **kwargs: Any) -> CheckReport:
        """Try everything that a submit does, and queue nothing.

        Parameters
        ----------
        *args, **kwargs
            As :meth:`submit` takes them.

        Raises
        ------
        BindingError, ValidationFailed, DefinitionError, CaptureTooLarge
            As the submit would.
        """
        place = runtime.store()
        arguments = bound_input(self._signature, self._payload(args, kwargs), place)
        self.definer.stored(arguments)
        found = self.definer.define()
        return CheckReport(arguments, found)

    def form(self) -> RunForm:
        """Return the run form, as the last line of a cell shows it.

        It has a field for each parameter; what it submits is checked as by
        :meth:`submit`, and the card of the job appears under it.
        """
        return forms.run_form(self.definer, CardActions())

    # -- here and now ----------------------------------------------------------
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function here, with a ``self`` of its own; leaves no job."""
        takes_self = self._signature.takes_self
        here = ChuteHere(self._chute, self._facts)
        return call_inline(self.function, takes_self, here, args, kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        takes_self = self._signature.takes_self
        return InlineJob, (self.function, takes_self, self.name, self._chute)

    # Copied as functions are; a pickle has only what a job calls.
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        return f"<job {self.name} of chute {self._facts.name}>"
