"""A disk that is full, read-only, on the network, or somebody else's."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import time

import numpy
import pytest

from chutes_nb import runtime
from chutes_nb.errors import StoreError, StoreFull, StoreReadOnly, StoreUnsafe
from chutes_nb.paths import private_dir
from chutes_nb.states import State
from chutes_nb.store import Store, disk, jobs
from living import living_in
from rows import (
    DEFINITION,
    EXECUTOR,
    WORKER,
    add_crew,
    claim,
    finish,
    mode_of,
    paths_below,
    queue,
    until,
)

NEEDS_MOUNT = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("mount") is None,
    reason="needs root and mount(8), for a small tmpfs of its own",
)


@contextlib.contextmanager
def small_disk(place, size):
    """A folder on a tmpfs of so many bytes."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", place]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a tmpfs: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill_disk(place, leave=0):
    """Take all room but so many bytes; returns the file to remove."""
    found = os.statvfs(place)
    file = place / "filler"
    with file.open("wb") as taken, contextlib.suppress(OSError):
        room = found.f_bavail * found.f_frsize - leave
        while room > 0:
            room -= os.write(taken.fileno(), bytes(min(room, 1 << 16)))
    return file


# -- a full disk ---------------------------------------------------------------------
@NEEDS_MOUNT
@pytest.mark.parametrize("stay", [0, 50])
def test_jobs_can_be_let_go_on_a_full_disk(tmp_path, stay):
    with small_disk(tmp_path / "disk", "64m") as place:
        store = Store(place / "home")
        with store.writing() as tx:
            add_crew(tx, EXECUTOR, WORKER)
            jobs.add_definition(tx, DEFINITION)
        for _ in range(150):
            job = queue(store)
            assert claim(store) == job
            result = jobs.NewResult("json", b'"' + b"x" * 50_000 + b'"', "str")
            finish(store, job, State.COMPLETED, result=result)
        assert store.checkpoint(0)
        fill_disk(place)
        store.delete(job)
        pruned = store.prune(keep_bytes=stay * 50_500)
        assert pruned.jobs == 149 - stay
        assert store.counts()["completed"] == stay
        assert not list(store.journal.folder.glob("*.new"))
        assert store.problems() == []
        queue(store)  # in the room that was theirs
        store.close()


@NEEDS_MOUNT
def test_no_acknowledged_job_is_lost_on_a_full_disk_at_any_write(tmp_path):
    with small_disk(tmp_path / "disk", "8m") as place:
        store = Store(place / "home")
        with store.writing() as tx:
            add_crew(tx, EXECUTOR, WORKER)
            jobs.add_definition(tx, DEFINITION)
        acknowledged, refused = {}, 0
        for step in range(200):
            filler = fill_disk(place, leave=(step % 40) * 4096)
            with contextlib.suppress(StoreFull):
                for _ in range(12):
                    acknowledged[job := queue(store, input=bytes(1500))] = "queued"
                    if claim(store) is not None:
                        acknowledged[job] = "running"
                        finish(store, job, State.COMPLETED)
                        acknowledged[job] = "completed"
            refused += filler.stat().st_size > 0
            filler.unlink()
            for job, state in acknowledged.items():
                if state == "running" or store.status(job)["status"] == "running":
                    finish(store, job, State.COMPLETED)  # room again: it goes on
                    acknowledged[job] = "completed"
                if store.status(job)["status"] == "queued":
                    store.request_cancel(job, by="a test")
                    acknowledged[job] = "cancelled"
            assert {job: store.status(job)["status"] for job in acknowledged} == (
                acknowledged
            )
            store.checkpoint(0)
            if step % 10 == 9:
                store.keep_ready()
                store.prune(older_than_s=0)
                acknowledged.clear()
        store.keep_ready()
        assert refused == 200
        assert store.problems() == []
        store.close()


@NEEDS_MOUNT
def test_the_end_of_a_job_is_told_on_a_full_disk(tmp_path):
    with small_disk(tmp_path / "disk", "16m") as place:
        flag = tmp_path / "go"
        with living_in(place / "home", workers=1) as chute:

            @chute.job
            def wait_for(flag):
                while not os.path.exists(flag):
                    time.sleep(0.01)
                return 7

            job = wait_for.submit(flag=str(flag))
            until(lambda: job.status is State.RUNNING)
            until(lambda: (place / "home" / "ballast").exists())
            filler = fill_disk(place)
            with pytest.raises(StoreFull, match="free space"):
                for _ in range(2000):
                    wait_for.submit(flag=str(flag))
            flag.touch()
            assert job.result(timeout=60) == 7
            assert not (place / "home" / "ballast").exists()
            filler.unlink()
            assert wait_for.submit(flag=str(flag)).result(timeout=60) == 7
            until(lambda: (place / "home" / "ballast").exists())


def test_a_job_that_ends_with_no_room_for_pages_is_told_later(own_chute):
    @own_chute.job
    def work():
        return 1

    executor = runtime.executor()
    store = executor.store
    assert work.submit().result(timeout=60) == 1
    pages = store.reader.one("PRAGMA page_count")[0]
    limit = f"PRAGMA max_page_count = {pages}"
    executor.call(lambda: store.reader.one(limit)).result(60)
    refusal = None
    for _ in range(200):
        try:
            work.submit()
        except StoreFull as error:
            refusal = error
            break
    assert "free space" in str(refusal)
    executor.call(lambda: store.reader.one("PRAGMA max_page_count = 999999")).result(60)
    until(lambda: not any(store.counts()[one] for one in ("queued", "running")))
    assert store.counts()["completed"] == sum(store.counts().values())
    assert work.submit().result(timeout=60) == 1


def test_the_ballast_is_taken_again_once_there_is_room(tmp_path):
    ballast = disk.Ballast(tmp_path / "ballast")
    assert ballast.free() is False
    ballast.keep(clock=lambda: 1e9)
    found = ballast.path.stat()
    assert (found.st_size, stat.S_IMODE(found.st_mode)) == (disk.BALLAST_BYTES, 0o600)
    assert found.st_blocks * 512 >= disk.BALLAST_BYTES
    assert ballast.free() is True
    assert not ballast.path.exists()


# -- a folder that cannot be written -------------------------------------------------
@contextlib.contextmanager
def read_only(place, home):
    if os.getuid() == 0:
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    else:
        home.chmod(0o500)
        yield
        home.chmod(0o700)


@pytest.mark.parametrize("how", ["closed well", "killed"])
def test_a_read_only_folder_is_read_and_says_why_it_takes_nothing(tmp_path, how):
    place = tmp_path / "disk"
    with small_disk(place, "8m") if os.getuid() == 0 else contextlib.nullcontext():
        place.mkdir(exist_ok=True)
        home = place / "home"
        code = WRITE if how == "closed well" else WRITE.replace("store.close()", KILL)
        run = [sys.executable, "-c", code, str(home), os.path.dirname(__file__)]
        told = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=False)
        job = told.stdout.strip()
        with read_only(place, home):
            store = Store(home)
            assert store.status(job)["status"] == "queued"
            assert store.tail(job, 1, attempt=1) == ["a line"]
            assert [one["job_id"] for one in store.jobs()[0]] == [job]
            with pytest.raises(StoreReadOnly, match="CHUTES_NB_HOME"):
                store.request_cancel(job, by="a test")
            assert "cannot be written" in store.problems()[0]
            store.checkpoint(0)
            store.keep_ready()
            store.close()


WRITE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from chutes_nb.store import Store, jobs, logs
from rows import DEFINITION, EXECUTOR, WORKER, add_crew, queue
store = Store(Path(sys.argv[1]))
with store.writing() as tx:
    add_crew(tx, EXECUTOR, WORKER)
    jobs.add_definition(tx, DEFINITION)
job = queue(store)
with store.writing_logs() as tx:
    logs.add(tx, job, 1, 0, b"a line\\n")
print(job, flush=True)
store.close()
"""
KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


# -- a place that cannot keep the promises -------------------------------------------
@pytest.mark.parametrize("magic", sorted(disk.REFUSED))
def test_a_disk_on_the_network_is_refused_with_the_way_out(tmp_path, magic):
    with pytest.raises(StoreUnsafe, match=rf"{disk.REFUSED[magic]}.*CHUTES_NB_HOME"):
        Store(tmp_path / "home", file_system=lambda path: magic)
    assert not (tmp_path / "home" / "store.db").exists()


def test_the_kind_of_a_disk_is_known_here(tmp_path):
    found = disk.file_system(tmp_path)
    assert found not in disk.REFUSED
    assert (found != 0) == (sys.platform == "linux")
    assert disk.file_system(tmp_path / "missing") == 0


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a folder away")
def test_a_home_of_somebody_else_is_refused(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    with pytest.raises(StoreUnsafe, match="folder of one's own"):
        Store(home)
    with pytest.raises(StoreUnsafe):
        private_dir(home)


def test_a_link_is_refused_also_where_it_leads_to_a_store(store, tmp_path):
    (tmp_path / "link").symlink_to(store.home)
    with pytest.raises(StoreUnsafe):
        Store(tmp_path / "link")


def test_a_store_that_was_never_there_cannot_be_made_in_a_closed_folder(tmp_path):
    if os.getuid() == 0:
        pytest.skip("needs a user whom permissions hold back; root passes them")
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises((StoreError, PermissionError)):
        Store(tmp_path / "closed" / "home")


def test_everything_a_kernel_and_its_workers_make_is_for_the_owner_alone(tmp_path):
    before = os.umask(0o022)
    try:
        with living_in(tmp_path / "home", workers=1) as chute:

            @chute.job
            def write():
                from pathlib import Path

                print("a line")
                Path("a.txt").write_text("x")
                return "x" * 2_000_000

            job = write.submit()
            assert len(job.result(timeout=60)) == 2_000_000
            store = job._store
            store.copy_to(tmp_path / "home" / "copy.db")
            modes = {
                str(path): mode_of(path)
                for root in (store.home, store.runtime)
                for path in (root, *paths_below(root))
                if store.runs not in path.parents or path.parent == store.runs
                if not path.is_symlink()  # its own mode lets nobody in
            }
    finally:
        os.umask(before)
    assert any("outcomes/" in path for path in modes)
    assert any("blobs/" in path for path in modes)
    open_to_others = {path: oct(mode) for path, mode in modes.items() if mode & 0o077}
    assert not open_to_others


# -- a disk with no room for files -----------------------------------------------------
@NEEDS_MOUNT
def test_a_disk_with_no_room_for_one_more_file_says_so_and_work_goes_on_after(tmp_path):
    with (
        small_disk(tmp_path / "disk", "32m,nr_inodes=60") as place,
        living_in(place / "home", workers=2) as chute,
    ):

        @chute.job
        def work(n: int):
            return n

        assert work.submit(n=0).result(timeout=60) == 0
        taken = []
        with contextlib.suppress(OSError):
            while True:
                taken.append(place / str(len(taken)))
                taken[-1].touch()
        jobs = [work.submit(n=n) for n in range(1, 9)]
        until(lambda: jobs[0].done())
        with pytest.raises(StoreFull, match="No space left|no room"):
            Store(place / "another")
        until(lambda: any(job.done() or job.reason for job in jobs))
        for path in taken:
            path.unlink(missing_ok=True)
        for n, job in enumerate(jobs, 1):
            assert job.wait(60)
            if job.status is not State.COMPLETED:
                assert "No space left" in job.reason
            else:
                assert job.result(1) == n
        assert work.submit(n=9).result(timeout=60) == 9
        assert runtime.store().problems() == []


@NEEDS_MOUNT
@pytest.mark.filterwarnings("ignore::chutes_nb.CaptureWarning")
def test_an_array_that_finds_no_room_is_an_error_that_says_so(tmp_path):
    big = numpy.random.default_rng(0).random(4_000_000)  # 32 MB
    disk_of = small_disk(tmp_path / "disk", "24m")
    with disk_of as place, living_in(place / "home", workers=1) as chute:

        @chute.job
        def captured(self):
            return float(big.sum())

        @chute.job
        def given(self, data: numpy.ndarray):
            return float(data.sum())

        for submit in (captured.submit, lambda: given.submit(data=big)):
            with pytest.raises(StoreFull, match=r"no room for 32,000,000 bytes"):
                submit()
        assert not list(runtime.store().blobs.glob("new-*"))
        assert given.submit(data=big[:100_000]).result(60) == big[:100_000].sum()
