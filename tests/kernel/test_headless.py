"""Notebooks run by nbclient, nbconvert and papermill wait, show ends, and fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from chutes_nb.snapshots import JOB_MIME, JOBS_MIME
from chutes_nb.store import Store
from living import end_host, kill_worker

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(240)]

DEFINE = """
import time
from chutes_nb import Chute, configure
chute = Chute(name="headless")

@chute.job
def work(self, n: int = 1):
    print(f"Processed {n}/10 items")
    time.sleep(0.3)
    if n > 5:
        raise ValueError(f"{n} is too much")
    return n
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


def notebook(*cells):
    made = [new_markdown_cell("# A notebook"), new_code_cell(DEFINE)]
    made += [new_code_cell(cell) for cell in cells]
    made += [new_markdown_cell("The end."), new_code_cell("")]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=made, metadata={"kernelspec": spec})


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder for a notebook, and a home for its jobs."""
    monkeypatch.setenv("CHUTES_NB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("CHUTES_NB_HOST_IDLE_S", "0.5")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    yield folder
    store = Store(tmp_path / "home")
    end_host(store)
    for row in store.reader.all("SELECT * FROM workers WHERE ended_at IS NULL"):
        kill_worker(row)
    store.close()


def written(place, *cells, name="notebook.ipynb"):
    path = place / name
    nbformat.write(notebook(*cells), path)
    return path


def call(*words, cwd=None):
    """What a command gives and says; once more where its kernel could not start.

    Who starts a kernel chooses its ports, and the kernel binds them a while later:
    another process of the machine may have been given one of them in between.
    """
    code, said = called(*words, cwd=cwd)
    return called(*words, cwd=cwd) if "Address already in use" in said else (code, said)


def called(*words, cwd=None):
    python = Path(sys.executable).parent
    run = subprocess.run(
        [python / words[0], *map(str, words[1:])],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=dict(os.environ),
    )
    return run.returncode, run.stderr


def outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    return [out for cell in cells for out in cell.get("outputs", ())]


def cards(path):
    return [
        one["data"][JOB_MIME]["job"]["status"]
        for one in outputs(path)
        if JOB_MIME in one.get("data", {})
    ]


def test_jupyter_execute_waits_and_saves_the_ends(place):
    path = written(place, "job = work.submit(n=2)\njob", "1 + 1")
    code, said = call("jupyter-execute", "--inplace", path)
    assert code == 0, said
    assert cards(path) == ["completed"]
    (card,) = [one for one in outputs(path) if JOB_MIME in one.get("data", {})]
    assert WIDGET not in card["data"]
    assert 'data-state="completed"' in card["data"]["text/html"]


def test_jupyter_execute_fails_when_a_job_failed_and_the_card_says_why(place):
    path = written(place, "job = work.submit(n=7)\njob", "work.submit(n=2)", "1 + 1")
    code, said = call("jupyter-execute", "--inplace", "--allow-errors", path)
    assert cards(path) == ["failed", "completed"], (code, said, outputs(path))
    code, said = call("jupyter-execute", "--inplace", path)
    assert code != 0
    assert "JobFailed" in said
    assert "7 is too much" in said


def test_papermill_fails_with_cards_in_its_output(place):
    path = written(place, "work.submit(n=7)", "1 + 1")
    target = place / "out.ipynb"
    code, said = call("papermill", "-p", "unused", "1", path, target, cwd=place.parent)
    assert code != 0
    assert "JobFailed" in said
    assert cards(target) == ["failed"]


def test_nbconvert_draws_static_cards_with_no_script(place):
    path = written(place, "work.submit(n=3)", "chute.panel()", "work.map([1, 2])")
    code, said = call("jupyter-nbconvert", "--execute", "--to", "html", path)
    assert code == 0, said
    page = path.with_suffix(".html").read_text()
    assert 'data-state="completed"' in page
    assert 'aria-label="2 jobs"' in page
    assert "2 completed" in page
    assert 'aria-label="Chutes jobs"' in page
    assert f'<script type="{WIDGET}">' not in page


def test_a_panel_is_saved_with_the_ends_of_jobs_that_ran_below_it(place):
    path = written(place, "work.map([1, 2])", "chute.panel()")
    code, said = call("jupyter-execute", "--inplace", path)
    assert code == 0, said
    (panel,) = [one for one in outputs(path) if JOBS_MIME in one.get("data", {})]
    counts = panel["data"][JOBS_MIME]["counts"]
    assert (counts["completed"], counts["queued"] + counts["running"]) == (2, 0)
    assert panel["data"]["text/html"].count('data-state="completed"') == 2
    assert WIDGET not in panel["data"]


def test_nbconvert_draws_the_fields_of_a_form_with_no_script(place):
    path = written(place, "work.form()")
    code, said = call("jupyter-nbconvert", "--execute", "--to", "html", path)
    assert code == 0, said
    page = path.with_suffix(".html").read_text()
    assert 'aria-label="Run work"' in page
    assert f'<script type="{WIDGET}">' not in page


def test_an_error_that_is_wanted_in_the_last_cell_does_not_keep_it_from_waiting(place):
    made = notebook("job = work.submit(n=2)\njob", "1 / 0")
    path = place / "notebook.ipynb"
    nbformat.write(made, path)
    code, said = call("jupyter-execute", "--inplace", "--allow-errors", path)
    assert (code, cards(path)) == (0, ["completed"]), said
    wanted = next(cell for cell in made.cells if cell.source == "1 / 0")
    wanted.metadata["tags"] = ["raises-exception"]
    nbformat.write(made, path)
    code, said = call("jupyter-execute", "--inplace", path)
    assert (code, cards(path)) == (0, ["completed"]), said


def test_one_line_lets_it_end_without_its_jobs(place):
    line = "configure(headless_wait=False)"
    path = written(place, line, "job = work.submit(n=7)\njob", "1 + 1")
    code, said = call("jupyter-execute", "--inplace", path)
    assert code == 0, said
    assert cards(path)[0] != "failed" or "7 is too much" in str(outputs(path))


def test_the_environment_does_so_as_well(place, monkeypatch):
    monkeypatch.setenv("CHUTES_NB_HEADLESS_WAIT", "0")
    path = written(place, "work.submit(n=7)")
    assert call("jupyter-execute", path)[0] == 0


@pytest.mark.parametrize(
    "cells",
    [
        ("job = work.submit(n=7)", "print(job.exception())"),
        ("job = work.submit(n=7)", "try: job.result()\nexcept Exception: pass"),
        ("job = work.submit(n=7)", "job.wait()", "ok = work.submit(n=1)", "RETRY"),
        ("job = work.submit(n=7)", "job.cancel()"),
    ],
    ids=["exception", "result", "retry", "cancel"],
)
def test_a_bad_end_that_the_notebook_dealt_with_is_no_failure(place, cells):
    mend = "work.function.__code__ = (lambda self, n=1: n).__code__\n"
    mend += "job.retry(code='current').result()"
    path = written(place, *[mend if one == "RETRY" else one for one in cells])
    code, said = call("jupyter-execute", path)
    assert code == 0, said


def test_only_the_last_cell_waits(place):
    """A job that a later cell ends would be waited for forever otherwise."""
    endless = "@chute.job\ndef endless(self):\n    while True: time.sleep(0.1)"
    path = written(place, endless, "job = endless.submit()\njob", "job.cancel()")
    code, said = call("jupyter-execute", "--inplace", path)
    assert code == 0, said
    assert cards(path) == ["cancelled"]


def run_in_memory(made, place):
    client = nbclient.NotebookClient(
        made, resources={"metadata": {"path": str(place)}}, timeout=60
    )
    client.execute()
    return made


def test_a_notebook_with_no_file_waits_after_each_cell(place):
    made = run_in_memory(notebook("work.submit(n=2)", "1 + 1"), place)
    (card,) = [
        out.data[JOB_MIME]["job"]["status"]
        for cell in made.cells
        for out in cell.get("outputs", ())
        if JOB_MIME in out.get("data", {})
    ]
    assert card == "completed"
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="8 is too much"):
        run_in_memory(notebook("work.submit(n=8)"), place)


def test_a_driver_of_kernels_is_not_taken_for_headless(kernel):
    kernel.run(DEFINE)
    shown = kernel.show("job = work.submit(n=1)\njob")
    assert WIDGET in shown.bundles[0]
    kernel.run("job.wait()")
    assert kernel.value("from chutes_nb import showing; showing.is_headless()") is False


def test_a_table_of_jobs_that_run_follows_them(kernel):
    kernel.run(DEFINE)
    shown = kernel.show("group = work.map([1, 2]); group")
    assert shown.bundles[0]["text/plain"].startswith("2 jobs")
    text = [*shown.bundles, *shown.updates][-1]["text/plain"]
    while "2 completed" not in text:  # another cell's run would take the messages
        message = kernel.client.get_iopub_msg(timeout=30)
        if message["msg_type"] == "update_display_data":
            text = message["content"]["data"]["text/plain"]
    assert text.splitlines()[0] == "2 jobs: 2 completed"


def test_a_table_of_jobs_that_have_ended_is_a_plain_result(kernel):
    kernel.run(DEFINE)
    kernel.run("group = work.map([1, 2]); group.wait()")
    assert kernel.show("group").result.startswith("2 jobs: 2 completed")
