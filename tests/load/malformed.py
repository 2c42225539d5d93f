"""Requests that are wrong in every way that we could think of."""

from __future__ import annotations

import random
from collections import Counter

from serving import Server

from .fuzz import Fuzzed

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


def malformed(server: Server, ids: dict[str, str], most: int) -> Fuzzed:
    """Send ``most`` requests, put together by chance of wrong parts.

    Raises
    ------
    AssertionError
        If a refusal has not the one shape of errors.
    """
    chance = random.Random(7)
    statuses: Counter[int] = Counter()
    before = 0
    for number in range(most):
        if number == most // 10:
            before = server.memory()
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
        statuses[answer.status_code] += 1
        assert answer.status_code < 500, (method, path, headers, body[:200])
        if answer.status_code >= 400 and method != "HEAD":
            said = answer.json()["error"]
            assert set(said) == {"type", "message", "details"}
    return Fuzzed(statuses, server.memory() - before)
