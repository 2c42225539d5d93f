"""An attempt with all that it needs, packed for a cluster."""

from __future__ import annotations

import pickle
import re
import sys

from ..errors import StoreError
from ..loading import SPILLED
from ..store import Store, jobs
from ..store.blobs import blob_path
from ..store.db import Row
from .parcels import Spec, without_place

CONTENT = re.compile(rb"[0-9a-f]{64}")


def packed(store: Store, name: str, task: Row) -> bytes:
    """Pack a claimed attempt with all contents that it names.

    Raises
    ------
    StoreError
        If something of it cannot be read.
    """
    try:
        return pickle.dumps(_spec(store, name, task))
    except OSError as error:
        raise StoreError(f"what it needs cannot be read: {error}") from error


def _spec(store: Store, name: str, task: Row) -> Spec:
    found = store.reader.one(jobs.GET_DEFINITION, {"key": task["definition"]})
    assert found is not None  # held by a foreign key
    definition = jobs.NewDefinition(**dict(found))
    contents: dict[str, bytes] = {}
    named = [definition.code, definition.setup, task["input"]]
    while named:
        part = named.pop()
        for digest in {one.decode() for one in CONTENT.findall(part)}:
            path = blob_path(store.blobs, digest)
            if digest not in contents and path.exists():
                contents[digest] = content = path.read_bytes()
                if part.startswith(SPILLED):  # a long input, which names others
                    named.append(content.partition(b"\n")[0])
    checkpoint = store.load_checkpoint(task["id"])
    place = (definition, without_place(task), checkpoint, contents)
    return Spec(name, sys.version_info[:2], *place)
