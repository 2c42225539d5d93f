"""A store that cannot be read for a while stops nobody who follows it for good."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator

from chutes_nb import host
from chutes_nb.panel.feeder import Feeder
from chutes_nb.server import moves_log
from chutes_nb.server.moves_log import MovesLog
from chutes_nb.states import State
from rows import bring, until

S = 60


@contextlib.contextmanager
def unreadable(store) -> Iterator[None]:
    """Let SQLite refuse each row that is read, but for this thread's."""
    own = store.reader.seat.connection
    others = [one.connection for one in store._db._seats._all]
    others = [one for one in others if one is not own]
    before = [one.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 30) for one in others]
    try:
        yield
    finally:
        for one, limit in zip(others, before, strict=True):
            one.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limit)


class Card:
    """Counts how often it was asked, and says what it is told to."""

    def __init__(self) -> None:
        self.ticks, self.is_open = 0, True
        self.error: Exception | None = None

    def tick(self) -> bool:
        self.ticks += 1
        if self.error is not None:
            raise self.error
        return self.is_open


def ticks_on(card: Card) -> None:
    seen = card.ticks
    until(lambda: card.ticks > seen + 1)


def test_cards_go_on_behind_a_store_that_could_not_be_read(store):
    card = Card()
    Feeder.of(store).follow(card)
    ticks_on(card)
    card.error = sqlite3.DatabaseError("database disk image is malformed")
    ticks_on(card)
    card.error, card.is_open = None, False
    until(lambda: Feeder.of(store)._thread is None)


def test_a_card_that_fails_freezes_no_other(store):
    bad, good = Card(), Card()
    bad.error = ValueError("nobody foresaw this")
    Feeder.of(store).follow(bad)
    Feeder.of(store).follow(good)
    ticks_on(good)
    assert bad.ticks == 1
    good.is_open = False
    until(lambda: Feeder.of(store)._thread is None)


def test_the_log_of_moves_goes_on_behind_a_store_that_could_not_be_read(
    store, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(moves_log, "PAUSE_S", 0.01)
    bring(store, State.CANCELLED)
    since, path = store.rev(), tmp_path / "moves.jsonl"
    log = MovesLog(path, lambda: store)
    log.start()
    until(path.exists)
    until(lambda: log._since is not None)
    with unreadable(store):
        bring(store, State.CANCELLED)
        until(lambda: "cannot be written" in caplog.text or not log._thread.is_alive())
    assert log._thread.is_alive()
    bring(store, State.CANCELLED)
    until(lambda: path.read_text().count("\n") >= 6)
    log.close()
    log._thread.join(S)
    found = [json.loads(line)["rev"] for line in path.read_text().splitlines()]
    assert found == [move["rev"] for move in store.changes(since)["moves"]]


def test_a_host_stays_where_its_store_could_not_be_read(store, monkeypatch, caplog):
    monkeypatch.setattr(host, "AGAIN_S", 0.01)
    told = threading.Event()
    one = host.Host(store, float(S), told)
    thread = threading.Thread(target=one.serve)
    thread.start()
    until(lambda: store.reader.one("SELECT 1 FROM executors"))
    until(lambda: len(store._db._seats) > 2)
    with unreadable(store):
        until(lambda: "will look again" in caplog.text or not thread.is_alive())
    assert thread.is_alive()
    assert one._executor.is_running
    told.set()
    thread.join(S)
    assert not thread.is_alive()
