"""What watches over the jobs finds: traces, figures, and each move in a file."""

from __future__ import annotations

import json
import stat

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chutes_nb.errors import ChutesError
from chutes_nb.server.moves_log import MovesLog, moves_log
from chutes_nb.server.trace import trace_of
from chutes_nb.states import State
from chutes_nb.store import Store, runs
from rows import NOW, bring, claim, finish, queue, until


def spans(server, job):
    (resource,) = server.json(f"jobs/{job}/trace")["resourceSpans"]
    return resource["scopeSpans"][0]["spans"]


def test_a_trace_has_a_span_for_each_wait_and_each_attempt(server, ids):
    store = server.store()
    job = queue(store, priority=9)
    for attempt, state in ((1, State.RETRYING), (2, State.COMPLETED)):
        assert claim(store) == job
        finish(store, job, state, attempt)
    whole, *parts = spans(server, job)
    assert whole["name"] == "work"
    assert [event["name"] for event in whole["events"]] == [
        *("queued", "running", "retrying", "running", "completed")
    ]
    names = ["waiting (queued)", "waiting (retrying)", "attempt 1", "attempt 2"]
    assert [one["name"] for one in parts] == names
    assert all(one["parentSpanId"] == whole["spanId"] for one in parts)
    assert len({one["spanId"] for one in (whole, *parts)}) == 5
    assert {one["traceId"] for one in parts} == {whole["traceId"]}
    assert [len(whole[name]) for name in ("traceId", "spanId")] == [32, 16]
    assert [one.get("status") for one in (whole, parts[3])] == [{"code": 1}] * 2
    assert int(whole["startTimeUnixNano"]) == NOW * 1e9


def test_a_trace_says_what_a_job_died_of(server, ids):
    whole, _, attempt = spans(server, ids["failed"])
    assert whole["status"] == {"code": 2, "message": "it failed"}
    (event,) = attempt["events"]
    said = {one["key"]: one["value"]["stringValue"] for one in event["attributes"]}
    assert said == {
        "exception.type": "ValueError",
        "exception.message": "no",
        "exception.stacktrace": "Trace",
    }


def test_a_trace_of_a_running_job_ends_now_and_links_to_what_it_repeats(server, ids):
    found = server.store().detail(ids["running"])
    found["status"]["retry_of"] = ids["done"]
    resource = trace_of(found, NOW + 5)["resourceSpans"][0]
    whole = resource["scopeSpans"][0]["spans"][0]
    assert int(whole["endTimeUnixNano"]) == (NOW + 5) * 1e9
    assert whole["status"] == {}
    before = spans(server, ids["done"])[0]
    assert whole["links"] == [{k: before[k] for k in ("traceId", "spanId")}]


def test_figures_are_what_prometheus_reads(server, ids):
    text = server.client.get("metrics").text
    found = {one.name: one for one in text_string_to_metric_families(text)}
    states = {one.labels["state"] for one in found["chutes_jobs"].samples}
    assert states == set(State)
    assert found["chutes_oldest_waiting_seconds"].samples[0].value > 0
    sizes = {
        one.labels["file"]: one.value for one in found["chutes_store_bytes"].samples
    }
    assert sizes["store.db"] > 0
    assert all(one.documentation for one in found.values())


def test_partial_results_are_told_where_json_can_say_them(server, ids):
    store = server.store()
    with store.writing() as tx:
        runs.add_partial(tx, ids["running"], 1, "json", b'{"half": 1}', NOW)
        runs.add_partial(tx, ids["running"], 1, "pickle", b"never read", NOW)
    assert server.json(f"jobs/{ids['running']}/partial") == {
        "partial": [
            {"value": {"half": 1}, "exact": True},
            {"value": None, "exact": False},
        ]
    }


# -- the log of moves ----------------------------------------------------------
def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def follow(store, tmp_path):
    """Starts a log on the store, as a server does."""
    started = []

    def start(path=tmp_path / "moves.jsonl"):
        log = MovesLog(path, lambda: store)
        started.append(log)
        log.start()
        return path

    yield start
    for log in started:
        log.close()


def said(store, path, count):
    until(lambda: path.exists() and path.read_text().count("\n") >= count)
    return lines(path)


def begun(folder):
    """A file that has all up to the store's beginning."""
    path = folder / "moves.jsonl"
    path.touch(0o600)
    path.write_text(json.dumps({"rev": 0}) + "\n")
    return path


def test_every_move_is_a_line_of_json(store, follow, tmp_path):
    path = begun(tmp_path)
    follow()
    bring(store, State.RETRYING)
    _, *found = said(store, path, 4)
    assert [one["rev"] for one in found] == [
        m["rev"] for m in store.changes(0)["moves"]
    ]
    last = found[-1]
    assert {"from": "running", "to": "retrying"}.items() <= last.items()
    assert last["name"] == "work"
    assert last["event"] == "job.move"
    assert last["time"].startswith("1970-01-01T00:16:")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_goes_on_after_its_last_line(store, follow, tmp_path):
    path = tmp_path / "moves.jsonl"
    for _ in range(3):
        bring(store, State.CANCELLED)
    moves = store.changes(0)["moves"]
    path.write_text(json.dumps({"rev": moves[0]["rev"]}) + "\n")
    follow()
    found = said(store, path, len(moves))
    assert [one["rev"] for one in found] == [one["rev"] for one in moves]


def test_a_line_that_was_cut_off_is_written_again(store, follow, tmp_path):
    path = tmp_path / "moves.jsonl"
    bring(store, State.FAILED)
    revs = [one["rev"] for one in store.changes(0)["moves"]]
    whole = "".join(json.dumps({"rev": rev}) + "\n" for rev in revs[:2])
    path.write_text(whole + '{"rev": 3, "job_')
    follow()
    found = said(store, path, len(revs))
    assert [one["rev"] for one in found] == revs


def test_a_log_that_was_moved_away_is_begun_anew_and_leaves_out_nothing(
    store, follow, tmp_path
):
    path = begun(tmp_path)
    follow()
    jobs = [queue(store)]
    said(store, path, 2)
    old = path.rename(path.with_suffix(".1"))
    jobs.append(queue(store))  # perhaps still to the old one
    until(path.exists)
    jobs.append(queue(store))
    until(lambda: old.read_text().count("\n") + path.read_text().count("\n") == 4)
    _, *found = lines(old) + lines(path)
    assert [one["job_id"] for one in found] == jobs


def test_one_of_two_writes_a_log(store, follow, tmp_path):
    path = begun(tmp_path)
    follow(), follow()
    jobs = [queue(store) for _ in range(20)]
    found = said(store, path, 21)
    assert [one["job_id"] for one in found[1:]] == jobs


def test_a_log_needs_an_absolute_path(monkeypatch):
    monkeypatch.setenv("CHUTES_NB_MOVES_LOG", "moves.jsonl")
    with pytest.raises(ChutesError, match="absolute path"):
        moves_log(Store.open)
    monkeypatch.setenv("CHUTES_NB_MOVES_LOG", "")
    assert moves_log(Store.open) is None
