"""``run``: notebooks as jobs, with parameters, however they end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import nbformat
import pytest

from chutes_nb.errors import DefinitionError
from chutes_nb.notebook_run import with_parameters
from chutes_nb.store import Store
from commands import called, run, start, write_notebook
from rows import until

SLEEPS = "import time\nprint('began', flush=True)\ntime.sleep(600)"


def saved(job: str, folder: Path) -> nbformat.NotebookNode:
    """The notebook that a job left."""
    folder.mkdir()
    assert called("files", job, "--save", str(folder)).code == 0
    (path,) = folder.iterdir()
    return nbformat.read(path, 4)


def outputs(notebook: nbformat.NotebookNode) -> list[str]:
    """What the cells of a notebook show, as text."""
    return [
        one.get("text") or one.get("data", {}).get("text/plain") or one.get("ename")
        for cell in notebook.cells
        for one in cell.outputs
    ]


def test_a_notebook_runs_with_parameters_in_its_folder(home, tmp_path):
    path = write_notebook(
        tmp_path / "good.ipynb",
        ("epochs = 2\nmode = 'slow'", "parameters"),
        "import os\nprint(os.getcwd())",
        "epochs, mode",
    )
    out = tmp_path / "out.ipynb"
    arguments = ("-p", "epochs=3", "--params", '{"mode": "fast"}', "-o", str(out))
    said = run("run", str(path), *arguments)
    assert said.code == 0, said.err
    assert "completed  good.ipynb" in said.err
    made = nbformat.read(out, 4)
    assert outputs(made) == [f"{tmp_path}\n", "(3, 'fast')"]
    assert [cell.metadata.get("tags") for cell in made.cells][:2] == [
        ["parameters"],
        ["injected-parameters"],
    ]
    assert said.out.splitlines()[-2:] == ["── cell 4 of 4 ──", "(3, 'fast')"]
    assert outputs(nbformat.read(path, 4)) == []  # the notebook itself is as it was


def test_progress_goes_by_cells(home, tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", "x = 1", "", "x + 1")
    said = run("run", str(path), "--json")
    assert said.code == 0, said.err
    progress = said.json["progress"]
    assert (progress["done"], progress["total"]) == (2, 2)
    found = called("result", "--json").json["result"]
    assert (found["notebook"], found["cells"]) == ("n.ipynb", 2)


def test_a_cell_that_fails_is_named_and_the_notebook_is_kept(home, tmp_path):
    path = write_notebook(
        tmp_path / "bad.ipynb", "print('first')", "1 / 0", "print('never')"
    )
    said = run("run", str(path), "-o", str(tmp_path / "out.ipynb"))
    assert said.code == 1
    assert "cell 2 of 3 raised ZeroDivisionError: division by zero" in said.err
    kept = ["first\n", "ZeroDivisionError"]
    assert outputs(nbformat.read(tmp_path / "out.ipynb", 4)) == kept
    error = called("status", "--json").json["error"]
    assert error["type"] == "CellFailed"
    assert "----> 1 1 / 0" in error["traceback"]


def test_a_timeout_ends_the_kernel_and_keeps_the_notebook(home, tmp_path):
    path = write_notebook(tmp_path / "slow.ipynb", f"print({os.getpid()})", SLEEPS)
    (job,) = called("run", str(path), "--detach", "--timeout", "1h").lines
    store = Store.open()
    until(lambda: "began" in store.tail(job, 9))
    assert store.request_extend(job, 1 - 3600)  # its kernel may have taken a while
    said = run("status", job, "--follow", "--json")
    assert said.code == 1
    assert store.status(job)["status"] == "timeout"
    assert "began\n" in outputs(saved(job, tmp_path / "out"))
    assert not kernels_of(home)


def test_a_cancel_ends_the_kernel_and_keeps_the_notebook(home, tmp_path):
    path = write_notebook(tmp_path / "slow.ipynb", SLEEPS)
    said = called("run", str(path), "--detach")
    (job,) = said.lines
    store = Store.open()
    until(lambda: "began" in store.tail(job, 9))
    assert called("cancel").code == 0
    assert run("status", "--follow", "--json").code == 1
    assert store.status(job)["status"] == "cancelled"
    assert outputs(saved(job, tmp_path / "out")) == ["began\n"]
    assert not kernels_of(home)


def test_a_kernel_that_dies_is_the_named_cause(home, tmp_path):
    path = write_notebook(
        tmp_path / "dies.ipynb", "print('here')", "import os\nos._exit(3)"
    )
    said = run("run", str(path))
    assert said.code == 1
    assert "KernelDied: the kernel died in cell 2 of 2" in said.err
    files = called("files", "--json").json["files"]
    assert [one["name"] for one in files] == ["dies.ipynb"]


def test_a_cell_that_takes_too_long_is_the_named_cause(home, tmp_path):
    path = write_notebook(tmp_path / "slow.ipynb", SLEEPS)
    said = run("run", str(path), "--cell-timeout", "1")
    assert said.code == 1
    assert "cell 1 of 1 ran for longer than 1 s" in said.err


def test_ctrl_c_stops_to_look_and_the_notebook_goes_on(home, tmp_path):
    gate = tmp_path / "gate"
    path = write_notebook(
        tmp_path / "n.ipynb",
        "import os, time\nprint('began', flush=True)\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.02)\n'through'",
    )
    with start("run", str(path)) as process:
        while process.stdout.readline() != "began\n":
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 130
        assert "goes on" in process.stderr.read()
    gate.touch()
    assert run("status", "-f").code == 0
    assert called("logs").out.endswith("'through'\n")


def test_a_notebook_is_tried_again(home, tmp_path):
    mark = tmp_path / "mark"
    path = write_notebook(
        tmp_path / "n.ipynb",
        f"from pathlib import Path\nmark = Path({str(mark)!r})\n"
        "was = mark.exists()\nmark.touch()\nassert was",
    )
    found = run("run", str(path), "--retry", "1", "--json").json
    assert (found["status"], found["attempt"]) == ("completed", 2)


def test_options_reach_the_job(home, tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", "1")
    options = ("--name", "nightly", "--tag", "a", "--tag", "b", "--timeout", "1h")
    called("run", str(path), "-d", *options)
    told = called("status", "--detail", "--json").json
    found = told["status"]
    assert (found["name"], found["tags"], found["timeout_s"]) == (
        *("nightly", ["a", "b"]),
        3600.0,
    )
    assert found["chute"] == "notebooks"
    assert told["source"] == "1"
    assert run("result", "--wait").code == 0


def test_no_such_kernel_is_not_tried_again(home, tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", "1")
    said = run("run", str(path), "--kernel", "cobol", "--retry", "3")
    assert said.code == 1
    assert "there is no kernel 'cobol'" in said.err
    assert called("status", "--json").json["attempt"] == 1


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (None, 3, "n.ipynb"),
        ("print(1)", 2, "is no notebook"),
        ('{"cells": 5}', 2, "is no notebook"),
    ],
)
def test_what_is_no_notebook_is_refused_before_it_is_queued(
    home, tmp_path, body, code, said
):
    path = tmp_path / "n.ipynb"
    if body is not None:
        path.write_text(body)
    found = called("run", str(path))
    assert found.code == code
    assert said in found.err
    assert called("ls", "--json").json["jobs"] == []


def test_a_parameter_that_the_notebook_does_not_know_is_remarked_on(home, tmp_path):
    path = write_notebook(tmp_path / "n.ipynb", ("epochs = 1", "parameters"))
    said = called("run", str(path), "-d", "-p", "epoch=2")
    assert said.code == 0
    assert "does not set epoch; did you mean epochs?" in said.err
    path = write_notebook(tmp_path / "m.ipynb", "1")
    said = called("run", str(path), "-d", "-p", "a=1")
    assert 'no cell tagged "parameters"' in said.err
    assert run("result", "--wait").code == 0


def test_parameters_replace_those_of_the_last_run():
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})]
    with_parameters(made, {"x": 2})
    with_parameters(made, {"x": 3, "names": ["ä", None, True]})
    assert [cell.source for cell in made.cells] == [
        "x = 1",
        "# Parameters\nx = 3\nnames = ['ä', None, True]",
    ]


def test_parameters_are_for_python_alone():
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"language": "R"}
    with pytest.raises(DefinitionError, match="in R"):
        with_parameters(made, {"x": 2})
    for name in ("a b", "class"):
        with pytest.raises(DefinitionError, match="no name"):
            with_parameters(nbformat.v4.new_notebook(), {name: 2})


def kernels_of(home: Path) -> list[int]:
    """Processes of kernels that run with a home."""
    mark = f"CHUTES_NB_HOME={home}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_one = b"ipykernel_launcher" in (entry / "cmdline").read_bytes()
            if is_one and mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
