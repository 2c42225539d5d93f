"""What it costs to read 100,000 lines for progress, beside printing them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator

from chutes_nb.reading import Reader

LINES = 100_000
FEED_S = 0.05  # as often as an output is looked at
KINDS: dict[str, Callable[[int], str]] = {
    "plain lines": lambda n: f"request {n} handled by worker {n % 7}",
    "`Progress: 45.0% (9/20)`": lambda n: f"Progress: {n / 1000:.1f}% ({n}/{LINES})",
    "`Processed 10/200 items`": lambda n: f"Processed {n}/{LINES} items",
    "`Epoch 3: Loss = 0.25`": lambda n: f"Epoch {n}: Loss = {1 / (n + 1)}",
    "lines of which none is like another": lambda n: f"{n * 2654435761 % 2**32:x}",
}


def measure() -> Iterator[tuple[str, str]]:
    """What was printed, and the share of its CPU time that reading it took."""
    for name, line in KINDS.items():
        with tempfile.TemporaryFile("w", buffering=1) as out:
            began = time.process_time()
            for n in range(LINES):
                print(line(n), file=out)  # flushed at each line, as in a job
            printing = time.process_time() - began
        text = "".join(f"{line(n)}\n" for n in range(LINES)).encode()
        size = len(text) // max(1, int(printing / FEED_S)) + 1
        reader = Reader()
        began = time.process_time()
        for at in range(0, len(text), size):
            reader.feed(text[at : at + size])
        share = (time.process_time() - began) / printing
        yield f"reading 100,000 of {name}, of printing them", f"{share:.1%}"


if __name__ == "__main__":
    for what, how_much in measure():
        print(f"{how_much:>7}  {what}")
