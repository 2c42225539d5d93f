"""Requests that are wrong in every way: always an answer of the 400s, in one shape."""

from __future__ import annotations

from load.fuzz import described
from load.malformed import malformed
from serving import TOKEN


def test_no_malformed_request_is_a_fault_of_the_server(server, ids):
    found = malformed(server, ids, 600)
    assert found.faults == 0
    assert found.grown_bytes < 32 << 20


def test_answers_to_made_up_requests_are_as_they_are_described(server, ids):
    found = described(server, ids, 200)
    assert found.faults == 0
    assert found.grown_bytes < 32 << 20


def test_bytes_that_are_no_request_leave_the_server_alive(server, ids):
    for junk in (b"\x00" * 1000, b"GET\r\n\r\n", b"POST /base/chutes/jobs/work HTTP/9"):
        server.raw(junk + b"\r\n\r\n", wait_s=1.0)
    brew = b"BREW /base/chutes/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert server.raw(brew).split()[1] == b"405"
    request = (
        b"POST /base/chutes/jobs/work HTTP/1.1\r\nHost: localhost\r\n"
        b"Authorization: token %s\r\nContent-Length: -5\r\n\r\n" % TOKEN.encode()
    )
    server.raw(request, wait_s=1.0)
    assert server.client.get("metrics").status_code == 200
    assert "Traceback" not in server.log.read_text()
