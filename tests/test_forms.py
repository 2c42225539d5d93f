"""The run form's Python side: what it shows, what it submits, files that come to it."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import math
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from chutes_nb import Chute, UploadedFile, configure, get_job, runtime
from chutes_nb.errors import ChutesError, ValidationFailed
from chutes_nb.panel import FORM_MIME, RunForm
from chutes_nb.panel.receiving import Receiver
from chutes_nb.panel.static_form import static_form, words
from chutes_nb.store import Store, intake
from chutes_nb.uploads import (
    UPLOADS,
    ChecksumWrong,
    UploadConflict,
    UploadNotFound,
    Uploads,
    UploadTooLarge,
    upload_limit,
)

chute = Chute(username="u", name="forms")


class Config(BaseModel):
    model_type: str
    epochs: int = Field(3, ge=1)

    @field_validator("model_type")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value == "unknown":
            raise ValueError("nobody knows such a model")
        return value


@chute.job(timeout="1h", retry=2)
def train(self, config: Config, since: date, kind: Literal["a", "b"] = "a") -> list:
    return [config.epochs, since.isoformat(), kind]


@chute.job(upload=True)
def count(self, file: UploadedFile, others: list[Path] = ()) -> list:
    return [file.name, file.size, file.sha256, sorted(one.name for one in others)]


def ask(form: RunForm, message: dict[str, Any], *buffers: bytes) -> dict[str, Any]:
    """Send a message as a page does; gives the answer."""
    sent: list[dict[str, Any]] = []
    # What goes to the page is looked at here.
    form.send = lambda said, _buffers=None: sent.append(said)
    form._take(form, {"id": "1", **message}, list(buffers))
    (answer,) = sent
    assert (answer["type"], answer["id"]) == ("answer", "1")
    return answer


def submit(form: RunForm, **payload: Any) -> dict[str, Any]:
    return ask(form, {"type": "submit", "payload": payload})


def piece(uid: str, at: int, content: bytes) -> dict[str, Any]:
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return {"name": "piece", "upload": uid, "at": at, "sha256": digest}


# -- what it shows -------------------------------------------------------------
def test_the_form_has_the_schema_and_the_terms_of_the_job():
    form = train.form()
    shown = form.form
    assert (shown["chute"], shown["name"]) == ("forms", "train")
    assert (shown["timeout_s"], shown["retry"], shown["upload"]) == (3600.0, 2, False)
    assert list(shown["schema"]["properties"]) == ["config", "since", "kind"]
    assert shown["limit"] == upload_limit(runtime.store().home / UPLOADS)


def test_its_bundle_has_the_widget_our_mime_and_what_needs_no_kernel():
    data, _ = train.form()._repr_mimebundle_()
    assert data[FORM_MIME]["version"] == 1
    assert data[FORM_MIME]["schema"]["title"] == "train"
    assert "application/vnd.jupyter.widget-view+json" in data
    assert 'role="form" aria-label="Run train"' in data["text/html"]
    assert data["text/plain"] == "Run train: config, since, kind"


def test_a_form_makes_its_job_known_to_servers():
    @chute.job
    def told(self, n: int) -> int:
        return n

    told.form()
    rows = intake.newest_definitions(runtime.store().reader, "told")
    assert [row["chute"] for row in rows] == ["forms"]


def test_the_picture_names_each_field_with_its_kind_and_default():
    text = static_form(train.form().form)
    assert "timeout 1 h · 2 retries" in text
    for said in ("config", "Config", "since", "date", "kind", "where nothing is said"):
        assert said in text


def test_nothing_of_a_job_becomes_markup_in_the_picture():
    evil = "<img src=x onerror=alert(1)>"
    found: list[str] = []

    class Tags(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            found.append(tag)

    field = {"type": "string", "enum": [evil], "default": evil, "title": evil}
    Tags().feed(
        static_form({"name": evil, "schema": {"properties": {evil: field}}, "retry": 1})
    )
    assert set(found) <= {"div", "b", "span"}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer"}, "whole number"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number or nothing"),
        ({"type": "array", "items": {"type": "string"}}, "list of text"),
        ({"type": "array"}, "list of value"),
        ({"enum": ["a", 1]}, '"a" or 1'),
        ({"const": "only"}, '"only"'),
        ({"$ref": "#/$defs/Config"}, "Config"),
        ({"type": "string", "format": "date-time"}, "date and time"),
        (True, "value"),
        ({}, "value"),
    ],
)
def test_a_kind_is_said_in_words(schema: Any, said: str):
    assert words(schema, {}) == said


# -- what it submits -----------------------------------------------------------
def test_what_was_filled_in_becomes_a_job_of_this_kernel():
    answer = submit(train.form(), config={"model_type": "x"}, since="2026-01-31")
    assert answer["ok"], answer
    job = get_job(answer["value"])
    assert job.result(30) == [3, "2026-01-31", "a"]


def test_all_that_is_wrong_is_said_at_once_by_the_pydantic_of_submit():
    answer = submit(train.form(), config={"model_type": "unknown", "epochs": 0})
    assert not answer["ok"]
    assert answer["kind"] == "ValidationFailed"
    found = {tuple(one["loc"]): one["type"] for one in answer["details"]}
    assert found == {
        ("since",): "missing",
        ("config", "model_type"): "value_error",
        ("config", "epochs"): "greater_than_equal",
    }


def test_a_form_of_other_options_submits_with_them():
    form = train.options(retry=0).form()
    answer = submit(form, config={"model_type": "x"}, since="2026-01-31")
    assert get_job(answer["value"]).info.max_attempts == 1


def test_a_name_that_the_job_does_not_know_is_refused():
    answer = submit(train.form(), config={"model_type": "x"}, since="2026-01-31", no=1)
    assert not answer["ok"]
    assert "no" in answer["message"]


# -- files ---------------------------------------------------------------------
def begin(form: RunForm, name: str, size: int) -> str:
    question = {"type": "upload", "name": "begin", "file": name, "size": size}
    return str(ask(form, question)["value"]["upload"])


def send(form: RunForm, name: str, content: bytes) -> str:
    uid = begin(form, name, len(content))
    if not content:  # nothing to send, so it is there
        return uid
    answer = ask(form, {"type": "upload", **piece(uid, 0, content)}, content)
    assert answer["value"]["sha256"] == hashlib.sha256(content).hexdigest()
    return uid


def test_files_that_came_through_the_comm_reach_the_job():
    form = count.form()
    one, two = send(form, "data.csv", b"a,b\n"), send(form, "more.csv", b"")
    answer = submit(form, file={"upload": one}, others=[{"upload": two}])
    assert answer["ok"], answer
    sha256 = hashlib.sha256(b"a,b\n").hexdigest()
    result = get_job(answer["value"]).result(30)
    assert result == ["data.csv", 4, sha256, ["more.csv"]]


@pytest.mark.parametrize(
    ("value", "said"),
    [({"upload": "0" * 16}, "there is no upload"), ("data.csv", "cannot be read")],
)
def test_a_file_that_is_not_there_is_said_at_its_field(value: Any, said: str):
    answer = submit(count.form(), file=value)
    assert [one["loc"] for one in answer["details"]] == [["file"]]
    assert said in answer["details"][0]["msg"]


def test_an_upload_that_is_not_finished_is_said_at_its_field():
    form = count.form()
    answer = submit(form, file={"upload": begin(form, "half", 10)})
    assert "is not finished" in answer["details"][0]["msg"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "home")
    yield store
    store.close()


def asked(name: str, **said: Any) -> dict[str, Any]:
    return {"name": name, **said}


def test_pieces_make_the_file_and_the_server_finds_the_same_upload(store: Store):
    receiver = Receiver(store)
    uid = receiver.answer(asked("begin", file="a/b.bin", size=6), [])["upload"]
    assert receiver.answer(piece(uid, 0, b"abc"), [b"abc"])["offset"] == 3
    assert receiver.answer(asked("where", upload=uid), [])["offset"] == 3
    theirs = Uploads(store.home / UPLOADS, store.blobs)
    assert theirs.offset(theirs.get(uid)) == 3
    end = receiver.answer(piece(uid, 3, b"def"), [memoryview(b"def")])
    assert end["sha256"] == hashlib.sha256(b"abcdef").hexdigest()
    assert theirs.finished(uid).name == "b.bin"


def test_a_piece_out_of_order_or_not_as_it_was_hashed_is_left_out(store: Store):
    receiver = Receiver(store)
    uid = receiver.answer(asked("begin", size=6), [])["upload"]
    with pytest.raises(UploadConflict):
        receiver.answer(piece(uid, 3, b"def"), [b"def"])
    with pytest.raises(ChecksumWrong):
        receiver.answer(piece(uid, 0, b"abc"), [b"abX"])
    with pytest.raises(UploadTooLarge):
        receiver.answer(piece(uid, 0, b"1234567"), [b"1234567"])
    assert receiver.answer(asked("where", upload=uid), [])["offset"] == 0


def test_pieces_of_several_threads_never_mix(store: Store):
    receiver = Receiver(store)
    content = bytes(range(256)) * 16
    uid = receiver.answer(asked("begin", size=len(content)), [])["upload"]
    parts = [(at, content[at : at + 256]) for at in range(0, len(content), 256)]
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        for at, part in parts:
            while True:
                try:
                    receiver.answer(piece(uid, at, part), [part])
                except UploadConflict:
                    there = receiver.answer(asked("where", upload=uid), [])["offset"]
                    if there <= at:
                        continue
                break

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found = receiver.answer(asked("where", upload=uid), [])
    assert found["sha256"] == hashlib.sha256(content).hexdigest()


def test_an_upload_that_was_dropped_is_gone(store: Store):
    receiver = Receiver(store)
    uid = receiver.answer(asked("begin", size=6), [])["upload"]
    receiver.answer(asked("drop", upload=uid), [])
    with pytest.raises(UploadNotFound):
        receiver.answer(asked("where", upload=uid), [])


def test_a_question_that_nobody_knows_is_refused(store: Store):
    with pytest.raises(ChutesError, match="nobody here answers"):
        Receiver(store).answer(asked("answer"), [])


# -- the limit -----------------------------------------------------------------
def test_the_limit_is_the_stores_so_that_every_kernel_and_server_has_it(monkeypatch):
    folder = runtime.store().home / UPLOADS
    before = upload_limit(folder)
    monkeypatch.setenv("CHUTES_NB_UPLOAD_LIMIT", "7")
    try:
        configure(upload_limit=1000)
        assert upload_limit(folder) == 1000
        assert train.form().form["limit"] == 1000
        receiver = Receiver(runtime.store())
        with pytest.raises(UploadTooLarge, match=r"configure\(upload_limit=...\)"):
            receiver.answer(asked("begin", size=1001), [])
    finally:
        configure(upload_limit=before)


def test_without_a_configured_limit_the_variable_counts(store: Store, monkeypatch):
    folder = store.home / UPLOADS
    assert upload_limit(folder) == 8 << 30
    monkeypatch.setenv("CHUTES_NB_UPLOAD_LIMIT", "7")
    assert upload_limit(folder) == 7
    monkeypatch.setenv("CHUTES_NB_UPLOAD_LIMIT", "much")
    with pytest.raises(ChutesError, match="is no size"):
        upload_limit(folder)


@pytest.mark.parametrize("limit", [0, -1, True, "much", 1.5, math.nan])
def test_a_limit_that_is_none_is_refused(limit: Any):
    with pytest.raises(ValueError, match="upload_limit="):
        configure(upload_limit=limit)


def test_a_validation_error_names_the_job():
    with pytest.raises(ValidationFailed, match=r"^train: since: Field required"):
        train.form()._runner.submit({"config": {"model_type": "x"}})
