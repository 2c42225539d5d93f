"""Requests that are wrong in every way: always an answer of the 400s, in one shape."""

from __future__ import annotations

import random

from serving import TOKEN

BODIES = [
    b"",
    b"{",
    b"nul",
    b"NaN",
    b'{"count": NaN}',
    b'{"count": 1e999}',
    b'{"count": -Infinity}',
    b"[" * 100_000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b"[" * 150 + b"]" * 150,
    b"9" * 5000,
    b'"\\ud800"',
    b'{"count": "\\ud800"}',
    b'{"\\ud800": 1}',
    b"\xff\xfe\x00",
    b'{"count": "\xff"}',
    b'{"count": ' + b"9" * 400 + b"}",
    b'{"count": "' + b"9" * 3999 + b'"}',
    b'{"count": {"$ref": "#"}}',
    b'{"count": []}',
    b'{"self": 1}',
    b'{"count": 1, "config": "x"}',
    b'{"count": 1, "rate": "nan"}',
    b"null",
    b"true",
    b'""',
    b"\x00",
    b'{"upload": "x"}',
    b'{"one": {"upload": "\\u0000"}}',
    b'{"one": {"upload": "' + b"../" * 50 + b'"}}',
]
TYPES = [
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=" + "x" * 500,
    "application/x-www-form-urlencoded",
    "\xe4",
]
PATHS = [
    "jobs/work",
    "jobs/takes",
    "jobs/%00",
    "jobs/%ff",
    "jobs/" + "x" * 5000,
    "jobs/%2e%2e",
    "jobs/{done}/cancel",
    "jobs/{done}/retry",
    "jobs/{done}/extend",
    "jobs/nobody/extend",
    "jobs/{done}/files/1",
    "uploads",
    "uploads/..%2f",
    "%ff/jobs/work",
    "schema/%f0%9f%92%a9",
    "jobs?limit=%ff",
    "jobs?limit=1e3",
    "jobs?before=0x10",
    "jobs?q=%00",
    "jobs?tag=%F0%9F%92%A9",
    "jobs/{done}/logs?offset=-1",
    "jobs/{done}/logs?limit=1",
    "jobs/{done}/logs?attempt=99",
    "jobs/{done}/logs?tail=99999999999",
    "jobs/{done}/status?wait=nan",
    "jobs/{done}/status?wait=inf",
    "changes?since=0&wait=-1",
    "changes?since=%ff&no_track_activity=%ff",
    "events?since=%ff",
]
METHODS = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD"]
FORMS = [
    b"--x\r\n",
    b"--x--\r\n",
    b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; name="count"\r\n\r\n\xff\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--x--\r\n',
    b"--x\r\nA: " + b"b" * 40_000 + b"\r\n\r\n1\r\n--x--\r\n",
    b'--x\r\nContent-Disposition: form-data; name="count"\r\n\r\n' * 1500,
]


def test_no_malformed_request_is_a_fault_of_the_server(server, ids):
    chance = random.Random(7)
    before = server.memory()
    statuses = {}
    for _ in range(600):
        method = chance.choice(METHODS)
        path = chance.choice(PATHS).format(**ids)
        headers = {"Content-Type": chance.choice(TYPES).encode("latin-1")}
        headers["Tus-Resumable"] = "1.0.0"
        for name in ("Upload-Length", "Range", "Idempotency-Key", "Last-Event-ID"):
            if chance.random() < 0.2:
                headers[name] = chance.choice(["", "x", "-1", "9" * 40, "1"])
        for name in ("Upload-Metadata", "Upload-Checksum", "Upload-Offset"):
            if chance.random() < 0.2:
                headers[name] = chance.choice(["", "sha256 x", "a b,c", "1"])
        if "events" in path and method == "GET":
            headers["Last-Event-ID"] = "no"  # a right one would be a stream
        body = chance.choice(BODIES + FORMS)
        answer = server.client.request(method, path, headers=headers, content=body)
        statuses.setdefault(answer.status_code, (method, path, answer.text[:300]))
        if answer.status_code >= 400 and method != "HEAD":
            said = answer.json()["error"]
            assert set(said) == {"type", "message", "details"}
    assert not [one for one in statuses.items() if one[0] >= 500], statuses
    assert server.memory() - before < 32 << 20


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
