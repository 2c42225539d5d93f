"""Nobody gets in without Jupyter's credentials, by any route, and no GET changes."""

from __future__ import annotations

import contextlib
import re

import httpx
import pytest
from tornado.web import RequestHandler

from chutes_nb.server import ChutesHandler, rules
from chutes_nb.server.desk import Desk
from chutes_nb.server.routes import ROUTES
from serving import TOKEN, Server

METHODS = ("get", "head", "post", "put", "patch", "delete")
RULES = rules("/base/", Desk())


def example(path: str, ids: dict[str, str]) -> str:
    """A path of the route that is really there."""
    given = {"job": ids["done"], "name": "work", "n": "1", "uid": "0" * 16}
    return re.sub(r"\{(\w+)\}", lambda match: given[match[1]], path)


CALLS = [(route, method) for route in ROUTES for method in route.operations]
CALLS += [(route, "head") for route in ROUTES if "get" in route.operations]
CALL_IDS = [f"{method} {route.path}" for route, method in CALLS]


def test_every_rule_has_the_one_base_class_and_shares_its_door():
    for _, handler, _ in RULES:
        assert issubclass(handler, ChutesHandler)
        assert handler.prepare is ChutesHandler.prepare
        assert handler.auth_resource == "chutes"
        assert handler._stream_request_body is True
        for method in METHODS:
            found = getattr(handler, method)
            if found is not RequestHandler._unimplemented_method:
                assert found.__code__.co_qualname.startswith("authenticated")


def test_every_route_answers_the_methods_that_are_described():
    for route in ROUTES:
        answered = {
            method
            for method in METHODS
            if getattr(route.handler, method)
            is not RequestHandler._unimplemented_method
        }
        described = {m for r in ROUTES if r.path == route.path for m in r.operations}
        described |= {"head"} if "get" in described else set()
        assert answered == described, route.path


@pytest.fixture(scope="module")
def browser(server, ids):
    """A client with Jupyter's cookie."""
    with contextlib.closing(server.login()) as found:
        yield found


def state_of(server):
    store = server.store()
    tables = ("jobs", "moves", "definitions", "request_keys", "files", "clock")
    rows = [
        [tuple(row) for row in store.reader.all(f"SELECT * FROM {table}")]
        for table in tables
    ]
    folders = [store.home / "uploads", store.blobs]
    return rows, sorted(p for one in folders for p in one.rglob("*") if p.is_file())


@pytest.mark.parametrize(("route", "method"), CALLS, ids=CALL_IDS)
def test_a_stranger_is_refused_and_changes_nothing(server, ids, browser, route, method):
    before = state_of(server)
    url = f"{server.base}/{example(route.path, ids)}"
    body = {"content": b'{"count": 1}'} if method in ("post", "patch") else {}
    said = {"Content-Type": "application/json", "Tus-Resumable": "1.0.0"}
    tries = [said, said | {"Authorization": "token wrong"}]
    for headers in tries:
        answer = httpx.request(method, url, headers=headers, **body)
        assert answer.status_code == 403, answer.text
    answer = httpx.request(method, f"{url}?token=wrong", headers=said, **body)
    assert answer.status_code == 403
    foreign = said | {"Origin": "http://evil.example"}
    answer = browser.request(method, url, headers=foreign, **body)
    assert answer.status_code in (403, 404)
    if method not in ("get", "head"):
        answer = browser.request(method, url, headers=said, **body)
        assert answer.status_code == 403
    evil = said | {"Host": "evil.example", "Authorization": f"token {TOKEN}"}
    assert httpx.request(method, url, headers=evil, **body).status_code == 403
    assert state_of(server) == before


@pytest.mark.parametrize("path", ["openapi.json", "", "nowhere", "a/jobs/b/nowhere"])
def test_nobody_learns_without_credentials_what_is_not_there(server, browser, path):
    url = f"{server.base}/{path}"
    for headers in ({}, {"Authorization": "token wrong"}):
        assert httpx.get(url, headers=headers).status_code == 403
    foreign = {"Origin": "http://evil.example"}
    assert browser.get(url, headers=foreign).status_code in (403, 404)


def test_a_token_counts_for_its_request_alone(server, ids):
    # Not by the client of the other tests, which may have a cookie already.
    token = {"Authorization": server.client.headers["Authorization"]}
    answer = httpx.get(f"{server.base}/jobs/{ids['done']}/status", headers=token)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_a_browser_with_its_cookie_may_look_and_with_xsrf_may_ask(server, ids, browser):
    assert browser.get(f"jobs/{ids['done']}/status").status_code == 200
    headers = {"X-XSRFToken": browser.cookies["_xsrf"]}
    answer = browser.post(f"jobs/{ids['done']}/cancel", headers=headers)
    assert answer.status_code == 202
    assert answer.json()["accepted"] is False


def test_no_get_changes_anything(server, ids):
    before = state_of(server)
    for route in ROUTES:
        if "get" in route.operations and route.path != "events":
            server.client.get(example(route.path, ids))
    assert state_of(server) == before


@pytest.mark.parametrize("body", [b'{"a": 1}', b" " * (2 << 20)])
def test_a_path_that_is_none_is_not_found_whatever_is_sent_there(server, body):
    said = {"Content-Type": "application/json"}
    for method in ("post", "put", "delete"):
        answer = server.client.request(method, "nowhere", content=body, headers=said)
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "NoSuchRoute"


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if "get" in route.operations],
    ids=lambda route: route.path,
)
def test_the_headers_of_every_look_can_be_had_alone(server, ids, route):
    path = example(route.path, ids)
    head = server.client.head(path)
    assert head.content == b""
    if route.path == "events":  # it would not end
        assert head.headers["Content-Type"] == "text/event-stream"
        return
    answer = server.client.get(path)
    assert head.status_code == answer.status_code
    assert head.headers["Content-Type"] == answer.headers["Content-Type"]
    if route.path != "metrics":  # has ages in it
        sizes = [one.headers.get("Content-Length") for one in (head, answer)]
        assert sizes[0] == sizes[1]


@pytest.mark.parametrize("path", ["files.zip", "logs?download=1"])
def test_the_headers_of_what_is_made_on_the_way_tell_no_length(server, ids, path):
    head = server.client.head(f"jobs/{ids['done']}/{path}")
    assert head.status_code == 200
    assert head.headers["Content-Disposition"].startswith("attachment")
    assert "Content-Length" not in head.headers
    assert server.client.get(f"jobs/{ids['done']}/status").status_code == 200


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_route_tells_which_methods_it_answers(server, ids, route):
    path = example(route.path, ids)
    allowed = server.client.options(path).headers["Allow"].split(", ")
    assert "OPTIONS" in allowed
    assert {method.upper() for method in route.operations} <= set(allowed)
    refused = server.client.put(path)
    assert refused.status_code == 405
    assert set(refused.headers["Allow"].split(", ")) == set(allowed) - {"OPTIONS"}


def test_a_page_of_another_origin_may_use_all_headers_of_the_api(server, ids):
    origin = {"Origin": "http://app.example"}
    wanted = {"Idempotency-Key", "Tus-Resumable", "Upload-Offset", "Range"}
    preflight = origin | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ", ".join(wanted).lower(),
    }
    for path in ("jobs/work", "uploads"):
        said = httpx.options(f"{server.base}/{path}", headers=preflight).headers
        may = said["Access-Control-Allow-Headers"].lower().split(", ")
        assert {"authorization", *map(str.lower, wanted)} <= set(may)
    answer = server.client.get("jobs", headers=origin)
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Expose-Headers" not in server.client.get("jobs").headers


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_a_slash_at_the_end_of_a_path_makes_no_difference(server, ids, route):
    found = [
        handler
        for pattern, handler, _ in RULES
        if re.fullmatch(pattern, f"/base/chutes/{example(route.path, ids)}/")
    ]
    assert found[0] is route.handler


def test_a_large_body_is_refused_before_it_is_read(server, ids):
    for credentials, status in ((b"", b"403"), (f"token {TOKEN}".encode(), b"413")):
        for path in (b"jobs/work", b"jobs/takes", b"jobs/x/cancel", b"uploads"):
            request = (
                b"POST /base/chutes/%s HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nTus-Resumable: 1.0.0\r\n"
                b"Authorization: %s\r\nContent-Length: 10737418240\r\n\r\n"
            ) % (path, credentials)
            assert server.raw(request).split()[1] == status, path


def test_a_body_without_a_length_ends_at_the_limit(server, ids):
    request = (
        b"POST /base/chutes/jobs/work HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        b"Authorization: token %s\r\n\r\n"
    ) % TOKEN.encode()
    piece = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    before = server.memory()
    server.raw(request + piece * 30)
    assert server.client.get("metrics").status_code == 200
    assert server.memory() - before < 64 << 20


def test_a_home_that_is_no_folder_is_told_of_by_the_api(tmp_path):
    home = tmp_path / "home-that-is-a-file"
    home.touch()
    with Server(tmp_path, CHUTES_NB_HOME=str(home)) as started:
        answer = started.client.get("jobs")
        assert answer.status_code == 503
        error = answer.json()["error"]
        assert error["type"].startswith("Store")
        assert str(home) in error["message"]


def test_jupyter_finds_nothing_to_warn_of(server):
    text = server.log.read_text()
    assert "chutes_nb serves /base/chutes/" in text
    assert not re.search(r"AuthWarning[^\n]*chutes|/chutes/[^\n]*unauth", text)
    assert TOKEN not in text
