"""An answer that was spoiled on its way is one more reason to ask again."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chutes_nb import ServerUnreachable
from chutes_nb.client.following import follower
from chutes_nb.client.link import Link

S = 60
ENDED = {"job_id": "the-job", "to": "completed"}


class Proxy(ThreadingHTTPServer):
    """Answers as a server does whose job runs; some answers are no gzip."""

    def __init__(self, spoiled: set[int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spoiled, self.asked = spoiled, 0
        self.foreign: set[int] = set()  # of those that somebody else gives


class Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self.server.asked += 1
        is_spoiled = self.server.asked in self.server.spoiled
        body = b"no gzip" if is_spoiled else json.dumps(self.said()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if is_spoiled:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def said(self) -> dict[str, object]:
        if self.server.asked in self.server.foreign:
            return {"status": "the gateway is busy"}
        if "/status" in self.path:
            return {"finished_at": None}
        moves = [ENDED] if "since" in self.path else []
        return {"rev": self.server.asked, "moves": moves}

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(request) -> Iterator[Proxy]:
    with Proxy(request.param) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join(S)


def link_to(proxy: Proxy, patience_s: float = S) -> Link:
    return Link(f"http://127.0.0.1:{proxy.server_port}/", "token", True, patience_s)


# Of the first look, of where to begin, of the look behind that, of the news.
@pytest.mark.parametrize("proxy", [{n} for n in range(1, 5)], indirect=True)
def test_who_waits_for_a_job_hears_of_its_end_behind_a_spoiled_answer(proxy):
    link = link_to(proxy)
    follower(link).when_ended(link, "the-job").result(S)
    link.close()


@pytest.mark.parametrize("number", [2, 3, 4])
@pytest.mark.parametrize("proxy", [set()], indirect=True)
def test_an_answer_of_somebody_else_keeps_nobody_from_hearing_of_an_end(proxy, number):
    proxy.foreign = {number}
    link = link_to(proxy)
    follower(link).when_ended(link, "the-job").result(S)
    link.close()


@pytest.mark.parametrize("proxy", [set(range(1000))], indirect=True)
def test_a_server_of_which_only_spoiled_answers_come_is_given_up(proxy):
    link = link_to(proxy, 0.1)
    with pytest.raises(ServerUnreachable, match="does not answer"):
        link.run(link.json("GET", "changes"))
    with pytest.raises(ServerUnreachable, match="does not answer"):
        asyncio.run(link.run_async(link.json("GET", "changes")))
    link.close()
