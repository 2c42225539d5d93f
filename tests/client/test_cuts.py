"""A client goes on where it was when a connection or the server is gone for a while."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading

import pytest

from chutes_nb import Chute, ServerUnreachable
from chutes_nb.store.blobs import blob_path
from cutting import HEARD, Line
from serving import TOKEN, Server

pytestmark = pytest.mark.kernel
MIB = 1 << 20


def through(line: Line, **how) -> Chute:
    return Chute.connect(f"http://127.0.0.1:{line.port}/base/", TOKEN, **how)


def test_an_upload_goes_on_after_twenty_cuts(server):
    chance = random.Random(4)
    content = chance.randbytes(MIB) * 40
    limits = [None, *(chance.randrange(MIB // 4, 3 * MIB) for _ in range(20))]
    before = server.memory()
    with Line(server.port, limits) as line, through(line) as chute:
        seen = []
        upload = asyncio.run(chute.upload(content, "a", lambda *at: seen.append(at[0])))
        assert line.cuts == 20
    assert upload.sha256 == hashlib.sha256(content).hexdigest()
    assert blob_path(server.store().blobs, upload.sha256).read_bytes() == content
    assert seen[-1] == len(content)
    assert server.memory() - before < 48 * MIB


def test_an_upload_is_whole_where_the_disk_is_slower_than_the_cuts(tmp_path):
    chance = random.Random(5)
    content = chance.randbytes(24 * MIB)
    limits = [None, *(chance.randrange(MIB, 2 * MIB) for _ in range(10))]
    slow = {"CHUTES_NB_FAILPOINTS": "upload.before_chunk=0.5:sleep0.2"}
    with (
        Server(tmp_path, **slow) as server,
        Line(server.port, limits) as line,
        through(line) as chute,
    ):
        upload = asyncio.run(chute.upload(content, "a"))
        assert line.cuts == 10
        assert upload.sha256 == hashlib.sha256(content).hexdigest()
        store = server.store()
        assert blob_path(store.blobs, upload.sha256).read_bytes() == content
        store.close()


def test_a_submit_that_was_cut_off_is_queued_once(server):
    limits = [None, *(limit for _ in range(10) for limit in (HEARD, 100, HEARD, None))]
    with Line(server.port, limits) as line, through(line) as chute:
        before = len(chute.jobs(name="count", limit=1000))
        ids = [asyncio.run(chute.submit_job("count", {"n": 1})) for _ in range(10)]
        assert line.cuts == 30
        assert len(set(ids)) == 10
        assert len(chute.jobs(name="count", limit=1000)) == before + 10
        assert all(chute.get_job(one).wait(60) for one in ids)


def test_waiting_and_a_log_outlast_cut_connections(server, tmp_path):
    with Line(server.port) as line, through(line) as chute:
        gate = tmp_path / "gate"
        job = chute.function("wait_for").submit(path=str(gate))
        lines = job.logs(follow=True)
        assert next(lines) == "waiting"
        called = threading.Event()
        job.add_done_callback(lambda job: called.set())
        waited = []
        waiter = threading.Thread(target=lambda: waited.append(job.result(60)))
        waiter.start()
        for _ in range(5):
            assert not job.wait(0.05)
            line.cut()
        gate.touch()
        waiter.join(60)
        assert waited == ["there"]
        assert list(lines) == []
        assert called.wait(60)


def test_a_client_waits_for_a_server_that_restarts(tmp_path):
    with Server(tmp_path) as server:
        chute = Chute.connect(server.jupyter, TOKEN, patience=60)
        content = bytes(range(256)) * (64 * MIB // 256)
        restarting = threading.Thread(target=lambda: (server.kill(), server.start()))

        def on_progress(sent, total):
            if sent > total // 2 and not restarting.ident:
                restarting.start()
                restarting.join(0.5)

        upload = asyncio.run(chute.upload(content, "a", on_progress))
        restarting.join()
        assert upload.sha256 == hashlib.sha256(content).hexdigest()
        assert chute.jobs(limit=1) is not None
        chute.close()
        server.store().close()


def test_a_server_that_stays_away_is_given_up_after_the_patience(tmp_path):
    with Server(tmp_path) as server:
        chute = Chute.connect(server.jupyter, TOKEN, patience=0.3)
        server.kill()
        with pytest.raises(ServerUnreachable, match="does not answer"):
            chute.jobs()
        with pytest.raises(ConnectionError):
            asyncio.run(chute.submit_job("count"))
        chute.close()
