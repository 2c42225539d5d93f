"""Where things live, by whatever name somebody comes there."""

from __future__ import annotations

import os
import sys
import venv

import pytest

from chutes_nb.paths import interpreter, interpreter_of


@pytest.fixture
def env(tmp_path):
    """Folder of the interpreters of an environment, and another way to it."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    (tmp_path / "link").symlink_to(tmp_path / "env")
    return tmp_path / "env" / "bin"


def named(monkeypatch, path) -> str:
    monkeypatch.setattr(sys, "executable", str(path))
    return interpreter.__wrapped__()


def test_an_interpreter_is_the_same_by_all_its_names(env, monkeypatch, tmp_path):
    ways = [
        env / "python",
        env / "python3",
        tmp_path / "link" / "bin" / "python3",
        f"{env}/../bin/python",
    ]
    found = {named(monkeypatch, way) for way in ways}
    assert found == {os.path.join(os.path.realpath(env), "python")}


def test_a_name_that_an_earlier_version_kept_is_the_same_too(env, tmp_path):
    kept = tmp_path / "link" / "bin" / "python3"
    assert interpreter_of(str(kept)) == os.path.join(os.path.realpath(env), "python")
    assert interpreter_of(interpreter_of(str(kept))) == interpreter_of(str(kept))


def test_an_interpreter_that_is_gone_keeps_its_name():
    assert interpreter_of("/gone/bin/python3") == "/gone/bin/python3"


def test_interpreters_of_two_environments_are_two(env, monkeypatch):
    # Though their files are one: both are links to what made them.
    other = named(monkeypatch, sys.executable)
    assert named(monkeypatch, env / "python") != other


def test_another_interpreter_in_the_folder_is_another(env, monkeypatch):
    (env / "python3.99").write_text("")
    assert (
        named(monkeypatch, env / "python3.99") == f"{os.path.realpath(env)}/python3.99"
    )


def test_where_nobody_knows_the_interpreter_it_has_no_path(monkeypatch):
    assert named(monkeypatch, "") == ""
