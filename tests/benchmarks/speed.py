"""Jobs a second and milliseconds a job, of each peer in turn."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterable

import psutil

from .peers import NotHere, Peer, opened
from .table import Found, number, rows

WARM_UP = 50
# A tenth of a second behind a load the scheduler still has its threads where they were.
WARM_UP_SINGLES = 150
Medians = dict[str, dict[str, float]]
BASE = "ProcessPoolExecutor"
OWN = "**chutes_nb**"
COLUMNS = {
    "jobs/s": "jobs/s",
    "mapped": "jobs/s, map",
    "start": "submit→start p50 ms",
    "p50": "submit→result p50 ms",
    "p99": "p99 ms",
    "uss": "MB a worker (USS)",
}


def measure(peer: Peer, singles: int, share: float) -> dict[str, float]:
    """One round of one peer."""
    found: dict[str, float] = {}
    jobs = max(20, int(peer.jobs * share))
    peer.many(WARM_UP)  # as in a notebook after its first job
    for name, run in (("jobs/s", peer.many), ("mapped", peer.mapped)):
        if run is not None:
            began = time.perf_counter()
            run(jobs)
            found[name] = jobs / (time.perf_counter() - began)
    for _ in range(WARM_UP_SINGLES):
        peer.one()
    starts, whole = [], []
    for _ in range(singles):
        began = time.perf_counter()
        first = peer.one()
        whole.append((time.perf_counter() - began) * 1000)
        starts.append((first - began) * 1000)
    found["start"] = statistics.median(starts)
    found["p50"] = statistics.median(whole)
    found["p99"] = sorted(whole)[int(singles * 0.99)]
    if peer.workers is not None:
        sizes = [psutil.Process(pid).memory_full_info().uss for pid in peer.workers()]
        found["uss"] = statistics.median(sizes) / 1e6
    return found


def compare(modules: Iterable[str], rounds: int, singles: int, share: float) -> Found:
    """Run each peer once a round, one at a time, and show the medians.

    Parameters
    ----------
    modules : iterable of str
        Names of modules in ``peers``.
    singles : int
        Jobs of a round that are submitted and awaited one by one.
    share : float
        How many of its usual jobs a peer is given.
    """
    seen: dict[str, dict[str, list[float]]] = {}
    known: dict[str, Peer] = {}
    left_out: dict[str, str] = {}
    for _ in range(rounds):
        for module in modules:
            if module in left_out:
                continue
            try:
                with opened(module) as peer:
                    known[peer.name] = peer
                    kept = seen.setdefault(peer.name, defaultdict(list))
                    for name, value in measure(peer, singles, share).items():
                        kept[name].append(value)
            except NotHere as error:
                left_out[module] = f"left out: {module} ({error})"
    medians = {
        peer: {name: statistics.median(values) for name, values in found.items()}
        for peer, found in seen.items()
    }
    lines = rows(
        ["", "what is kept", *COLUMNS.values()],
        (_row(known[peer], medians) for peer in medians),
    )
    return Found(lines, [*_sentences(medians, known), *left_out.values()])


def _row(peer: Peer, medians: Medians) -> list[str]:
    cells = [peer.name, peer.durability]
    for name in COLUMNS:
        value, base = medians[peer.name].get(name), medians.get(BASE, {}).get(name)
        ratio = ""
        if value is not None and base and peer.name != BASE and name != "uss":
            ratio = f" ({value / base:.2f}x)"
        cells.append("-" if value is None else number(value) + ratio)
    return cells


def _sentences(medians: Medians, known: dict[str, Peer]) -> list[str]:
    """Set this package against the best peer that keeps a job whose worker dies."""
    durable = [one for one in medians if one != OWN and known[one].keeps_running]
    if OWN not in medians or not durable:
        return []
    best = max(durable, key=lambda one: medians[one]["jobs/s"])
    ours, theirs = medians[OWN], medians[best]
    soonest = min(durable, key=lambda one: medians[one]["p50"])
    latency = medians[soonest]["p50"]
    return [
        f"Of the peers that keep a job whose worker is killed, {best} does the most: "
        f"{number(theirs['jobs/s'])} jobs/s, and chutes_nb "
        f"{ours['jobs/s'] / theirs['jobs/s']:.1f} times that submitted one by one, "
        f"{ours['mapped'] / theirs['jobs/s']:.1f} times by `map`; submit→result takes "
        f"{latency / ours['p50']:.1f} times as long with {soonest}."
    ]
