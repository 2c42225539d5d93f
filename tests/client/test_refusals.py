"""What a client says when it cannot get what it wants: each cause by its name."""

from __future__ import annotations

import asyncio
import http.server
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures._base import _AllCompletedWaiter

import pytest

from chutes_nb import (
    AccessDenied,
    Chute,
    ChutesError,
    JobNotFound,
    ServerError,
    ServerUnreachable,
)
from chutes_nb.client.connecting import address_of
from serving import TOKEN, free_port


@pytest.mark.kernel
def test_a_wrong_token_is_called_so(server):
    for token in ("wrong", "", None):
        with pytest.raises(AccessDenied, match="refuses the token"):
            Chute.connect(server.jupyter, token)


@pytest.mark.kernel
def test_an_address_that_is_no_jupyter_with_chutes_nb_is_called_so(server):
    for url in (server.root, f"{server.root}/other/"):
        with pytest.raises(ServerError, match="not as chutes_nb does"):
            Chute.connect(url, TOKEN)


def test_a_page_that_is_no_api_is_called_so(tmp_path):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, *_args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        with pytest.raises(ServerError, match="not as chutes_nb does"):
            Chute.connect(f"http://127.0.0.1:{page.server_port}/", "x")
        page.shutdown()


def test_a_server_that_is_not_there_is_said_at_once():
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match="does not answer"):
        Chute.connect(f"http://127.0.0.1:{free_port()}/", "x")
    assert time.monotonic() - began < 10  # far below a client's patience


@pytest.mark.parametrize("url", ["", "127.0.0.1:8888", "ftp://x/", "http://", None])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError, match="no address of a server"):
        Chute.connect(url, "x")


@pytest.mark.parametrize(
    ("url", "base", "token"),
    [
        ("http://h:8888", "http://h:8888/chutes/", ""),
        ("http://h:8888/", "http://h:8888/chutes/", ""),
        ("http://h/lab?token=abc", "http://h/chutes/", "abc"),
        ("https://h/user/me/lab/tree/a/b.ipynb", "https://h/user/me/chutes/", ""),
        ("http://h/base/chutes/", "http://h/base/chutes/", ""),
        (" http://h/tree ", "http://h/chutes/", ""),
    ],
)
def test_the_address_of_a_page_will_do(url, base, token):
    assert address_of(url) == (base, token)


@pytest.mark.kernel
def test_the_token_may_come_with_the_address(server):
    with Chute.connect(f"{server.jupyter}lab?token={TOKEN}") as chute:
        assert chute.jobs(limit=1) is not None


@pytest.mark.kernel
def test_a_job_or_a_chute_that_is_not_known_is_said_so(server, chute):
    for call in (chute.get_job_status, chute.get_job_results):
        with pytest.raises(JobNotFound, match="no job has the id 'nope'"):
            asyncio.run(call("nope"))
    for hint in ("nope", "", "../status", "a/b"):
        with pytest.raises(JobNotFound):
            chute.get_job(hint)
    with (
        Chute.connect(server.jupyter, TOKEN, chute="nobody") as other,
        pytest.raises(ChutesError, match="in chute 'nobody'"),
    ):
        other.function("count")


@pytest.mark.kernel
def test_a_closed_chute_says_so_and_leaves_nobody_waiting(server, tmp_path):
    chute = Chute.connect(server.jupyter, TOKEN)
    job = chute.function("wait_for").submit(path=str(tmp_path / "never"))
    waiting, waiter = job.when_ended(), _AllCompletedWaiter(1, stop_on_exception=True)
    job._waiters.append(waiter)
    chute.close()
    with pytest.raises(RuntimeError, match="closed"):
        job.info  # noqa: B018
    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(chute.get_job_status(job.id))
    with pytest.raises(CancelledError):
        waiting.result(60)
    assert waiter.event.wait(60)
    with Chute.connect(server.jupyter, TOKEN) as again:
        assert again.get_job(job.id).cancel()
        assert again.get_job(job.id).wait(60)


@pytest.mark.parametrize("how", [{"token": 5}, {"token": "x", "chute": 5}])
def test_values_of_other_types_are_refused(how):
    with pytest.raises(TypeError, match="is wanted"):
        Chute.connect("http://127.0.0.1:1/", **how)
