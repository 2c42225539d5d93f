"""What a job that does nothing costs this package: processor time, by who spends it.

Rates and latencies change with whatever else a machine does. Processor time a job does
so far less, and a change of the hot path is judged by it, the old and the new in turn.
Not so where each job is awaited: there executor and worker spin while they wait.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chutes_nb import Chute, runtime
from chutes_nb.group import JobGroup

from .peers.own import home

JOBS = 2000
SINGLES = 400
ROUNDS = 3
Taken = dict[str, float]


def measure() -> Iterator[tuple[str, str]]:
    """Each way of having jobs run, with its rate or latencies and its costs."""
    seen: dict[str, list[Taken]] = {}
    with home() as chute:
        ways = ways_of(chute)
        ways["by `map`"](JOBS // 4)  # warm
        for _ in range(ROUNDS):
            for name, run in ways.items():
                seen.setdefault(name, []).append(costs(run, JOBS))
            seen.setdefault("each awaited", []).append(singles(chute, SINGLES))
    for name, found in seen.items():
        middle = statistics.median
        yield name, shown({one: middle(it[one] for it in found) for one in found[0]})


def ways_of(chute: Chute) -> dict[str, Callable[[int], object]]:
    """How many jobs at once are submitted and awaited."""

    @chute.job
    def nothing() -> None:
        pass

    return {
        "one by one": lambda n: JobGroup(
            [nothing.submit() for _ in range(n)]
        ).results(),
        "by `map`": lambda n: nothing.map([{}] * n).results(),
    }


def costs(run: Callable[[int], object], jobs: int) -> Taken:
    """Jobs a second, and microseconds of processor a job."""
    began = time.perf_counter()
    with spent(jobs) as taken:
        run(jobs)
    return {"jobs/s": jobs / (time.perf_counter() - began), **taken}


def singles(chute: Chute, count: int) -> Taken:
    """Latencies in ms of jobs that are submitted when the last one has ended."""

    @chute.job
    def begins() -> float:
        return time.perf_counter()

    starts, whole = [], []
    with spent(count) as taken:
        for _ in range(count):
            began = time.perf_counter()
            first = begins.submit().result()
            whole.append((time.perf_counter() - began) * 1000)
            starts.append((first - began) * 1000)
    whole.sort()
    return {
        "start p50 ms": statistics.median(starts),
        "result p50 ms": statistics.median(whole),
        "p99 ms": whole[int(count * 0.99)],
        **taken,
    }


@contextmanager
def spent(jobs: int) -> Iterator[Taken]:
    """Microseconds of processor a job: by this thread, the executor's, the workers."""
    taken: Taken = {}
    clocks = {"caller": [time.CLOCK_THREAD_CPUTIME_ID]}
    clocks["executor"] = [
        time.pthread_getcpuclockid(one.ident)
        for one in threading.enumerate()
        if one.name == "chutes-executor" and one.ident is not None
    ]
    # A process's own clock, by its number (clock_getcpuclockid(3)).
    clocks["workers"] = [
        (~one.identity.pid << 3) | 2
        for one in runtime.executor().handles
        if one.identity is not None
    ]
    clocks["this process"] = [time.CLOCK_PROCESS_CPUTIME_ID]
    before = {who: sum(map(time.clock_gettime, ids)) for who, ids in clocks.items()}
    yield taken
    for who, ids in clocks.items():
        gone = sum(map(time.clock_gettime, ids)) - before[who]
        taken[f"{who} µs"] = gone / jobs * 1e6


def shown(taken: Taken) -> str:
    """Figures in a line."""
    return ", ".join(
        f"{what} {value:.2f}" if what.endswith("ms") else f"{what} {value:.0f}"
        for what, value in taken.items()
    )


if __name__ == "__main__":
    for what, how_much in measure():
        print(f"{what}: {how_much}", flush=True)
