"""A job function that is called directly has what it has in a job."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

import chutes_nb
from chutes_nb.worker.context import _MEANT, RunContext

S = 60.0


def test_the_output_folder_is_passed_where_the_signature_asks_for_it(
    chute, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    @chute.job
    def report(text, output_dir: Path):
        (output_dir / "report.txt").write_text(text)
        return str(output_dir)

    @chute.job
    def outer(self):
        return report("inner"), str(self.output_dir)

    assert report("here") == str(tmp_path)
    assert report("here", output_dir=tmp_path / "..") == str(tmp_path / "..")
    job = outer.submit()
    assert len(set(job.result(S))) == 1
    assert job.files["report.txt"].read() == b"inner"


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_the_output_folder_is_a_text_where_one_is_asked_for(chute, executor):
    @chute.job(executor=executor)
    def save(self, output_dir: str):
        Path(output_dir + "/saved.txt").write_text("saved")
        return output_dir == str(self.output_dir)

    job = save.submit()
    assert job.result(S) is True
    assert job.files["saved.txt"].read() == b"saved"


@pytest.mark.parametrize("text", [str | None, "str | None", "Optional[str]"])
def test_the_output_folder_is_a_text_too_where_it_may_be_left_out(chute, text):
    def kind_of_folder(output_dir=None):
        return type(output_dir).__name__

    kind_of_folder.__annotations__["output_dir"] = text
    assert chute.job(kind_of_folder)() == "str"
    assert chute.job(kind_of_folder).submit().result(S) == "str"


def test_the_startup_hooks_run_once_where_something_of_theirs_is_read(own_chute):
    ran = []

    @own_chute.on_startup()
    async def load(self):
        await asyncio.sleep(0)
        ran.append("load")
        self.model = len

    @own_chute.job
    def measure(self, text):
        return self.model(text)

    @own_chute.job
    async def measure_later(self, text):
        return self.model(text)

    @own_chute.job
    def plain(self, text):
        return text

    async def main():
        return measure("abc"), await measure_later("abcd")

    assert (plain("a"), ran) == ("a", [])
    assert asyncio.run(main()) == (3, 4)
    assert ran == ["load"]
    assert measure.options(executor="kernel").submit(text="ab").result(S) == 2
    assert ran == ["load"]
    assert len(chutes_nb.jobs(name="measure_later")) == 0


def test_what_neither_the_chute_nor_its_hooks_have_is_said_to_be_missing(own_chute):
    @own_chute.on_startup
    def load():
        own_chute.model = 3

    @own_chute.job
    def read(self):
        return self.model, self.nothing

    with pytest.raises(AttributeError, match="neither the run nor its chute"):
        read()


@pytest.mark.parametrize("name", sorted(_MEANT))
def test_a_verb_by_the_name_it_has_elsewhere_is_told_by_its_own(own_chute, name):
    @own_chute.job
    def read(self, name: str):
        return getattr(self, name)

    verb = _MEANT[name]
    with pytest.raises(AttributeError, match=f"self.{re.escape(verb)} may be meant"):
        read(name=name)
    assert hasattr(RunContext, verb.partition("(")[0])
