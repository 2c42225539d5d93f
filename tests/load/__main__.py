"""``make load``: what the API stands, in full, on a server of its own.

Figures of a machine with other work on it are worse than they need be: compare those
of one run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filled import fill
from serving import Server

from . import fuzz, malformed, status_rate, streams, upload

Ids = dict[str, str]


def requests(server: Server, ids: Ids) -> Iterator[str]:
    """How many requests a second."""
    yield from status_rate.measured(server, ids["done"], rounds=3, seconds=5)


def readers(server: Server, ids: Ids) -> Iterator[str]:
    """How many readers of the stream."""
    yield str(streams.many(server, ids["done"], 450, 50, seconds=20))
    wanted, got = streams.cut_off(server, 20)
    yield f"a reader that was cut off 20 times got {got} of {wanted} moves, in order"


def large(server: Server, ids: Ids) -> Iterator[str]:
    """How large an upload; some of the cuts meet a connection that has ended."""
    yield str(upload.send(server, 1024, 24))


def wrong(server: Server, ids: Ids) -> Iterator[str]:
    """How many wrong requests."""
    yield f"malformed: {malformed.malformed(server, ids, 2000)}"
    yield f"made of openapi.json: {fuzz.described(server, ids, 5000)}"


PARTS: dict[str, Callable[[Server, Ids], Iterator[str]]] = {
    one.__name__: one for one in (requests, readers, large, wrong)
}


def main() -> None:
    """Run the parts that were asked for, each on a server of its own."""
    parser = argparse.ArgumentParser(prog="python -m load", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of: {', '.join(PARTS)}")
    asked = parser.parse_args().parts or [*PARTS]
    for name in asked:
        with tempfile.TemporaryDirectory(prefix="chutes-load-") as folder:
            # Whatever opens a store in this process has it below the folder too.
            os.environ["CHUTES_NB_HOME"] = str(Path(folder) / "own")
            with Server(Path(folder)) as server:
                ids = fill(server.store(), Path(folder) / "canary")
                for line in PARTS[name](server, ids):
                    print(f"{name}: {line}", flush=True)
                server.store().close()


if __name__ == "__main__":
    main()
