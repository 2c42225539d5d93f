"""The card's Python side: streams over a real store, and the static card."""

from __future__ import annotations

import html.parser
import io
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chutes_nb.errors import JobNotFound
from chutes_nb.panel import JobCard, JobsPanel, card_bundle
from chutes_nb.panel.feeder import Feeder
from chutes_nb.panel.stream import BATCH_BYTES, Stream
from chutes_nb.policy import Ending, Verdict
from chutes_nb.snapshots import JOB_MIME, JOBS_MIME, static_card, static_list
from chutes_nb.states import State
from chutes_nb.store import Store, jobs, logs, runs
from chutes_nb.store.blobs import keep
from chutes_nb.store.detail import thinned
from rows import DEFINITION, add_crew, new_job, until

WORKER = "worker-1"
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "home")
    yield store
    store.close()


def queue(store: Store, job: str = "job-000001") -> str:
    now = time.time()
    place = {"chute": "u-c", "name": "train"}
    with store.writing() as tx:
        add_crew(tx, "e", WORKER)
        jobs.add_definition(tx, replace(DEFINITION, **place, created_at=now))
        jobs.add(tx, new_job(id=job, executor="e", submitted_at=now, **place))
    return job


def start(store: Store) -> int:
    with store.writing() as tx:
        row = jobs.claim(tx, "e", WORKER, "out", time.time())
    assert row is not None
    return int(row["attempt"])


def write(store: Store, job: str, attempt: int, at: int, text: bytes) -> int:
    with store.writing_logs() as tx:
        end = logs.add(tx, job, attempt, at, text)
    with store.writing() as tx:
        runs.note(tx, job, attempt, log_end=end)
    return end


def end(store: Store, job: str, attempt: int, state: State) -> None:
    verdict = Verdict(state)
    ending = Ending(State.FAILED if state is State.RETRYING else state)
    with store.writing() as tx:
        jobs.finish(tx, job, attempt, WORKER, ending, verdict, time.time())


class Page:
    """What a page has got; joins the output by its offsets as the page does."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.text: dict[int, str] = {}
        self.next: dict[int, int] = {}
        self.skipped = 0

    def take(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        if message["type"] != "log":
            return
        log = message["log"]
        number = log["attempt"]
        known = self.next.get(number, 0)
        if log["offset"] < known:
            return
        assert log["offset"] - log["skipped"] <= known, "a gap"
        self.skipped += log["skipped"]
        self.text[number] = self.text.get(number, "") + log["text"]
        self.next[number] = log["next_offset"]

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]

    def states(self) -> list[str]:
        return [
            message["changes"]["jobs"][0]["status"]
            for message in self.messages
            if message["type"] == "changes"
        ]


def test_a_stream_sends_a_whole_life_and_then_stops(store: Store) -> None:
    page = Page()
    job = queue(store)
    stream = Stream(store, job, page.take)

    assert stream.tick()
    attempt = start(store)
    at = write(store, job, attempt, 0, b"one\n")
    assert stream.tick()
    write(store, job, attempt, at, b"two\n")
    end(store, job, attempt, State.FAILED)
    assert not stream.tick()

    assert page.states() == ["queued", "running", "failed"]
    assert page.text == {1: "one\ntwo\n"}
    assert page.messages[-1]["log"]["end"]


def test_a_stream_that_has_nothing_new_sends_nothing(store: Store) -> None:
    page = Page()
    stream = Stream(store, queue(store), page.take)
    stream.tick()
    page.messages.clear()
    stream.tick()
    assert page.messages == []


def test_a_new_attempt_begins_after_the_last_words_of_the_old_one(
    store: Store,
) -> None:
    page = Page()
    job = queue(store)
    stream = Stream(store, job, page.take)
    first = start(store)
    stream.tick()
    write(store, job, first, 0, b"first\n")
    end(store, job, first, State.RETRYING)
    second = start(store)
    write(store, job, second, 0, b"second\n")
    stream.tick()
    assert page.text == {1: "first\n", 2: "second\n"}


def test_a_flood_is_cut_to_one_batch_a_tick_and_says_so(store: Store) -> None:
    page = Page()
    job = queue(store)
    attempt = start(store)
    stream = Stream(store, job, page.take)
    stream.tick()
    flood = b"x" * 99 + b"\n"
    write(store, job, attempt, 0, flood * 40_000)
    stream.tick()
    stream.tick()
    assert len(page.text[1]) == BATCH_BYTES
    assert page.skipped + BATCH_BYTES == 4_000_000


def test_a_page_that_comes_late_gets_everything_again(store: Store) -> None:
    first, second = Page(), Page()
    pages = [first]
    job = queue(store)

    def send(message: dict[str, Any]) -> None:
        for page in pages:
            page.take(message)

    stream = Stream(store, job, send)
    attempt = start(store)
    at = write(store, job, attempt, 0, b"early\n")
    stream.tick()
    pages.append(second)
    stream.answer(None, None)
    write(store, job, attempt, at, b"late\n")
    stream.tick()
    assert first.text == second.text == {1: "early\nlate\n"}
    assert second.kinds()[0] == "detail"


def test_an_older_attempts_output_is_sent_whole_when_it_is_asked_for(
    store: Store,
) -> None:
    page = Page()
    job = queue(store)
    first = start(store)
    write(store, job, first, 0, b"y" * (3 * BATCH_BYTES))
    end(store, job, first, State.RETRYING)
    start(store)
    Stream(store, job, page.take).answer(first, 0)
    assert len(page.text[first]) == 3 * BATCH_BYTES


def test_the_feeder_follows_a_job_to_its_end_and_lets_it_go(store: Store) -> None:
    page, over = Page(), threading.Event()
    job = queue(store)

    def send(message: dict[str, Any]) -> None:
        page.take(message)
        if message["type"] == "log" and message["log"]["end"]:
            over.set()

    Feeder.of(store).follow(Stream(store, job, send))
    attempt = start(store)
    at = 0
    for n in range(50):
        at = write(store, job, attempt, at, f"line {n}\n".encode())
    end(store, job, attempt, State.FAILED)
    assert over.wait(60)
    assert page.text[1].splitlines() == [f"line {n}" for n in range(50)]
    threads = [t for t in threading.enumerate() if t.name == "chutes-cards"]
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_a_deleted_job_ends_its_stream(store: Store) -> None:
    with pytest.raises(JobNotFound):
        Stream(store, "nothing", print).tick()


def test_thinning_keeps_both_ends() -> None:
    points = [[n, n * n] for n in range(10_000)]
    kept = thinned(points, 600)
    assert len(kept) == 600
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert thinned(points[:5], 600) == thinned(points[:5], None) == points[:5]


# -- commands ---------------------------------------------------------------------


class Recorded:
    """Actions that keep what they were asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def cancel(self, job_id: str) -> bool:
        self.asked.append(("cancel", job_id))
        return True

    def retry(self, job_id: str) -> str:
        raise OSError("no room")

    def extend(self, job_id: str, seconds: float) -> None:
        self.asked.append(("extend", job_id, seconds))


def answered(card: JobCard, **message: Any) -> dict[str, Any]:
    return card._answer({"type": "command", "id": "1"} | message)


def test_a_command_goes_to_the_actions(store: Store) -> None:
    job, actions = queue(store), Recorded()
    card = JobCard(store, job, actions)
    assert card.commands == ["cancel", "retry", "extend"]
    assert answered(card, name="cancel", job_id=job) == {"ok": True, "value": True}
    answered(card, name="extend", job_id=job, args={"seconds": 60})
    assert actions.asked == [("cancel", job), ("extend", job, 60)]


def test_a_command_that_fails_or_is_unknown_says_so(store: Store) -> None:
    job = queue(store)
    card = JobCard(store, job, Recorded())
    assert answered(card, name="retry", job_id=job)["message"] == "OSError: no room"
    assert not answered(card, name="__init__", job_id=job)["ok"]


def test_a_card_alone_can_cancel_through_the_store(store: Store) -> None:
    job = queue(store)
    card = JobCard(store, job)
    assert answered(card, name="cancel", job_id=job)["ok"]
    assert card.get_state()["job"]["status"] == "cancelled"


# -- static -----------------------------------------------------------------------


def test_without_a_kernel_the_bundle_is_static(store: Store) -> None:
    bundle = card_bundle(store, queue(store))
    assert set(bundle) == {JOB_MIME, "text/html", "text/plain"}
    assert bundle["text/plain"] == "Job train 000001: queued"
    assert bundle[JOB_MIME]["job"]["status"] == "queued"


def test_the_static_card_escapes_everything() -> None:
    evil = "<script>alert(1)</script>\"'"
    status = {
        "job_id": evil,
        "name": evil,
        "status": "failed",
        "attempt": 1,
        "max_attempts": 2,
        "progress": None,
        "started_at": 1.0,
        "finished_at": 2.0,
        "reported_failure": False,
        "reason": evil,
        "cell": 3,
        "error": {
            "type": evil,
            "message": evil,
            "function": evil,
            "line": 1,
            "source": [[1, evil]],
        },
    }
    seen: list[str] = []

    class Tags(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            seen.append(tag)
            assert all(not name.startswith("on") for name, _ in attrs)

    Tags().feed(static_card(status, [evil, "\x1b[31mred\x1b[0m"]))
    assert set(seen) <= {"div", "b", "span", "code", "pre"}


def test_the_static_card_says_a_cause_once() -> None:
    reason = "the body ended its worker with exit code 3 and no result"
    error = {"type": "WorkerLost", "message": reason, "traceback": ""}
    changes = json.loads((GOLDEN / "changes.json").read_text("utf-8"))
    job = next(one for one in changes["jobs"] if one["status"] == "failed")
    assert static_card(job | {"error": error, "reason": reason}, []).count(reason) == 1


def test_the_log_of_a_static_card_is_found_as_that_of_a_live_one():
    changes = json.loads((GOLDEN / "changes.json").read_text("utf-8"))
    drawn = static_card(changes["jobs"][0] | {"name": 'a "b"'}, ["one line"])
    assert 'role="log" aria-label="Log of a &quot;b&quot;" tabindex="0"' in drawn
    assert "role=" not in static_card(changes["jobs"][0], []).partition(">")[2]


def test_the_panel_answers_pages_and_tells_every_change(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = queue(store)
    panel = JobsPanel(store)
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(panel, "send", sent.append)
    asked = {"type": "page", "status": "", "name": "", "text": "", "before": None}
    page = panel._answer(asked | {"limit": 100})["value"]
    assert [job["job_id"] for job in page["jobs"]] == [first]
    assert page["counts"]["queued"] == 1
    store.request_cancel(first, by="a test")
    until(lambda: sent)
    news = [move["to"] for one in sent for move in one["changes"]["moves"]]
    assert news == ["cancelled"]
    bundle = panel._repr_mimebundle_()[0]
    assert "train" in bundle["text/html"]
    kept = bundle[JOBS_MIME]
    assert [job["job_id"] for job in kept["jobs"]] == [first]
    assert kept["counts"]["cancelled"] == 1


def test_the_static_list_escapes_everything(store: Store) -> None:
    queue(store)
    found = store.jobs()[0]
    found[0] |= {"name": "<script>alert(1)</script>", "job_id": "<b>'\""}
    drawn = static_list(found, {"queued": 1, "failed": 0})
    assert "<script" not in drawn
    assert "<b>'" not in drawn
    assert "1 queued" in drawn
    assert "No jobs yet." in static_list([], {})


def test_the_panel_finds_jobs_as_the_filters_say_and_when_they_ran(
    store: Store,
) -> None:
    job = queue(store)
    start(store)
    panel = JobsPanel(store)
    asked = {"type": "page", "before": None, "limit": 10, "order": "oldest"}
    page = panel._answer(asked | {"tag": "none", "attempts": True})["value"]
    assert (page["jobs"], page["attempts"]) == ([], {})
    page = panel._answer(asked | {"text": "TRA", "attempts": True})["value"]
    assert page["attempts"][job][0]["status"] == "running"


def test_a_page_without_a_server_gets_a_file_in_pieces(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(store)
    body = bytes(range(256)) * 5000
    blob = keep(io.BytesIO(body), store.blobs)
    file = runs.KeptFile("a.bin", "a.bin", len(body), "x/y", blob.sha256)
    with store.writing() as tx:
        runs.add_files(tx, job, 1, [file])
    card = JobCard(store, job)
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(card, "send", lambda *one: sent.append(one))
    got = b""
    while len(got) < len(body):
        ask = {"type": "file", "id": "1", "job_id": job, "n": 1, "offset": len(got)}
        card._take(None, ask, None)
        got += b"".join(sent[-1][1])
    assert got == body
    assert sent[-1][0]["value"] == {"size": len(body), "type": "x/y"}
    card._take(None, ask | {"n": 2}, None)
    assert sent[-1][0]["message"] == f"job {job} has no file number 2"


def test_a_card_deletes_an_ended_job_alone(store: Store) -> None:
    job = queue(store)
    card = JobCard(store, job)
    assert not answered(card, name="delete", job_id=job)["ok"]
    store.request_cancel(job, by="a test")
    assert answered(card, name="delete", job_id=job)["ok"]
    with pytest.raises(JobNotFound):
        store.status(job)
