"""What a shell completes: commands, ids, names, states."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chutes_nb.states import State
from rows import bring, queue


def completed(home: Path, words: str) -> list[str]:
    """Ask as bash does, once Tab was pressed behind the words."""
    environ = os.environ | {
        "CHUTES_NB_HOME": str(home),
        "_CHUTES_NB_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    code = "from chutes_nb.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stderr == ""
    return found.stdout.split()


def test_commands_are_completed(store):
    assert completed(store.home, "chutes-nb st") == ["status"]
    assert "export" in completed(store.home, "chutes-nb ")


def test_ids_are_completed(store):
    first, second = bring(store, State.COMPLETED), queue(store)
    assert completed(store.home, "chutes-nb logs ") == [second, first]
    assert completed(store.home, f"chutes-nb status {first[:15]}") == [first]


def test_only_jobs_are_completed_of_which_the_command_is(store):
    ended, waiting = bring(store, State.FAILED), queue(store)
    assert completed(store.home, "chutes-nb cancel ") == [waiting]
    assert completed(store.home, "chutes-nb rm ") == [ended]
    assert completed(store.home, "chutes-nb retry ") == [ended]


def test_names_and_states_are_completed(store):
    assert completed(store.home, "chutes-nb submit w") == ["work"]
    assert completed(store.home, "chutes-nb ls --status ca") == ["cancelled"]


@pytest.mark.parametrize("command", ["logs", "submit"])
def test_a_store_that_cannot_be_used_completes_nothing(tmp_path, command):
    home = tmp_path / "file"
    home.write_text("no folder")
    assert completed(home, f"chutes-nb {command} ") == []
