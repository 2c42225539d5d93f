"""A store that holds a job of each kind, for the tests of who reads it."""

from __future__ import annotations

import json
import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from chutes_nb.policy import Ending, Verdict
from chutes_nb.states import State
from chutes_nb.store import Store, jobs, logs, runs
from chutes_nb.store.blobs import keep
from rows import DEFINITION, EXECUTOR, NOW, WORKER, add_crew, claim, queue

SCHEMA = {
    "title": "work",
    "type": "object",
    "properties": {
        "count": {"title": "Count", "type": "integer", "minimum": 1},
        "mode": {"title": "Mode", "enum": ["fast", "slow"], "default": "fast"},
        "rate": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": None},
        "config": {"$ref": "#/$defs/Config", "default": None},
    },
    "additionalProperties": False,
    "required": ["count"],
    "$defs": {
        "Config": {
            "title": "Config",
            "type": "object",
            "properties": {"epochs": {"type": "integer"}},
            "required": ["epochs"],
        }
    },
}
OPTIONS = {"retry": 2, "timeout_s": 60.0, "username": "me", "tags": ["t"]}
WORK = replace(
    DEFINITION,
    schema=json.dumps(SCHEMA),
    options=json.dumps(OPTIONS),
    python=str(Path(sys.executable).with_name("python-that-is-gone")),
)
TAKES_FILES = {
    "title": "takes",
    "type": "object",
    "properties": {
        "one": {"type": "string", "format": "binary"},
        "many": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "default": [],
        },
        "label": {"type": "string", "default": ""},
        "numbers": {"type": "array", "items": {"type": "integer"}, "default": []},
    },
    "additionalProperties": False,
    "required": ["one"],
}


class Canary:
    """Leaves a file behind when somebody unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def fill(store: Store, canary: Path) -> dict[str, str]:
    """Put definitions and jobs into a store; their ids by what they are."""
    trap = pickle.dumps(Canary(canary))
    with store.writing() as tx:
        add_crew(tx, EXECUTOR, WORKER)
        jobs.add_definition(tx, replace(WORK, code=trap, setup=trap))
        twins = {"key": "d2", "name": "twin"}
        jobs.add_definition(tx, replace(WORK, **twins))
        jobs.add_definition(
            tx, replace(WORK, **twins | {"key": "d3", "chute": "other"})
        )
        takes = json.dumps(TAKES_FILES)
        told = json.dumps({"upload": True, "username": "me"})
        jobs.add_definition(
            tx, replace(WORK, key="d4", name="takes", schema=takes, options=told)
        )
    ids = {}
    results = {
        "done": jobs.NewResult("json", b'{"n": 1}', "dict"),
        "pickled": jobs.NewResult(
            "pickle", trap, "pandas.DataFrame", json.dumps({"application/json": [1]})
        ),
    }
    with (store.home / "large").open("w+b") as large:
        large.write(b"[" + b"1," * 700_000 + b"1]")
        large.seek(0)
        blob = keep(large, store.blobs)
    view = json.dumps({"text/plain": "[1, ...]"})
    results["large"] = jobs.NewResult("json", None, "list", view, blob.sha256)
    for name, result in results.items():
        ids[name] = end(store, State.COMPLETED, result)
    ids["failed"] = end(
        store,
        State.FAILED,
        error={"type": "ValueError", "message": "no", "traceback": "Trace"},
    )
    ids["cancelled"] = end(store, State.CANCELLED)
    ids["running"] = queue(store, input_kind="pickle", input=trap)
    assert claim(store) == ids["running"]
    ids["queued"] = queue(store)
    with store.writing_logs() as tx:
        text = "".join(f"line {n} ä\n" for n in range(1000))
        logs.add(tx, ids["done"], 1, 0, text.encode())
    return ids


def end(
    store: Store,
    state: State,
    result: jobs.NewResult | None = None,
    error: dict[str, Any] | None = None,
) -> str:
    """A job that has ended."""
    job = queue(store)
    assert claim(store) == job
    with store.writing() as tx:
        ending = Ending(state, None if result else f"it {state}", error)
        jobs.finish(tx, job, 1, WORKER, ending, Verdict(state), NOW + 1, result)
        if result is not None:
            runs.set_state(tx, job, 1, '{"epoch": 3}', None, NOW)
            runs.add_metrics(tx, job, 1, [("loss", 1.0, 0.5)], NOW)
    return job
