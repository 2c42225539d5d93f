"""The folder of sockets in the temporary folder: there while a worker is, then gone."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

from chutes_nb import runtime
from chutes_nb.store import Store
from living import end_workers, living_in
from rows import until


def test_who_only_reads_a_store_makes_no_folder_for_sockets(tmp_path):
    store = Store(tmp_path / "home")
    assert store.counts()["queued"] == 0
    store.close()
    assert not store.runtime.exists()


def test_the_folder_of_sockets_goes_with_the_last_worker(tmp_path):
    with living_in(tmp_path / "home", workers=2) as chute:

        @chute.job
        def work():
            return 1

        assert work.submit().result(60) == 1
        store = runtime.store()
        assert list(store.runtime.glob("*.sock"))
        end_workers(store)
        until(lambda: not store.runtime.exists())
        assert work.submit().result(60) == 1  # another worker makes it again
        assert list(store.runtime.glob("*.sock"))
    assert not store.runtime.exists()


def test_a_worker_that_is_killed_leaves_no_folder_either(tmp_path):
    with living_in(tmp_path / "home", workers=1) as chute:

        @chute.job
        def die():
            os.kill(os.getpid(), signal.SIGKILL)

        job = die.submit()
        job.wait(60)
        assert job.status == "interrupted"
        store = runtime.store()
        until(lambda: not store.runtime.exists())


def test_workers_are_born_while_others_take_their_folder_away(tmp_path):
    with living_in(tmp_path / "home", workers=3) as chute:

        @chute.job(fresh=True)
        def work(n: int):
            return n

        work.submit(n=0).result(60)
        place, over = runtime.store().runtime, threading.Event()

        def take_away():
            while not over.is_set():
                with contextlib.suppress(OSError):  # it has a socket in it
                    place.rmdir()

        thread = threading.Thread(target=take_away)
        thread.start()
        try:
            jobs = [work.submit(n=n) for n in range(9)]
            assert [job.result(60) for job in jobs] == list(range(9))
        finally:
            over.set()
            thread.join()
