"""``python -m tests.proofs [NAME ...]``: each promise at length, a line for each."""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest has it
os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="chutes-")

from proofs import (
    damage,
    flood,
    full_disk,
    killing,
    timeouts,
    tokens,
    wal_reset,
)
from proofs.verdict import Verdict

# What is proved, and how often where nobody says otherwise.
PROOFS: dict[str, tuple[Callable[[int], Verdict], int]] = {
    "timeouts": (timeouts.prove, 200),
    "full_disk": (full_disk.prove, 200),
    "tokens": (tokens.prove, 100),
    "killing": (killing.prove, 5),
    "damage": (damage.prove, 200),
    "flood": (flood.prove, 100),
    "wal_reset": (wal_reset.prove, 200),
}


def main() -> int:
    """Run the chosen proofs; 1 where one does not hold."""
    atexit.register(shutil.rmtree, os.environ["XDG_RUNTIME_DIR"], ignore_errors=True)
    parser = argparse.ArgumentParser(prog="python -m tests.proofs")
    parser.add_argument("names", nargs="*", choices=[[], *PROOFS], metavar="NAME")
    parser.add_argument("--count", type=int, help="how often, instead of at length")
    choice = parser.parse_args()
    all_hold = True
    for name in choice.names or PROOFS:
        prove, count = PROOFS[name]
        began = time.monotonic()
        verdict = prove(choice.count or count)
        took = time.monotonic() - began
        mark = "holds" if verdict.holds else "FAILS"
        print(f"{name:10} {mark} ({took:.0f} s): {verdict.words}", flush=True)
        all_hold &= verdict.holds
    return int(not all_hold)


if __name__ == "__main__":
    sys.exit(main())
