"""What the store promises whatever happens: privacy, no lost commit, clear errors."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading

import pytest

from chutes_nb.errors import StoreBusy, StoreError, StoreFull, StoreUnsafe
from chutes_nb.paths import private_dir
from chutes_nb.states import State
from chutes_nb.store import Store, logs, mending
from chutes_nb.store.gate import Gate
from rows import add_crew, bring, finish, queue, until

SUBMIT = """
    import sys
    from pathlib import Path
    from chutes_nb.store import Store
    sys.path.insert(0, sys.argv[3])
    from rows import queue
    store = Store(Path(sys.argv[1]))
    for number in range(150):
        queue(store, f"{sys.argv[2]}{number:03}")
        if number % 20 == 0:
            store.checkpoint(0)
    store.close()
"""
COUNT = """
    import sqlite3, sys
    found = sqlite3.connect(sys.argv[1])
    print(found.execute("PRAGMA integrity_check").fetchone()[0])
    print(*[row[0] for row in found.execute("SELECT id FROM jobs ORDER BY id")])
"""
FORK = """
    import os, sys
    from pathlib import Path
    from chutes_nb.store import Store
    store = Store(Path(sys.argv[1]))
    child = os.fork()
    if child == 0:
        try:
            store.rev()
        except Exception as error:
            print(type(error).__name__, error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    print("rev", store.rev())
    store.close()
"""
FORK_IN_A_STATEMENT = """
    import os, sys, threading
    from pathlib import Path
    from chutes_nb.store import Store, seat
    home, waits = Path(sys.argv[1]), sys.argv[2] == "waits"
    begun, may_end = threading.Event(), threading.Event()
    def looked():
        begun.set()
        return may_end.wait(60)
    def read():
        reader = Store.open(home).reader
        reader.seat.connection.create_function("looked", 0, looked)
        reader.one("SELECT looked()")
    thread = threading.Thread(target=read)
    Store.open(home)
    thread.start()
    begun.wait(60)
    if waits:
        seat.FORK_WAIT_S = 60
        threading.Timer(0.2, may_end.set).start()
    else:
        seat.FORK_WAIT_S = 0
    child = os.fork()
    if child == 0:
        try:
            print("read in the child", Store.open(home).rev(), flush=True)
        except Exception as error:
            print(type(error).__name__, error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    may_end.set()
    thread.join()
    Store.open(home).close()
"""
WITHOUT_STREAMS = """
    import os, sys
    from pathlib import Path
    from chutes_nb.store import Store
    told = os.dup(1)
    for fd in (0, 1, 2):
        os.close(fd)
    store = Store(Path(sys.argv[1]))
    with store.writing() as tx:
        tx.run("INSERT INTO capacities VALUES ('one', 1)")
        tx.facts.append(("none",))
        assert tx.rev
    own = [store.journal._fd, store.gate()._fd, store.log_gate()._fd]
    os.write(told, f"{len(own)} {sum(fd > 2 for fd in own)}\\n".encode())
    os._exit(0)
"""
FORK_AND_WRITE = """
    import os, sys
    from pathlib import Path
    from chutes_nb.store import Store
    home = Path(sys.argv[1])
    parent = Store.open(home)
    is_written, may_go_on = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        store = Store.open(home)
        for name in ("first", "second"):
            with store.writing() as tx:
                tx.run("INSERT INTO capacities VALUES (:name, 1)", {"name": name})
            os.write(is_written[1], b".")
            os.read(may_go_on[0], 1)
        os._exit(0)
    os.read(is_written[0], 1)
    parent.close()
    os.write(may_go_on[1], b"..")
    os.waitpid(child, 0)
"""
SUFFIXES = ("store.db", "store.db-wal", "store.db-shm", "store.db.gate")


def start(code, *arguments):
    """Another process that runs ``code``."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.Popen(
        [*command, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def said(process):
    """What a process printed, once it has ended well."""
    with process:
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return out


@contextlib.contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


# -- nobody else reads anything ----------------------------------------------
def test_everything_in_a_store_is_for_its_owner_alone(tmp_path):
    with umask(0o022):
        store = Store(tmp_path / "home")
        with store.writing() as tx:
            add_crew(tx)
        with store.writing_logs() as tx:
            logs.add(tx, "j", 1, 0, b"line\n")
        assert store.rev() == 0
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in [store.home, *store.home.rglob("*")]
        }
        is_folder = {path.name for path in store.home.iterdir() if path.is_dir()}
        store.close()
    assert {*SUFFIXES, "logs.db", "logs.db-wal", "logs.db.gate"} <= modes.keys()
    folders = {"home"} | is_folder
    wanted = {name: 0o700 if name in folders else 0o600 for name in modes}
    assert modes == wanted


def test_a_folder_that_others_could_enter_is_closed_to_them(tmp_path):
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o755)
    assert stat.S_IMODE(private_dir(place).stat().st_mode) == 0o700


def test_a_link_is_not_taken_for_a_home(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnsafe, match="CHUTES_NB_HOME"):
        Store(tmp_path / "home")


# -- the write gate ----------------------------------------------------------
def test_the_gate_keeps_other_threads_out(store):
    entered = threading.Event()

    def write():
        queue(store, "second")
        entered.set()

    with store.writing():
        other = threading.Thread(target=write)
        other.start()
        assert not entered.wait(0.05)
    other.join(10)
    assert entered.is_set()


def test_the_gate_keeps_other_processes_out(store):
    with store.writing():
        code = """
            import sys
            from pathlib import Path
            from chutes_nb.store.gate import Gate
            print(Gate(Path(sys.argv[1])).try_enter())
        """
        assert said(start(code, store.home / "store.db.gate")) == "False\n"


def test_the_gate_is_free_again_after_an_error(store):
    with pytest.raises(sqlite3.IntegrityError), store.writing() as tx:
        tx.run("UPDATE clock SET rev = NULL")
    assert queue(store) is not None


def test_waiting_for_the_gate_ends_with_a_word_of_advice(store):
    mine, other = (Gate(store.home / "store.db.gate") for _ in range(2))
    mine.enter()
    with pytest.raises(StoreError, match="chute_doctor"):
        other.enter(timeout_s=0.01)
    mine.close()
    other.close()


# -- no commit is lost -------------------------------------------------------
def test_processes_that_write_and_checkpoint_at_once_lose_nothing(store):
    here = os.path.dirname(__file__)
    writers = [start(SUBMIT, store.home, name, here) for name in "abc"]
    for writer in writers:
        said(writer)
    store.close()
    check, ids = said(start(COUNT, store.home / "store.db")).splitlines()
    assert check == "ok"
    assert ids.split() == [f"{one}{n:03}" for one in "abc" for n in range(150)]


def test_threads_that_write_at_once_lose_nothing(store):
    names = [f"{one}{n:02}" for one in "abcd" for n in range(50)]
    groups = [names[start::4] for start in range(4)]
    threads = [
        threading.Thread(
            target=lambda group=group: [queue(store, one) for one in group]
        )
        for group in groups
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found, _ = store.jobs(limit=1000)
    assert sorted(job["job_id"] for job in found) == names
    assert len({job["rev"] for job in found}) == len(names)


def test_a_checkpoint_empties_the_log_and_keeps_the_rows(store):
    job = bring(store, State.COMPLETED)
    assert store.checkpoint(0)
    assert (store.home / "store.db-wal").stat().st_size == 0
    assert store.status(job)["status"] == "completed"


def test_a_small_log_is_left_alone(store):
    queue(store)
    assert store.checkpoint() is False


def test_a_checkpoint_steps_back_while_somebody_writes(store):
    queue(store)
    gate = Gate(store.home / "store.db.gate")
    gate.enter()
    store.checkpoint(0)
    gate.close()
    assert (store.home / "store.db-wal").stat().st_size > 0


def test_what_was_written_is_there_after_closing_and_opening(store):
    job = bring(store, State.FAILED)
    store.close()
    again = Store(store.home)
    assert again.status(job)["status"] == "failed"
    again.close()


def test_no_connection_checkpoints_by_itself(store):
    assert store.reader.one("PRAGMA wal_autocheckpoint")[0] == 0


def test_what_is_synced_is_synced_by_the_drive_too(store):
    with store.writing() as tx:
        assert tx.one("PRAGMA fullfsync")[0] == 1


# -- what cannot be used says so ---------------------------------------------
def test_a_store_does_not_cross_a_fork(tmp_path):
    child, parent = said(start(FORK, tmp_path / "home")).splitlines()
    assert child.startswith("StoreError")
    assert "fork" in child
    assert parent == "rev 0"


def test_what_a_forked_child_writes_outlives_the_close_of_its_parent(tmp_path):
    said(start(FORK_AND_WRITE, tmp_path / "home"))
    store = Store(tmp_path / "home")
    found = store.reader.all("SELECT name FROM capacities ORDER BY name")
    assert [row[0] for row in found] == ["first", "second"]
    store.close()


@pytest.mark.parametrize("waits", ["waits", "gives up"])
def test_a_fork_waits_for_statements_of_other_threads(tmp_path, waits):
    # SQLite's own lock of a statement would have no owner in the child.
    told = said(start(FORK_IN_A_STATEMENT, tmp_path / "home", waits)).splitlines()
    if waits == "waits":
        assert told == ["read in the child 0"]
    else:
        assert told[0].startswith("StoreError this process was forked while")


def test_a_write_goes_to_the_file_in_place_also_where_it_waited(store):
    job, waiter, may_begin = queue(store), [], threading.Event()
    gate = Gate(store.home / "store.db.gate")

    def cancel():
        store.reader.one("SELECT 1")  # it has a connection to the old file
        may_begin.set()
        waiter.append(store.request_cancel(job, "a test"))

    gate.enter()
    thread = threading.Thread(target=cancel)
    thread.start()
    may_begin.wait(60)
    seat = store._db._connect()
    # What a mender does while it has the gate; then its own thread looks first.
    fresh = store._db.sibling(store.home / "fresh.db")
    mending._fill(fresh, store.journal)
    mending._put_aside(store._db.path)
    os.replace(store.home / "fresh.db", store._db.path)
    assert not store._db.is_in_place()
    gate.leave()
    thread.join()
    gate.close()
    assert waiter == [True]
    assert store.status(job)["status"] == "cancelled"
    assert seat.inode == os.stat(store._db.path).st_ino


def test_who_has_the_gate_of_a_store_that_was_closed_writes_nothing(store):
    gate = store.gate()
    assert gate.try_enter()
    store.close()
    with pytest.raises(StoreError, match="closed"), store.writing(entered=True):
        pytest.fail("it was written without the gate")
    with pytest.raises(StoreError, match="closed meanwhile"):
        gate.try_enter()


def test_a_gate_that_stays_taken_leaves_the_store_to_be_closed_again(
    tmp_path, monkeypatch
):
    store = Store(tmp_path / "home")
    monkeypatch.setattr(Gate.enter, "__defaults__", (0.05,))
    other = Gate(store.home / "store.db.gate")
    other.enter()
    with pytest.raises(StoreBusy):
        store.close()
    other.leave()
    other.close()
    assert len(store._db._seats) == 1
    store.close()
    assert len(store._db._seats) == 0


def test_what_a_store_opens_is_never_a_standard_stream(tmp_path):
    # A body may have closed one, and the next body's output is put there.
    assert said(start(WITHOUT_STREAMS, tmp_path / "home")) == "3 3\n"


def test_a_full_disk_says_so_and_changes_nothing(store):
    job = bring(store, State.RUNNING)
    pages = store.reader.one("PRAGMA page_count")[0]
    store.reader.one(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull, match="free space"):
        for _ in range(1000):
            queue(store)
    assert store.reader.one("PRAGMA integrity_check")[0] == "ok"
    store.reader.one("PRAGMA max_page_count = 1000000")
    finish(store, job, State.COMPLETED)
    assert store.status(job)["status"] == "completed"


def test_an_unknown_durability_is_refused(tmp_path):
    with pytest.raises(StoreError, match="'process' or 'full'"):
        Store(tmp_path / "home", durability="some")


def test_a_process_has_one_store_of_a_home(tmp_path):
    first = Store.open(tmp_path / "home")
    assert Store.open(tmp_path / "home") is first
    first.close()
    second = Store.open(tmp_path / "home")
    assert second is not first
    second.close()


def test_data_version_tells_of_commits_by_others(store):
    before = store.data_version()
    thread = threading.Thread(target=queue, args=(store,))
    thread.start()
    thread.join()
    until(lambda: store.data_version() != before)
