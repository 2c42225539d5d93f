"""The store before another user of the machine, and for one whom modes hold back."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from living import living_in

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be others")

NOBODY = 65534
LOOK = """
for root in sys.argv[1:]:
    for folder, folders, names in os.walk(root):
        print("walked", folder)
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                print("read", file.name, len(file.read()))
    for path in (root, root + "/store.db", root + "/logs.db", root + "/outcomes"):
        try:
            os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
            print("opened", path)
        except PermissionError:
            pass
"""


PRELUDE = """
import os, sys, tempfile
from pathlib import Path
from chutes_nb.errors import ChutesError, StoreReadOnly
from chutes_nb.store import Store
with tempfile.TemporaryDirectory() as warm:  # all is imported that will be needed
    Store(Path(warm, "home")).close()
    Path(warm).as_uri()  # which imports, from Python 3.13 on
os.chdir("/")
os.setgroups([])
os.setgid({nobody})
os.setuid({nobody})
"""


def as_nobody(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run some Python that becomes a user who owns nothing."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            PRELUDE.format(nobody=NOBODY) + code,
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that everybody may enter, below folders that everybody may."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_another_user_reads_nothing_of_a_store_that_is_used(open_path):
    with living_in(open_path / "home", workers=1) as chute:

        @chute.job
        def work():
            print("a secret line")
            return "x" * 2_000_000

        job = work.submit()
        job.result(timeout=30)
        store = job._store
        look = as_nobody(LOOK, store.home, store.runtime)
    assert look.returncode == 0, look.stderr
    assert look.stdout == ""


READ = """
store = Store(Path(sys.argv[1]))
print(store.counts()["queued"])
try:
    store.pause("tests", by="nobody")
except StoreReadOnly as error:
    print(error)
print(store.runtime)
"""
WRITE = """
store = Store(Path(sys.argv[1]))
store.pause("tests", by="nobody")
print("written")
"""


def test_an_owner_whose_folder_is_closed_to_writing_reads_and_is_told_why(open_path):
    home = open_path / "mine"
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY, NOBODY)
    assert as_nobody(WRITE, home).stdout == "written\n"
    home.chmod(0o500)
    for path in home.rglob("*"):
        path.chmod(0o500 if path.is_dir() else 0o400)
    told = as_nobody(READ, home)
    assert told.returncode == 0, told.stderr
    count, why, runtime = told.stdout.splitlines()
    assert count == "0"
    assert "cannot be written" in why
    assert "CHUTES_NB_HOME" in why
    assert not Path(runtime).exists()  # with the copy that was read


MAKE = """
try:
    Store(Path(sys.argv[1]))
except (ChutesError, PermissionError) as error:
    print(type(error).__name__, error)
"""


def test_a_home_that_cannot_be_made_is_named(open_path):
    closed = open_path / "closed"
    closed.mkdir(mode=0o755)
    told = as_nobody(MAKE, closed / "home")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("Store"), told.stdout
    assert str(closed / "home") in told.stdout
    assert "CHUTES_NB_HOME" in told.stdout
