"""``doctor``: what is looked at, what is said of it, and what mends it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from chutes_nb.paths import interpreter
from chutes_nb.states import State
from chutes_nb.store import Store, checks, fleet
from chutes_nb.store.db import Database
from commands import called, define, run
from rows import EXECUTOR, NOBODY, NOW, bring, queue, until


@pytest.fixture(autouse=True)
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's Jupyter configuration of its own."""
    folder = tmp_path / "jupyter"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture
def store(store: Store) -> Store:
    """A store whose executor of before is no more, as its row says."""
    with store.writing() as tx:
        fleet.end_executor(tx, EXECUTOR, NOW)
    return store


def findings(call, area, *, code=0, mend=()):
    said = call("doctor", "--json", *mend)
    assert said.code == code, said.out
    return [one for one in said.json["findings"] if one["area"] == area]


def config(folder: Path, **classes: object) -> None:
    (folder / "jupyter_server_config.json").write_text(json.dumps(classes))


def test_a_sound_store_is_said_to_be_so(call, store):
    bring(store, State.COMPLETED)
    said = call("doctor")
    assert said.code == 0
    assert "no problem was found" in said.out
    assert str(store.home) in said.out
    assert "1 completed" in said.out


def test_the_sqlite_is_named_with_its_defect_and_why_it_is_safe(call):
    (found,) = findings(call, "sqlite")
    assert found["text"].startswith(sqlite3.sqlite_version)
    if sqlite3.sqlite_version_info <= (3, 51, 2):
        assert "WAL-reset bug" in found["text"]
        assert "It is safe here: the store's write gate" in found["text"]


def test_a_fixed_sqlite_is_named_without_a_word():
    assert checks.sqlite_note("3.51.3") == "3.51.3"
    assert checks.sqlite_note("3.44.6") == "3.44.6"
    assert "WAL-reset" in checks.sqlite_note("3.40.1")


def test_a_connection_that_checkpoints_by_itself_is_a_problem(store: Store):
    database: Database = store._db
    assert list(checks.ungated(database)) == []
    database._connect().connection.execute("PRAGMA wal_autocheckpoint = 1000")
    assert "checkpoints by itself" in "".join(checks.ungated(database))


def test_versions_are_named(call):
    (found,) = findings(call, "jupyter")
    for name in ("ipykernel", "jupyter_server", "anywidget", "jupyterlab"):
        assert name in found["text"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MAX_WORKERS", "many"),
        ("RESOURCES", "gpu"),
        ("HEADLESS_WAIT", "maybe"),
        ("LOG_CAP", "1"),
        ("UPLOAD_LIMIT", "large"),
        ("FILE_LIMIT", "ten"),
    ],
)
def test_a_setting_that_cannot_be_read_is_a_problem(call, monkeypatch, name, text):
    assert findings(call, "settings") == []
    monkeypatch.setenv(f"CHUTES_NB_{name}", text)
    (found,) = findings(call, "settings", code=1)
    assert found["level"] == "problem"
    assert f"CHUTES_NB_{name}={text!r}" in found["text"]
    assert "unset it" in found["fix"]


def test_the_disk_is_named_with_its_room(call):
    (found,) = findings(call, "disk")
    assert "free" in found["text"]


def test_a_home_that_others_may_enter_is_a_problem(call, store):
    call("ls")
    store.home.chmod(0o755)
    found = findings(call, "store", code=1)
    assert found[-1]["fix"] == f"chmod 700 {store.home}"


def test_a_damaged_store_is_rebuilt_and_told_of(call, store):
    job = bring(store, State.COMPLETED)
    store.checkpoint(0)
    store.close()
    path = store.home / "store.db"
    body = bytearray(path.read_bytes())
    body[1024 * 3 : 1024 * 20] = b"\xff" * (1024 * 17)
    path.write_bytes(body)
    said = run("doctor")
    assert said.code == 1
    assert "Traceback" not in said.err
    assert "a damaged store was put aside" in said.out
    assert "→ look at it, then remove it" in said.out
    assert json.loads(run("status", job, "--json").out)["status"] == "completed"


def test_a_store_that_cannot_be_opened_leaves_the_rest_to_be_told(call, store):
    store.close()
    for path in store.home.glob("store.db*"):
        path.unlink()
    (store.home / "store.db").mkdir()
    said = call("doctor", "--json")
    assert said.code == 1
    areas = {one["area"]: one["level"] for one in said.json["findings"]}
    assert areas["store"] == "problem"
    assert areas["culling"] == "ok"


def test_jobs_that_nobody_will_run_are_orphans_and_mending_runs_them(home):
    def add(self, a: int) -> int:
        return a + 1

    store = Store.open()
    define(add)
    with store.writing() as tx:
        fleet.add_executor(
            tx,
            "dead",
            kind="kernel",
            who=NOBODY,
            python=interpreter(),
            lease=str(store.leases / "dead.executor"),
            sqlite="3",
            now=1.0,
        )
    row = store.reader.one("SELECT key FROM definitions")
    job = queue(store, definition=row[0], executor="dead", input=b'{"a": 1}')
    (found,) = findings(called, "orphans", code=1)
    assert "nobody lives who runs them" in found["text"]
    assert "--mend" in found["fix"]
    findings(called, "orphans", mend=["--mend"])
    until(lambda: store.has_ended(job), 60)
    assert store.status(job)["status"] == "completed"


def test_a_living_kernel_is_named(home, own_chute):

    @own_chute.job
    def one(self) -> int:
        return 1

    assert one.submit().result(60) == 1
    (found,) = findings(called, "runs jobs")
    assert found["text"].startswith("kernel ")


@pytest.mark.parametrize(
    ("settings", "area", "level", "fix"),
    [
        (
            {"MappingKernelManager": {"cull_idle_timeout": 600}},
            *("culling", "note", "c.MappingKernelManager.cull_idle_timeout = 0"),
        ),
        (
            {"ServerApp": {"shutdown_no_activity_timeout": 3600}},
            *("culling", "note", "c.ServerApp.shutdown_no_activity_timeout = 0"),
        ),
        (
            {"ZMQChannelsWebsocketConnection": {"iopub_msg_rate_limit": 10}},
            *("websocket", "problem", "iopub_msg_rate_limit = 200"),
        ),
        (
            {"ServerApp": {"websocket_ping_interval": 300}},
            *("websocket", "note", "websocket_ping_interval = 30"),
        ),
    ],
)
def test_settings_of_the_server_that_jobs_feel_are_told(
    call, jupyter, settings, area, level, fix
):
    config(jupyter, **settings)
    found = findings(call, area, code=int(level == "problem"))[-1]
    assert found["level"] == level
    assert fix in found["fix"]


def test_settings_in_python_are_read_and_a_broken_file_is_told(call, jupyter):
    path = jupyter / "jupyter_server_config.py"
    path.write_text("c.MappingKernelManager.cull_idle_timeout = 60\n")
    assert findings(call, "culling")[0]["level"] == "note"
    path.write_text("c.Mapping(\n")
    (found,) = findings(call, "settings", code=1)
    assert str(path) in found["text"]


def test_a_server_extension_that_is_turned_off_is_a_problem(call, jupyter):
    assert findings(call, "server")[0]["level"] == "ok"
    config(jupyter, ServerApp={"jpserver_extensions": {"chutes_nb": False}})
    (found,) = findings(call, "server", code=1)
    assert found["fix"] == "jupyter server extension enable chutes_nb"


def test_a_front_end_that_is_turned_off_is_a_problem(call, jupyter):
    assert findings(call, "front end")[0]["level"] == "ok"
    (jupyter / "labconfig").mkdir()
    path = jupyter / "labconfig" / "page_config.json"
    path.write_text('{"disabledExtensions": {"chutes-nb": true}}')
    (found,) = findings(call, "front end", code=1)
    assert found["fix"] == "jupyter labextension enable chutes-nb"


def test_each_fault_comes_with_what_mends_it(call, jupyter):
    config(jupyter, ServerApp={"jpserver_extensions": {"chutes_nb": False}})
    out = call("doctor").out
    assert "✗ the HTTP API is disabled" in out
    assert "→ jupyter server extension enable chutes_nb" in out
