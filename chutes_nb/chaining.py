"""From a job and a function to a job that takes the first one's result."""

from __future__ import annotations

import json
import time

from . import registry, runtime
from .definer import Definer
from .errors import JobNotFound
from .payloads import PAYLOAD
from .store import Store, jobs
from .store.ids import new_id
from .submitting import origin, submit


def follow(store: Store, before: str, function: object) -> str:
    """Queue a job whose payload is another job's result; returns its id.

    Parameters
    ----------
    before : str
        Id of the job that gives the result.
    function : JobFunction

    Raises
    ------
    TypeError
        If it is no job function.
    JobNotFound
        If there is no job ``before``.
    """
    definer = getattr(function, "definer", None)
    if not isinstance(definer, Definer):
        raise TypeError(
            f"then({function!r}): a job function is wanted, one that @chute.job made"
        )
    if jobs.state(store.reader, before) is None:
        raise JobNotFound(f"no job has the id {before!r}")
    definition = definer.definition()
    now = time.time()
    notebook, cell = origin()
    new = jobs.NewJob(
        id=new_id(),
        chute=definer.chute.name,
        name=definer.name,
        definition=definition.key,
        input_kind=PAYLOAD,
        input=b"",
        inputs=json.dumps({"the result of": before}),
        submitted_at=now,
        notebook=notebook,
        cell=cell,
        after=before,
        waits=True,
        **definer.options.terms(now),
    )
    (job_id,) = submit(definition, [new]).result()
    registry.remember_jobs([job_id])
    runtime.executor().look()
    return job_id
