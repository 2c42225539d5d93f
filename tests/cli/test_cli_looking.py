"""``ls`` and ``status``: what is shown of jobs, to people and to programs."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys

import pytest

from chutes_nb.cli import COMMANDS
from chutes_nb.cli.exits import CODES_TOLD
from chutes_nb.states import State
from chutes_nb.store import runs
from commands import run
from rows import NOW, bring, claim, queue


def test_every_command_is_there_and_says_what_the_list_says_of_it():
    for name, command in COMMANDS.items():
        module = importlib.import_module(f"chutes_nb.cli.{command.module}")
        about = getattr(module, name).__doc__.splitlines()[0]
        assert about.rstrip(".").startswith(command.about.rstrip(".")), name


def test_help_names_every_command_and_every_exit_code(call):
    said = call("--help")
    assert said.code == 0
    for name in COMMANDS:
        assert name in said.out
    assert " ".join(CODES_TOLD.split())[:40] in " ".join(said.out.split())
    assert call("-h").code == 0
    assert call("--version").out.startswith("chutes-nb 0.")


def test_jobs_are_listed_newest_first(call, store):
    first, second = bring(store, State.COMPLETED), bring(store, State.FAILED)
    header, *rows = call("ls").lines
    assert header.split()[:3] == ["STATE", "ID", "NAME"]
    assert [row.split()[1:4] for row in rows] == [
        ["failed", second, "work"],
        ["completed", first, "work"],
    ]


def test_a_list_in_a_pipe_has_no_colours_and_no_blanks_at_the_ends(call, store):
    bring(store, State.FAILED)
    out = call("ls").out
    assert "\x1b" not in out
    assert out.splitlines() == [line.rstrip() for line in out.splitlines()]


def test_of_a_list_in_a_pipe_the_cause_alone_is_cut(call, store):
    name = "a_name_" * 20
    job = queue(store, name=name)
    store.request_cancel(job, by="somebody " * 30)
    (_, row) = call("ls").lines
    assert name in row
    assert row.endswith("…")
    assert len(row[row.index("cancelled by") :]) == 80


def test_the_list_as_json_is_that_of_http(call, store):
    bring(store, State.COMPLETED)
    job = bring(store, State.QUEUED)
    found = call("ls", "--json", "-n", "1").json
    assert set(found) == {"jobs", "next", "counts"}
    assert [one["job_id"] for one in found["jobs"]] == [job]
    assert found["counts"]["completed"] == 1
    older = call("ls", "--json", "--before", str(found["next"])).json
    assert [one["status"] for one in older["jobs"]] == ["completed"]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (["--status", "failed"], 1),
        (["-s", "completed"], 0),
        (["-s", "failed", "-s", "queued"], 2),
        (["--name", "work"], 2),
        (["--tag", "nightly"], 1),
        (["--chute", "tests"], 2),
        (["-q", "wor"], 2),
        (["-q", "nothing"], 0),
    ],
)
def test_a_list_is_narrowed(call, store, filters, count):
    bring(store, State.FAILED)
    queue(store, tags='["nightly"]')
    assert len(call("ls", "--json", *filters).json["jobs"]) == count


def test_an_unknown_state_is_a_wrong_usage(call):
    said = call("ls", "--status", "finished")
    assert said.code == 2
    assert "completed" in said.err


def test_a_chute_that_nobody_has_is_not_found(call):
    assert call("ls", "--chute", "nobody").code == 3


def test_an_empty_store_is_said_to_be_so(call):
    said = call("ls")
    assert (said.code, said.out) == (0, "")
    assert "no job yet" in said.err
    assert call("ls", "--json").json["jobs"] == []


def test_a_watched_list_needs_a_terminal(call):
    said = call("ls", "--watch")
    assert said.code == 2
    assert "terminal" in said.err


def test_the_newest_job_is_meant_where_none_is_named(call, store):
    bring(store, State.FAILED)
    job = bring(store, State.COMPLETED)
    assert call("status", "--json").json["job_id"] == job


@pytest.mark.parametrize("cut", [slice(None), slice(0, 15), slice(-6, None)])
def test_a_job_is_named_by_its_id_its_beginning_and_its_ending(call, store, cut):
    job = queue(store)
    assert call("status", job[cut], "--json").json["job_id"] == job


def test_an_unknown_id_is_not_found(call, store):
    bring(store, State.QUEUED)
    said = call("status", "zzzzzz")
    assert said.code == 3
    assert "zzzzzz" in said.err
    assert "Traceback" not in said.err


def test_no_job_at_all_is_not_found(call):
    assert call("status").code == 3


def test_an_id_that_fits_two_is_not_enough(call, store):
    a = queue(store, "0abc000000000001")
    queue(store, "0abc000000000002")
    said = call("status", "0abc")
    assert said.code == 3
    assert "more than one" in said.err
    assert call("status", a[-3:]).code == 0


def test_a_status_shows_attempts_cause_metrics_and_files(call, store):
    job = bring(store, State.RETRYING)
    claim(store, now=NOW + 2)
    with store.writing() as tx:
        runs.add_metrics(tx, job, 2, [("loss", 1.0, 0.5), ("loss", 2.0, 0.25)], NOW)
        runs.add_files(tx, job, 2, [runs.KeptFile("a.txt", "", 12, "text/plain", "ab")])
        runs.note(tx, job, 2, progress={"done": 1, "total": 4, "fraction": 0.25})
    out = "\n".join(call("status").lines)
    assert f"running  work  {job}" in out
    assert "2 of 3" in out
    assert "25 %  1 of 4" in out
    assert "0.5  0.25" in out
    assert "12 B  a.txt" in out
    assert "1  ● failed" in out


def test_a_status_in_detail_is_what_http_answers_of_a_job(call, store):
    bring(store, State.COMPLETED)
    found = call("status", "--detail", "--json").json
    assert {"status", "attempts", "moves", "inputs", "source", "files"} <= set(found)
    assert "def work" in call("status", "--detail").out


def test_what_a_job_is_called_cannot_steer_the_terminal(call, store):
    queue(store, name="evil\x1b]0;title\x07\x1b[2J\u202ename\nline")
    out = call("ls").out + call("status").out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "evilname line" in out


def test_names_are_no_markup(call, store):
    queue(store, name="[bold]train[/bold] [link=x]")
    assert "[bold]train[/bold] [link=x]" in call("ls").out


def test_output_that_knows_no_unicode_gets_plain_marks(store, monkeypatch):
    bring(store, State.COMPLETED)
    monkeypatch.setenv("CHUTES_NB_HOME", str(store.home))
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    said = run("ls")
    assert said.code == 0
    assert said.out.splitlines()[1].split()[0] == "completed"


def test_a_store_that_cannot_be_read_is_told_of_without_a_trace(call, store):
    path = store.home / "store.db"
    store.close()
    path.unlink()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.mkdir()
    said = call("ls")
    assert said.code == 5
    assert said.err.startswith("error: ")
    assert "Traceback" not in said.err


def test_json_is_one_line_in_a_pipe(call, store):
    bring(store, State.COMPLETED)
    assert len(call("status", "--json").out.splitlines()) == 1
    assert json.loads(call("status", "--json").out)["status"] == "completed"


def test_a_home_that_is_a_file_is_told_to_be_no_folder(call, tmp_path, monkeypatch):
    home = tmp_path / "file"
    home.touch()
    monkeypatch.setenv("CHUTES_NB_HOME", str(home))
    said = call("ls")
    assert said.code == 5
    assert f"folder {home} cannot be made (File exists)" in said.err


@pytest.mark.parametrize(
    "arguments",
    [["ls"], ["status"], ["logs"], ["files"], ["result"], ["doctor", "--json"]],
    ids=" ".join,
)
def test_a_closed_standard_output_is_no_fault(call, store, arguments):
    bring(store, State.COMPLETED)
    code = " ".join([sys.executable, "-m", "chutes_nb", *arguments, ">&-"])
    environ = os.environ | {"CHUTES_NB_DEBUG": ""}
    found = subprocess.run(
        ["sh", "-c", code], capture_output=True, text=True, env=environ, timeout=60
    )
    assert found.returncode in (0, 1)  # 1 is what a doctor may say of this machine
    assert "Traceback" not in found.stderr
    assert "error" not in found.stderr
