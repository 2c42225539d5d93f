"""One home under attack: its drivers and workers, and the blows they take."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .kinds import KINDS
from .nursery import Child, Nursery

TESTS = Path(__file__).resolve().parent.parent
SOURCE = TESTS.parent
POINT = re.compile(r'failpoints\.hit\(\s*"([a-z_.]+)"')


def points(source: Path = SOURCE) -> list[str]:
    """Every failpoint of the package, found by its call."""
    texts = (path.read_text() for path in (source / "chutes_nb").rglob("*.py"))
    found = {name for text in texts for name in POINT.findall(text)}
    return sorted(found)


class World:
    """A folder with a store, a ledger and the records of a storm.

    Parameters
    ----------
    source : pathlib.Path
        Folder of the package that runs here: the real one, or a mutant.

    Attributes
    ----------
    spares : bool
        Whether the drivers of a storm live on when it is over, with what they run: an
        heir would take up what one of them has forgotten.
    """

    def __init__(self, seed: int, source: Path = SOURCE) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.home = self.folder / "home"
        self.source, self.seed = source, seed
        self.dice = random.Random(seed)
        self.drivers: list[Child] = []
        self.kills: Counter[str] = Counter()
        self.stops: dict[int, float] = {}
        self.spares = False
        self.launches = 0
        self._read_acts = 0
        self._mark = b"CHUTES_NB_HOME=" + os.fsencode(self.home)
        (self.folder / "acks").touch()
        self._nursery = Nursery(
            self.folder,
            os.environ
            | {
                "CHUTES_NB_HOME": str(self.home),
                "CHUTES_NB_MAX_WORKERS": "3",
                "CHUTES_NB_RESOURCES": "gpu=1",
                "PYTHONPATH": os.pathsep.join([str(self.source), str(TESTS)]),
            },
        )

    # -- drivers -----------------------------------------------------------------
    def launch(self, plan: str = "", **facts: Any) -> Child:
        """Start a driver; ``facts`` are parts of its configuration."""
        self.launches += 1
        config = {
            "ledger": str(self.folder / "ledger"),
            "seed": self.seed * 1000 + self.launches,
            "first": self.launches * 100_000,
            "kinds": {name: kind.share for name, kind in KINDS.items()},
            "most": 40,
            "life_s": 600.0,
            "cancel": 0.04,
            "checkpoint": 0.02,
            "forget": 0.02,
            "prune": 0.005,
            "upload": 0.02,
            "alone": 0.0,
            "still_s": 8.0,
        } | facts
        environ = {
            "CHUTES_NB_FAILPOINTS": plan,
            "CHUTES_NB_FP_SEED": str(config["seed"]),
            "CHUTES_NB_FP_LOG": str(self.folder / "acts"),
        }
        driver = self._nursery.bear(config, environ)
        self.drivers.append(driver)
        return driver

    def living_drivers(self) -> list[Child]:
        self.drivers = [one for one in self.drivers if one.poll() is None]
        return self.drivers

    def said(self, word: str) -> list[list[str]]:
        """Lines of the drivers that begin with a word, split."""
        lines = (self.folder / "acks").read_text().splitlines()
        return [one.split() for one in lines if one.startswith(f"{word} ")]

    def ready_drivers(self) -> list[Child]:
        """Drivers that live and have an executor that takes jobs."""
        ready = {int(pid) for _, pid, _ in self.said("driver")}
        return [one for one in self.living_drivers() if one.pid in ready]

    def drain(self, timeout_s: float = 60.0, still_s: float = 8.0) -> None:
        """Let everything come to its end under a clean driver.

        One that gives up does nothing more, and those that were spared are killed
        first: a driver that leaves in order writes to the store, by which the others
        would notice what they have forgotten.
        """
        self.resume_all()
        for driver in self.living_drivers():
            if self.spares:
                driver.terminate()  # they submit no more
                continue
            self.kill(driver.pid, "driver")
            driver.wait()
        for host in [] if self.spares else self.hosts():
            self.kill(host, "host")
        clean = self.launch(drain_s=timeout_s, still_s=still_s)
        end = time.monotonic() + timeout_s + 20
        while clean.poll() is None and time.monotonic() < end:
            self.resume()  # old workers still have the plan of their driver
            if any(left != "0" for _, left in self.said("drained")):
                break
            time.sleep(0.05)
        for driver in [*self.living_drivers(), clean]:  # as they were launched
            driver.kill()
            driver.wait()
        self.resume_all()

    # -- who lives here ------------------------------------------------------------
    def processes(self) -> dict[int, list[str]]:
        """Living processes of this home and their command lines."""
        found = {}
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError, ValueError):
                folder = Path(entry.path)
                if self._mark not in (folder / "environ").read_bytes().split(b"\0"):
                    continue
                if state_of(int(entry.name)) in "ZX":
                    continue
                words = (folder / "cmdline").read_bytes().split(b"\0")
                found[int(entry.name)] = [os.fsdecode(word) for word in words]
        return found

    def workers(self) -> list[int]:
        return [pid for pid, words in self.processes().items() if is_worker(words)]

    def leftovers(self) -> list[int]:
        """What jobs started and nobody ended: neither workers nor drivers."""
        return [
            pid
            for pid, words in self.processes().items()
            if not (is_worker(words) or is_host(words) or "chaos.cradle" in words)
        ]

    def hosts(self) -> list[int]:
        """Detached hosts, which orphaned workers have started."""
        return [pid for pid, words in self.processes().items() if is_host(words)]

    # -- blows -----------------------------------------------------------------------
    def kill(self, pid: int, what: str) -> None:
        self._record("kill", pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.kills[what] += 1

    def kill_all(self) -> None:
        """Workers and drivers together, as when the machine is out of memory."""
        self.resume_all()
        drivers = [one.pid for one in self.living_drivers()]
        for pid in [*self.workers(), *self.hosts(), *drivers]:
            self.kill(pid, "all at once")
        for driver in self.drivers:
            driver.wait()

    def stop(self, pid: int, seconds: float) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self.stops[pid] = time.monotonic() + seconds
            self.kills["stopped"] += 1

    def _record(self, word: str, pid: int) -> None:
        with (self.folder / "blows").open("a") as blows:
            blows.write(f"{word} {pid}\n")

    def acts(self) -> list[list[str]]:
        """Acts of failpoints: point, action, pid, monotonic seconds."""
        path = self.folder / "acts"
        return (
            [line.split() for line in path.read_text().splitlines()]
            if path.exists()
            else []
        )

    def resume(self, longest_s: float = 1.0) -> list[int]:
        """Resume who has been stopped for long enough; gives those that stay."""
        acts = self.acts()
        for _, action, pid, _ in acts[self._read_acts :]:
            if action == "stop":
                self.stops[int(pid)] = time.monotonic() + self.dice.random() * longest_s
                self.kills["stopped"] += 1
            elif action == "kill":
                self.kills["at a failpoint"] += 1
        self._read_acts = len(acts)
        now = time.monotonic()
        for pid in [pid for pid, due in self.stops.items() if due <= now]:
            del self.stops[pid]
            if pid in self.processes():
                os.kill(pid, signal.SIGCONT)
        return list(self.stops)

    def resume_all(self) -> None:
        """Resume who has stopped so far; who stops meanwhile is next."""
        for pid in self.processes():
            if state_of(pid) == "T":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        self.resume()
        self.stops = dict.fromkeys(self.stops, 0.0)

    def spoil(self) -> None:
        """Damage the store, as a disk does; nobody must live who has it open."""
        for suffix in ("-wal", "-shm"):
            (self.home / f"store.db{suffix}").unlink(missing_ok=True)
        with (self.home / "store.db").open("r+b") as file:
            file.write(self.dice.randbytes(4096))

    # -- the end ---------------------------------------------------------------------
    def check(self) -> list[str]:
        """Violations, found by a fresh process that knows only files."""
        end = time.monotonic() + 5
        while (left := self.leftovers()) and time.monotonic() < end:
            time.sleep(0.1)
        (self.folder / "leftovers").write_text(json.dumps(left))
        run = subprocess.run(
            [sys.executable, "-m", "chaos.check", str(self.folder)],
            env=os.environ | {"PYTHONPATH": str(TESTS)},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            said = (self.folder / "errors").read_text()[-2000:]
            raise RuntimeError(
                f"the checker failed: {run.stderr}\nDrivers said: {said}"
            )
        found: dict[str, Any] = json.loads(run.stdout)
        self.jobs, self.states = found["jobs"], found["states"]
        return list(found["violations"])

    def close(self, *, keep: bool = False) -> None:
        """End every process of this home and remove it."""
        self._nursery.close()
        for _ in range(50):
            pids = list(self.processes())
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for driver in self.drivers:
                driver.wait()
            if not pids:
                break
            time.sleep(0.02)
        mark = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:10]
        bases = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")
        for base in filter(None, bases):
            for runtime in Path(base).glob(f"chutes_nb-*{mark}"):
                shutil.rmtree(runtime, ignore_errors=True)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def is_worker(words: list[str]) -> bool:
    return any("chutes_nb.worker.main" in word for word in words)


def is_host(words: list[str]) -> bool:
    return any("chutes_nb.host" in word for word in words)


def state_of(pid: int) -> str:
    """State letter of a process, X where there is none."""
    return _stat(pid)[0]


def parent_of(pid: int) -> int:
    """Process that a process is a child of, 0 where there is none."""
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ["X", "0"]
    return stat[stat.rindex(")") + 2 :].split()
