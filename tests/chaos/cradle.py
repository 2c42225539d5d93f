"""The process of a nursery: it has imported everything, and forks drivers.

Each line of its input is ``[configuration, environment]`` of a driver as JSON; the
answer is the number of the driver's process.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from chutes_nb import failpoints

from . import driver

PLAN = (
    failpoints.PLAN_VARIABLE,
    failpoints.SEED_VARIABLE,
    failpoints.LOG_VARIABLE,
)


def become(environ: dict[str, str]) -> None:
    """Be a process of one's own, as one that was started by a command."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for number, path, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, "acks", flags),
        (2, "errors", flags),
    ):
        fd = os.open(path, how, 0o600)
        os.dup2(fd, number)
        os.close(fd)
    os.environ.update(environ)
    plan, seed, log = (os.environ.get(one, "") for one in PLAN)
    if plan:
        failpoints.hit = failpoints.Plan(plan, seed, log).hit


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead need nobody who waits
    while line := sys.stdin.readline():
        config, environ = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(environ)
            driver.run(config)
            return
        print(pid, flush=True)


if __name__ == "__main__":
    main()
