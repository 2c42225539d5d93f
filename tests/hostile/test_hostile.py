"""Each kind of hostile body has its right end, and harms nobody after it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from chutes_nb import processes, runtime
from hostile import ends, traces, values  # noqa: F401  (they enter their kinds)
from hostile.kinds import KINDS
from living import living_in
from rows import until

S = 60.0
LOG_AT_MOST = 20 << 20


@pytest.fixture(scope="module")
def chute(tmp_path_factory):
    """A chute with one worker, which every kind and the job after it share."""
    home = tmp_path_factory.mktemp("hostile") / "home"
    with living_in(home, workers=1) as chute:
        yield chute


def look_around(self):
    """What the next job finds around it."""
    import builtins
    import decimal
    import faulthandler
    import gc
    import json
    import locale
    import logging
    import pickle
    import random
    import resource
    import signal
    import socket
    import sys
    import threading
    import time
    import warnings

    print("probe")
    print("probe's error", file=sys.stderr)
    logging.getLogger("probe").warning("told")
    builtins_found = sorted(set(vars(builtins)) - {"_"})
    time.sleep(0.001)
    umask = os.umask(0o022)
    os.umask(umask)
    limits = [getattr(resource, n) for n in dir(resource) if n.startswith("RLIMIT_")]
    return {
        "folder": sorted(os.listdir()),
        "is at home": os.getcwd().startswith(os.path.dirname(self.output_dir)),
        "environ": sorted(set(os.environ) - {"OLDPWD"}),
        "tmp": os.environ["TMPDIR"] == str(self.output_dir.parent / "tmp"),
        "path": list(sys.path),
        "argv": len(sys.argv),
        "finders": len(sys.meta_path),
        "builtins": builtins_found,
        "json": json.loads(json.dumps([1, None])),
        "pickle": pickle.loads(pickle.dumps({1})),
        "sleeps": time.monotonic() > 0 and time.time() > 1e9,
        "socket": (socket.socket.__name__, socket.getdefaulttimeout()),
        "handlers": [
            str(type(signal.getsignal(number)))
            for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
        ],
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "faults": (faulthandler.is_enabled(), faulthandler.unregister(10)),
        "traced": (sys.gettrace(), sys.getprofile(), threading.gettrace()),
        "limits": [resource.getrlimit(limit) for limit in limits],
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "umask": umask,
        "recursion": sys.getrecursionlimit(),
        "switch": sys.getswitchinterval(),
        "digits": sys.get_int_max_str_digits(),
        "gc": gc.isenabled(),
        "locale": locale.setlocale(locale.LC_ALL),
        "errors": any(one[0] == "error" for one in warnings.filters),
        "logging": (logging.root.manager.disable, logging.root.level),
        "precision": decimal.getcontext().prec,
        "seeded": random.random() == random.Random(0).random(),
        "threads": {one.name for one in threading.enumerate()} - {"chutes-journal"},
        "streams": [
            (one.encoding, one.closed, one.line_buffering)
            for one in (sys.stdout, sys.stderr)
        ],
        "fds": [
            os.readlink(f"/proc/self/fd/{fd}").rsplit("/")[-1][-4:] for fd in (0, 1, 2)
        ],
    }


def probe(chute):
    """Run the next job; what it found, and its log."""
    job = chute.job(name="look_around", timeout=30)(look_around).submit()
    return job.result(S) | {"log": job.logs()}


@pytest.fixture(scope="module")
def unharmed(chute):
    """What a job finds where no hostile body has been."""
    return probe(chute)


def strays(home: Path) -> list[int]:
    """Processes of a home that are neither its workers nor this one."""
    known = {os.getpid()}
    known |= {one.identity.pid for one in runtime.executor().handles if one.identity}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environ = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        pid = int(entry.name)
        is_ours = b"CHUTES_NB_HOME=" + os.fsencode(home) in environ
        is_daemon = os.fsencode(home) in command
        if (is_ours or is_daemon) and pid not in known and not processes.is_zombie(pid):
            found.append(pid)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.body.__name__)
def test_a_hostile_body_has_its_right_end_and_harms_nobody(chute, unharmed, kind):
    before = strays(runtime.store().home)
    job = chute.job(name=kind.body.__name__, **kind.options)(kind.body).submit()
    assert job.wait(S)
    assert job.status == kind.end, (job.reason, job.error, job.logs()[-2000:])
    said = job.reason if kind.end != "completed" else job.logs()
    assert kind.words in said
    assert len(said) < LOG_AT_MOST
    if kind.end == "completed":
        found = job.result(S) if kind.result is not ... else None
        assert kind.result is ... or found == kind.result
    assert len(job.attempts) == 1
    repr(job)
    runtime.store().detail(job.id)

    assert probe(chute) == unharmed
    assert runtime.executor().is_running
    until(lambda: set(strays(runtime.store().home)) <= set(before), 30)


def test_there_are_many_kinds():
    names = [kind.body.__name__ for kind in KINDS]
    assert len(set(names)) == len(names) >= 45
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)
