"""``submit`` and ``retry``: jobs of a notebook's definitions, with no kernel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from chutes_nb import Chute, UploadedFile, publishing
from chutes_nb.store import Store
from commands import called, define, run, start
from rows import queue, until


def add(self, a: int, b: int = 1) -> int:
    print("adding")
    return a + b


def fail(self) -> None:
    raise ValueError("no luck")


def lines_of(self, text: UploadedFile, times: int = 1) -> list[str]:
    return text.read().decode().split() * times


@dataclass
class Config:
    epochs: int
    name: str = "z"


Config.__module__ = "__main__"  # a notebook's, which travels by its value


def train(self, config: Config, others: list[Config], last: Config | None = None):
    names = [one.name for one in (config, *others, last) if one is not None]
    return config.epochs, "".join(names)


def again(self, folder: str) -> str:
    if not os.path.exists(f"{folder}/there"):
        self.checkpoint({"n": 7})
        raise FileNotFoundError("not there yet")
    return str(self.restore())


def wait(self, gate: str) -> str:
    while not os.path.exists(gate):
        time.sleep(0.02)
    return "through"


def test_a_job_is_queued_and_run_by_the_detached_host(home):
    define(add)
    said = called("submit", "add", '{"a": 2, "b": 3}')
    assert said.code == 0
    (job,) = said.lines
    said = run("result", job, "--wait")
    assert (said.code, said.out) == (0, "5\n")
    assert called("logs", job).out == "adding\n"


def test_a_result_is_waited_for_and_printed(home):
    define(add)
    said = run("submit", "add", "-p", "a=4", "--wait")
    assert (said.code, said.out) == (0, "5\n")
    found = run("submit", "add", '{"a": 1}', "--wait", "--json").json
    assert (found["status"], found["result"]) == ("completed", 2)


def test_a_dataclass_arrives_as_one(home):
    define(train)
    given = {"config": {"epochs": 3}, "others": [{"epochs": 1, "name": "a"}]}
    given["last"] = {"epochs": 2, "name": "b"}
    said = run("submit", "train", json.dumps(given), "--wait")
    assert (said.code, said.out) == (0, "(3, 'zab')\n"), said.err


def test_a_job_that_fails_is_code_1_with_its_cause(home):
    define(fail)
    said = run("submit", "fail", "--wait")
    assert said.code == 1
    assert "ValueError: no luck" in said.err


def test_the_answer_as_json_is_that_of_http(home):
    define(add)
    found = called("submit", "add", '{"a": 2}', "--json").json
    assert found["status"] in ("queued", "running", "completed")
    assert set(found) == {"job_id", "status"}


def test_a_payload_comes_from_standard_input_or_a_file(home, tmp_path):
    define(add)
    path = tmp_path / "payload.json"
    path.write_text('{"a": 2}')
    for given in ("-", f"@{path}"):
        job = called("submit", "add", given, given='{"a": 2}').lines[0]
        assert called("status", job, "--detail", "--json").json["inputs"] == {"a": 2}


def test_a_payload_from_a_closed_standard_input_is_no_json(home):
    define(add)
    code = f"{sys.executable} -m chutes_nb submit add - <&-"
    environ = os.environ | {"CHUTES_NB_DEBUG": ""}
    found = subprocess.run(
        ["sh", "-c", code], capture_output=True, text=True, env=environ, timeout=60
    )
    assert found.returncode == 2
    assert "no JSON" in found.stderr
    assert "fault of chutes-nb" not in found.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (['{"a": "x"}'], "a: Input should be a valid integer"),
        (['{"b": 2}'], "a: Field required"),
        (['{"a": 1, "c": 2}'], "Extra inputs"),
        (["{a: 1}"], "no JSON"),
        (['{"a": NaN}'], "NaN is not JSON"),
        (["@/nowhere/p.json"], "cannot be read"),
        (["-p", "a=" + "[" * 100_000], "a: Input should be a valid integer"),
        (["-p", "a"], "NAME=VALUE"),
        (["[1]", "-p", "a=1"], "JSON object"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused_and_leaves_no_job(
    home, arguments, said
):
    define(add)
    found = called("submit", "add", *arguments)
    assert found.code == 2
    assert said in " ".join(found.err.replace("│", " ").split())
    assert called("ls", "--json").json["jobs"] == []


def release(self, version: str | None = None, days: int = 1) -> str:
    return f"{version} in {days}"


@pytest.mark.parametrize("version", ["3", "1.10", "true", "03", '"3"', "null"])
def test_what_looks_like_a_number_is_a_text_where_one_is_wanted(home, version):
    define(release)
    job = called("submit", "release", "-p", f"version={version}", "-p", "days=2")
    (line,) = job.lines
    kept = Store.open().detail(line)["inputs"]
    wanted = {'"3"': "3", "null": None}.get(version, version)
    assert kept == {"version": wanted, "days": 2}


def test_an_unknown_name_is_not_found(home):
    said = called("submit", "nothing", "{}")
    assert said.code == 3
    assert "nothing" in said.err


def test_a_name_that_two_chutes_have_is_given_with_its_chute(home):
    define(add)
    other = Chute(username="me", name="other").job(name="add")(add)
    publishing.publish(other.definer)
    said = called("submit", "add", '{"a": 1}')
    assert said.code == 2
    assert "other" in said.err
    job = called("submit", "other/add", '{"a": 1}').lines[0]
    assert called("status", job, "--json").json["chute"] == "other"


def test_a_file_reaches_its_parameter(home, tmp_path):
    define(lines_of, upload=True)
    path = tmp_path / "words.txt"
    path.write_text("one two")
    said = run(
        *("submit", "lines_of", "--file", f"text={path}", "-p", "times=2", "--wait")
    )
    assert said.code == 0, said.err
    assert json.loads(said.out) == ["one", "two", "one", "two"]


def has(text: bytes | None = None) -> bool:
    return text is not None


def test_null_is_no_file_where_none_has_to_be_given(home):
    define(has, upload=True)
    job = called("submit", "has", '{"text": null}').lines[0]
    assert called("status", job, "--json").json["name"] == "has"
    define(lines_of, upload=True)
    said = called("submit", "lines_of", '{"text": null}')
    assert said.code == 2
    assert "Input should be a file" in said.err


def test_a_file_that_is_not_there_is_refused(home):
    define(lines_of, upload=True)
    said = called("submit", "lines_of", "--file", "text=/nowhere/a.txt")
    assert said.code == 2
    assert "/nowhere/a.txt" in said.err


def test_the_same_key_queues_one_job(home):
    define(add)
    first = called("submit", "add", '{"a": 1}', "--key", "mine").lines
    assert called("submit", "add", '{"a": 1}', "--key", "mine").lines == first
    said = called("submit", "add", '{"a": 2}', "--key", "mine")
    assert said.code == 2
    assert first[0] in said.err


def test_options_that_have_changed_are_those_of_the_next_submit(home):
    """The code is the same; only the decorator was edited and the cell run again."""
    define(add, timeout=60, retry=1)
    define(add, timeout=90)
    status = called("submit", "add", '{"a": 1}').lines[0]
    found = called("status", status, "--json").json
    assert (found["timeout_s"], found["max_attempts"]) == (90.0, 1)


def test_a_job_that_failed_is_run_again_with_its_checkpoint(home, tmp_path: Path):
    define(again)
    old = run("submit", "again", "-p", f"folder={tmp_path}", "--wait", "--json").json
    assert old["status"] == "failed"
    (tmp_path / "there").touch()
    said = run("retry", "--wait")
    assert (said.code, said.out) == (0, "{'n': 7}\n")
    assert called("status", "--json").json["retry_of"] == old["job_id"]
    said = run("retry", old["job_id"], "--no-resume", "--wait")
    assert (said.code, said.out) == (0, "None\n")


def test_a_job_that_has_not_ended_is_not_run_again(call, store):
    said = call("retry", queue(store))
    assert said.code == 4


def test_ctrl_c_while_waiting_leaves_the_job(home, tmp_path):
    define(wait)
    gate = tmp_path / "gate"
    with start("submit", "wait", "-p", f"gate={gate}", "--wait") as process:
        store = Store.open()
        until(lambda: store.counts()["running"])
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 130
        assert process.stderr is not None
        assert "goes on" in process.stderr.read()
    gate.touch()
    assert run("result", "--wait").out == "through\n"
