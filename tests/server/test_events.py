"""The stream of changes: resumed without loss, beating, and never growing."""

from __future__ import annotations

import json
import socket
import threading

import httpx
import pytest

from rows import queue, until
from serving import TOKEN


def events(server, since=None, header=True):
    """Read events from a stream; a generator of (id, changes)."""
    headers = {"Authorization": f"token {TOKEN}"}
    query = {}
    if since is not None and header:
        headers["Last-Event-ID"] = str(since)
    elif since is not None:
        query["since"] = since
    with (
        httpx.Client(timeout=30.0) as client,
        client.stream(
            "GET", f"{server.base}/events", headers=headers, params=query
        ) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        number = None
        for line in answer.iter_lines():
            if line.startswith("id: "):
                number = int(line[4:])
            elif line.startswith("data: "):
                yield number, json.loads(line[6:])


def test_a_stream_that_is_cut_again_and_again_loses_no_move(server, ids):
    store = server.store()
    since, moves = 0, []
    for _ in range(10):
        for _ in range(3):
            store.request_cancel(queue(store), by="a test")
        stream = events(server, since, header=bool(len(moves) % 2))
        since, found = next(stream)
        moves += found["moves"]
        stream.close()
    newest = store.rev()
    while since < newest:
        stream = events(server, since)
        since, found = next(stream)
        moves += found["moves"]
        stream.close()
    wanted = store.changes(0, 1_000_000)["moves"]
    assert moves == wanted


def test_without_a_revision_it_begins_now(server, ids):
    stream = events(server)
    store = server.store()
    headers = {"Authorization": f"token {TOKEN}"}
    with httpx.Client(headers=headers, timeout=30.0) as other:
        figures = f"{server.base}/metrics"
        # Those of the test before this one, of whose end the server may hear only now.
        until(lambda: "chutes_event_streams 0" in other.get(figures).text)
        found = []
        reader = threading.Thread(target=lambda: found.append(next(stream)))
        reader.start()
        until(lambda: "chutes_event_streams 1" in other.get(figures).text)
        job = queue(store)
        reader.join(60)
        moves = found[0][1]["moves"]
        assert [move["job_id"] for move in moves] == [job]
        stream.close()
        until(lambda: "chutes_event_streams 0" in other.get(figures).text)


@pytest.mark.parametrize("since", ["x", "-1", "1.5", "9" * 30, "", "999999"])
def test_a_revision_that_is_none_is_refused(server, ids, since):
    headers = {"Last-Event-ID": since}
    assert server.client.get("events", headers=headers).status_code == 400


def test_there_are_so_many_streams_and_no_more(server, ids):
    request = (
        f"GET /base/chutes/events HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: token {TOKEN}\r\n\r\n"
    ).encode()
    links = []
    try:
        for _ in range(512):
            link = socket.create_connection(("127.0.0.1", server.port), 60)
            link.sendall(request)
            links.append(link)
        figures = server.client.get
        until(lambda: "chutes_event_streams 512" in figures("metrics").text)
        answer = server.client.get("events")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert server.client.get(f"jobs/{ids['done']}/status").status_code == 200
    finally:
        for link in links:
            link.close()
    until(lambda: "chutes_event_streams 0" in server.client.get("metrics").text)
