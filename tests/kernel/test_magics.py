"""The magics in a real kernel: cells as jobs, and questions about jobs."""

from __future__ import annotations

import re

import pytest

from kernels import CellFailed, Kernel

pytestmark = pytest.mark.kernel


@pytest.fixture
def notebook(kernel: Kernel) -> Kernel:
    """A kernel with the extension and none of an earlier test's variables."""
    kernel.run("%reset -f")
    kernel.run("%load_ext chutes_nb")
    return kernel


def refusal(notebook: Kernel, cell: str) -> str:
    """Run a cell that is refused; gives why."""
    with pytest.raises(CellFailed) as caught:
        notebook.run(cell)
    return f"{caught.value.name}: {caught.value.value}"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%%chute_job --timeout never", "timeout='never' is no span of time"),
        ("%%chute_job --timeout 0", "timeout='0' must be above 0"),
        ("%%chute_job --retry -1", "retry=-1 must be a whole number"),
        ("%%chute_job --retry two", "invalid int value: 'two'"),
        ("%%chute_job --executor thread", "none of 'process', 'kernel', 'dask'"),
        ("%%chute_job --upload nowhere.csv", "this path cannot be read"),
        ("%%chute_job --in nobody", "the notebook has no variable nobody"),
        ("%%chute_job --out nobody", "the cell never assigns nobody"),
        ("%%chute_job --upload a.csv --upload b.csv", "a.csv and b.csv; a cell takes"),
        ("%%chute_job -o a -o b", "-o stands there twice, with a and b"),
        ("%%chute_job -o 1x", "'1x' is no name of a variable"),
        ("%%chute_job -o class", "'class' is no name of a variable"),
        ("%%chute_job --in x,if", "'if' is no name of a variable"),
        ("%%chute_job --help", "a file for the job, there as `upload`"),
        ("%%chute_job -h", "usage: %%chute_job [--timeout TIMEOUT]"),
        ("%chute_logs -h", "only lines that hold this text"),
        ("%chute_logs -h", "usage: %chute_logs [-f]"),
        ("%chute_status --verbose", "has no option --verbose, nor any other"),
        ("%%chute_job --timout 3", "did you mean --timeout?"),
        ("%chute_jobs --status nope", "none of queued, running"),
        ("%chute_jobs -n -1", "must be 0 or more"),
    ],
)
def test_a_line_that_cannot_be_is_one_line_that_says_so(notebook, line, said):
    cell = f"{line}\n1" if line.startswith("%%") else line
    with pytest.raises(CellFailed) as caught:
        notebook.run(cell)
    assert caught.value.name == "UsageError"
    assert said in caught.value.value
    assert caught.value.traceback == ""


def test_no_jobs_at_all_may_be_asked_for(notebook):
    assert notebook.value("found = %chute_jobs -n 0\nlen(found)") == 0


def test_a_job_that_runs_cannot_be_tried_again_and_the_magic_says_why(notebook):
    notebook.run("import pathlib\ngate = pathlib.Path('gate-2').absolute()")
    notebook.run("%%chute_job -o job\nwhile not gate.exists(): pass")
    told = refusal(notebook, "%chute_retry")
    assert told.startswith("UsageError: %chute_retry: job ")
    assert "wait for its end, or cancel it" in told
    notebook.run("gate.touch()\njob.wait(30)")


def test_a_cell_runs_as_a_job_and_its_last_expression_is_the_result(notebook):
    notebook.run("base = 40")
    shown = notebook.show("%%chute_job\nx = base + 2\nx")
    assert "application/vnd.chutes.job+json" in shown.bundles[0]
    assert notebook.value("%chute_result") == 42
    assert notebook.value("'x' in dir()") is False


def test_a_cell_returns_at_once_and_the_kernel_stays_free(notebook):
    notebook.run("import pathlib\ngate = pathlib.Path('gate').absolute()")
    notebook.run(
        "%%chute_job -o job\n"
        "import time\n"
        "while not gate.exists():\n"
        "    time.sleep(0.01)\n"
        "'open'"
    )
    assert notebook.value("job.done()") is False
    notebook.run("gate.touch()")
    assert notebook.value("job.result(30)") == "open"


def test_out_brings_variables_back(notebook):
    notebook.run("%%chute_job --out xs,total --wait\nxs = [1, 2]\ntotal = sum(xs)")
    assert notebook.value("(xs, total)") == ([1, 2], 3)


def test_out_brings_variables_back_before_the_next_cell(notebook):
    notebook.run("%%chute_job --out x -o job\nx = 7")
    notebook.run("job.wait(30)")
    assert notebook.value("x") == 7


def test_what_a_cell_assigns_stays_out_of_the_notebook(notebook):
    notebook.run("total = 1")
    notebook.run("%%chute_job --wait\ntotal = total + 1\ntotal")
    assert notebook.value("%chute_result") == 2
    assert notebook.value("total") == 1


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_a_job_may_be_named_as_a_variable_that_its_cell_uses(notebook, executor):
    line = f"--executor {executor} --wait"
    notebook.run("total, y, flag = 5, 1, False")
    notebook.run(f"%%chute_job total {line}\ntotal = total + 1\ntotal")
    assert notebook.value("%chute_result") == 6
    notebook.run(f"%%chute_job y --out y {line}\nif flag:\n    y = 2\n3")
    assert notebook.value("y") == 1


def test_a_job_may_be_named_as_a_keyword(notebook):
    notebook.run("n = 1")
    notebook.run("%%chute_job class -o job\nn += 1\n1 / 0")
    notebook.run("job.wait(30)")
    told = notebook.value("(job.name, job.error.traceback, job.source)")
    assert told[0] == "class"
    assert "in class" in told[1]
    assert told[2] == "%%chute_job class -o job\nn += 1\n1 / 0\n"


def test_a_cell_may_await(notebook):
    notebook.run("%%chute_job --wait\nimport asyncio\nawait asyncio.sleep(0, 'slept')")
    assert notebook.value("%chute_result") == "slept"


def test_in_restricts_what_travels(notebook):
    notebook.run("a, secret = 1, 2")
    notebook.run("%%chute_job --in a --wait\na + 1")
    assert notebook.value("%chute_result") == 2
    told = refusal(notebook, "%%chute_job --in a\na + secret")
    assert "secret, which --in does not name" in told


def test_names_of_in_and_out_that_are_given_again_add_up(notebook):
    notebook.run("a = 1\nb = 2")
    notebook.run(
        "%%chute_job --in a --in b --out c --out d,e --wait\nc = a; d = b; e = 3"
    )
    assert notebook.value("(c, d, e)") == (1, 2, 3)
    notebook.run("%%chute_job --out f --wait\nf = 4")  # the next cell begins anew
    assert notebook.value("f") == 4


def test_a_hint_how_to_submit_names_only_what_can_be_given(notebook):
    told = notebook.run("%%chute_job\ndef f(self, a, *args, b=1, **more): return a")
    assert "submit it: job = f.submit(a=...)\n" in told


def test_a_constant_below_a_job_belongs_to_it(notebook):
    notebook.run("%%chute_job\ndef f(self, n: int):\n    return n * N\n\nN = 3")
    assert notebook.value("f.submit(n=2).result(30), N") == (6, 3)


def test_a_startup_hook_that_fails_names_its_own_line(notebook):
    notebook.run("from chutes_nb import Chute\nfailing = Chute(name='failing')")
    notebook.run("@failing.on_startup()\ndef load(chute):\n    chute.model = 1 / 0")
    notebook.run("@failing.job\ndef f(self):\n    return self.model\njob = f.submit()")
    assert notebook.value("job.wait(30)") is True
    told = notebook.value("(job.error.line, job.error.function, job.error.traceback)")
    assert told[:2] == (3, "load")
    assert "chute.model = 1 / 0" in told[2]


def test_a_startup_hook_beside_a_job_is_run_before_it(notebook):
    notebook.run("from chutes_nb import Chute\nchute = Chute(name='hooked')")
    hook = "@chute.on_startup()\ndef load(self):\n    self.model = 5\n"
    told = notebook.run(f"%%chute_job\n{hook}\ndef f(self):\n    return self.model")
    assert told.startswith("job f()")
    assert notebook.value("f.submit().result(30), callable(load)") == (5, True)
    assert notebook.run(f"%%chute_job --timeout 3\n{hook}") == ""
    assert notebook.value("type(load).__name__") == "function"


def test_a_file_comes_to_a_cell_as_upload(notebook):
    (notebook.folder / "data file.txt").write_text("some text")
    notebook.run(
        "%%chute_job --upload 'data file.txt' --wait\n"
        "(upload.name, upload.size, upload.read())"
    )
    assert notebook.value("%chute_result") == ("data file.txt", 9, b"some text")


def test_a_cell_that_fails_names_its_own_line(notebook):
    notebook.run("%%chute_job -o job\nn = 0\n1 / n")
    assert notebook.value("job.wait(30)") is True
    error = "job.error"
    assert notebook.value(f"({error}.type, {error}.line)") == ("ZeroDivisionError", 3)
    told = notebook.value(f"({error}.cell, job.error.traceback)")
    assert isinstance(told[0], int)
    assert "1 / n" in told[1]


@pytest.mark.parametrize(
    "submit", ["%%chute_job -o job\n1 / 0", "job = fails.submit()"]
)
def test_a_job_names_the_cell_that_is_at_its_prompt(notebook, submit):
    notebook.run("from chutes_nb import Chute\nchute = Chute(name='c')")
    notebook.run("@chute.job\ndef fails(self):\n    1 / 0")
    notebook.run("print()")
    notebook.run(submit)
    prompt = notebook.value("len(In) - 2")
    assert notebook.value("job.wait(30), job.info.cell") == (True, prompt)
    if "%%" in submit:
        assert notebook.value("job.error.cell") == prompt


def test_options_reach_the_job(notebook):
    notebook.run("%%chute_job tries --retry 2 --timeout 90m -o job --wait\n1")
    found = notebook.value("(job.name, job.info.max_attempts, job.info.timeout_s)")
    assert found == ("tries", 3, 5400.0)


def test_a_file_for_a_cell_that_defines_is_one_line_that_says_what_to_do(notebook):
    cell = "%%chute_job --upload 'data file.txt'\ndef f(self, file: bytes): ..."
    told = refusal(notebook, cell)
    assert told.startswith("UsageError: this cell defines jobs and runs none")
    assert "@chute.job(upload=True)" in told
    assert "\n" not in told
    assert notebook.value("'f' in dir()") is False


def test_the_log_of_an_attempt_that_never_comes_is_one_line_that_says_so(notebook):
    notebook.run("%%chute_job --wait\n1")
    told = refusal(notebook, "%chute_logs --attempt 9")
    assert told.startswith("UsageError: %chute_logs: job ")
    assert "no attempt 9: it ended after 1 attempt" in told


def test_reuse_gives_the_job_of_the_same_cell(notebook):
    cell = "%%chute_job again --reuse --wait -o {}\nsum([1, 2])"
    notebook.run(cell.format("first"))
    notebook.run(cell.format("second"))
    assert notebook.value("first == second") is True


def test_reuse_knows_a_cell_without_a_name_when_it_is_run_again(notebook):
    cell = "%%chute_job --reuse --wait -o {}\nsum([1, {}])"
    notebook.run(cell.format("first", 2))
    notebook.run(cell.format("second", 2))
    notebook.run(cell.format("third", 3))
    assert notebook.value("(first == second, first == third)") == (True, False)


def test_each_job_of_a_cell_with_many_is_known_to_others(notebook):
    notebook.run(
        "from chutes_nb import Chute, orders, runtime\n"
        "chute = Chute(name='crowd')\n"
        "for n in range(40):\n"
        "    chute.job(name=f'one_{n}')(lambda: 1)"
    )
    known = "[orders.definition_named(runtime.store(), f'one_{n}', 'crowd')['name']"
    assert len(notebook.value(f"{known} for n in range(40)]")) == 40


def test_a_cell_that_defines_makes_jobs_and_leaves_helpers(notebook):
    said = notebook.run(
        "%%chute_job --timeout 2h\n"
        "import math\n"
        "SCALE = 2\n"
        "def helper(x):\n"
        "    return math.floor(x) * SCALE\n"
        "def double(self, x: float, y: int = 1) -> int:\n"
        "    return helper(x) * y"
    )
    assert "job double(x: float, y: int = 1) -> int timeout=7200.0" in said
    assert "double.submit(x=...)" in said
    assert notebook.value("helper(1.5)") == 2
    assert notebook.value("double.submit(x=21.7).result(30)") == 42


def test_options_over_jobs_that_have_their_own_are_refused(notebook):
    notebook.run("from chutes_nb import Chute\nchute = Chute(name='own')")
    body = "@chute.job(timeout=100)\ndef own(self): return 1\n"
    told = refusal(notebook, f"%%chute_job --timeout 5 --retry 1\n{body}")
    assert told == (
        "UsageError: own: @chute.job(...) stands over it already, so what the magic "
        "says of its timeout, retry is not heard; write it there"
    )
    said = notebook.run(f"%%chute_job --timeout 5\n{body}def other(self): return 2")
    assert "job own() timeout=100.0" in said
    assert "job other() timeout=5.0" in said


def test_the_last_function_becomes_the_job_where_none_has_self(notebook):
    notebook.run("%%chute_job twice\ndef one(): return 1\ndef two(): return one() * 2")
    assert notebook.value("two.submit().result(30)") == 2
    assert notebook.value("(two.name, type(one).__name__)") == ("twice", "function")


def test_the_chute_is_named_or_the_last_one(notebook):
    notebook.run("from chutes_nb import Chute\nmine = Chute(name='mine')")
    notebook.run("last = Chute(name='last')")
    notebook.run("%%chute_job -o a --wait\n1")
    notebook.run("%%chute_job --chute mine -o b --wait\n1")
    assert notebook.value("(a.info.chute, b.info.chute)") == ("last", "mine")


def test_a_chute_is_found_by_its_name_whenever_it_was_made(notebook):
    notebook.run(
        "from chutes_nb import Chute\n"
        "hooked = Chute(username='me', name='alpha')\n"
        "@hooked.on_startup\n"
        "def load(chute): chute.model = 42\n"
        "other = Chute(name='beta')\ndel hooked"
    )
    for name in ("alpha", "me-alpha"):
        notebook.run(f"%%chute_job --chute {name} -o job --wait\nself.model")
        assert notebook.value("job.result(), job.info.chute") == (42, "alpha")
    notebook.run("%%chute_job --chute gamma -o job --wait\n1")
    assert notebook.value("job.info.chute") == "gamma"


def test_lines_of_the_notebook_above_a_definition_run_in_the_kernel(notebook):
    notebook.run(
        "%%chute_job\nfrom math import *\n%alias_magic quick time\nn = !echo 21\n"
        "def double(self): return floor(2.5) * int(n[0])"
    )
    assert notebook.value("double.submit().result(30)") == 42
    told = refusal(notebook, "%%chute_job\ndef f(self):\n    !ls")
    assert told.startswith("UsageError: %%chute_job: line 3 of the cell is a magic")


def test_a_cell_that_defines_may_await(notebook):
    notebook.run(
        "%%chute_job\nimport asyncio\nval = await asyncio.sleep(0, 7)\n"
        "def awaited(self): return val"
    )
    assert notebook.value("awaited.submit().result(30)") == 7
    cell = "%%chute_job\nawait nobody()\ndef awaited(self): return val"
    assert "NameError: name 'nobody'" in refusal(notebook, cell)


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_a_helper_may_call_a_variable_of_its_cell_global(notebook, executor):
    notebook.run(
        f"%%chute_job --executor {executor} --wait\n"
        "count = 1\ndef inc():\n    global count\n    count += 1\ninc()\ncount"
    )
    assert notebook.value("%chute_result") == 2
    assert notebook.value("'count' in dir()") is False


def test_magics_in_a_job_are_refused_with_a_way_out(notebook):
    assert "subprocess.run" in refusal(notebook, "%%chute_job\nx = 1\n!ls")
    assert "line 3" in refusal(notebook, "%%chute_job\nx = 1\n%time x")


def test_an_unknown_option_is_a_usage_error_that_names_the_nearest(notebook):
    said = refusal(notebook, "%%chute_job --tiemout 3\n1")
    assert said.startswith("UsageError: %%chute_job has no option --tiemout")
    assert "did you mean --timeout?" in said
    assert "did you mean --status?" in refusal(notebook, "%chute_jobs --stats failed")
    assert "Known are -f, -n" in refusal(notebook, "%chute_logs --xyzzy")


def test_what_is_left_over_or_not_closed_is_a_usage_error(notebook):
    assert "two is left over" in refusal(notebook, "%%chute_job one two\n1")
    said = refusal(notebook, "%%chute_job 'one\n1")
    assert said.startswith("UsageError")
    assert "No closing quotation" in said


def test_names_that_a_blank_cuts_apart_are_told(notebook):
    notebook.run("a, b = 1, 2")
    said = refusal(notebook, "%%chute_job --in a, b\na + b")
    assert "write the names without blanks: a,NAME" in said


def test_logs_are_printed_whole_and_by_their_tail(notebook):
    notebook.run("%%chute_job --wait\nfor n in range(3): print('line', n)")
    assert notebook.run("%chute_logs") == "line 0\nline 1\nline 2\n"
    assert notebook.run("%chute_logs -n 1") == "line 2\n"


def test_logs_are_followed_to_the_end(notebook):
    notebook.run(
        "%%chute_job\nimport time\n"
        "for n in range(3):\n    print('line', n, flush=True)\n    time.sleep(0.1)"
    )
    assert notebook.run("%chute_logs -f") == "line 0\nline 1\nline 2\n"
    assert notebook.run("%chute_logs -f -n 1") == "line 2\n"


def test_a_job_is_cancelled_and_retried(notebook):
    notebook.run("import pathlib\ngate = pathlib.Path('go').absolute()")
    notebook.run(
        "%%chute_job -o job\nimport time\n"
        "while not gate.exists():\n    time.sleep(0.01)\n'went'"
    )
    assert notebook.value("%chute_cancel") is True
    assert notebook.value("job.wait(30)") is True
    assert notebook.value("str(job.status)") == "cancelled"
    assert notebook.value("%chute_cancel $job.id") is False
    notebook.run("gate.touch()")
    notebook.run("again = %chute_retry $job.id")
    assert notebook.value("again.result(30)") == "went"
    assert notebook.value("again.info.retry_of == job.id") is True


def test_the_status_of_a_job_is_shown_as_the_command_line_does(notebook):
    notebook.run("%%chute_job bad -o job\n1 / 0")
    notebook.run("job.wait()")
    shown = notebook.show("%chute_status").result
    assert re.match(r"● failed  bad  \w+\n  chute +", shown)
    assert "ZeroDivisionError: division by zero" in shown
    assert "StatusInfo(" not in shown


def test_a_wait_for_a_result_says_what_it_waits_for(notebook, tmp_path):
    go = tmp_path / "go"
    cell = "import os, time\nwhile not os.path.exists(go): time.sleep(0.05)"
    notebook.run(f"go = {str(go)!r}\nimport threading, pathlib")
    notebook.run(f"%%chute_job slow -o job\n{cell}")
    notebook.run("threading.Timer(1.5, pathlib.Path(go).touch).start()")
    told = notebook.run("%chute_result")
    assert re.fullmatch(
        r"waiting for job slow \((queued|running).*\) \.\.\.; interrupt stops the "
        r"waiting, not the job\n",
        told,
    )
    assert notebook.run("%chute_result") == ""


def test_status_and_list_tell_of_jobs_of_the_store(notebook):
    notebook.run("%%chute_job listed -o job --wait\n1")
    notebook.run("status = %chute_status")
    assert notebook.value("(status.job_id == job.id, str(status))") == (
        True,
        "completed",
    )
    either = "%chute_jobs --status failed --status completed --name listed"
    notebook.run(f"found = {either}")
    assert notebook.value("[one.id for one in found] == [job.id]") is True
    notebook.run("found = %chute_jobs --name listed -n 1")
    assert notebook.value("[one.id for one in found] == [job.id]") is True


def test_an_id_is_completed(notebook):
    notebook.run("%%chute_job -o job --wait\n1")
    job_id = notebook.value("job.id")
    assert job_id in notebook.complete(f"%chute_logs {job_id[:12]}")
    assert job_id in notebook.complete(f"status = %chute_status {job_id[:12]}")


def test_an_unknown_id_is_a_usage_error(notebook):
    assert "UsageError" in refusal(notebook, "%chute_status zzzzzz")


def test_the_doctor_names_versions_and_the_store(notebook):
    told = notebook.run("%chute_doctor")
    assert str(notebook.home) in told
    for area in ("chutes_nb", "python", "sqlite", "disk", "jobs", "culling"):
        assert any(line.startswith(area) for line in told.splitlines()), area
    assert "no problem was found" in told
    assert "runs jobs  kernel " in told


def test_the_panel_is_a_widget_that_a_page_can_show(notebook):
    (bundle,) = notebook.show("%chute_panel").bundles
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_restarted_kernel_finds_the_newest_job(tmp_path):
    with Kernel(tmp_path) as kernel:
        kernel.run("%load_ext chutes_nb")
        kernel.run("%%chute_job --wait\nprint('printed before')\n'before'")
        kernel.restart()
        kernel.run("%load_ext chutes_nb")
        assert kernel.value("%chute_result") == "before"
        assert kernel.run("%chute_logs") == "printed before\n"


def test_a_magic_passes_over_jobs_that_were_deleted(notebook):
    notebook.run("%%chute_job --wait -o kept\n'kept'")
    notebook.run("%%chute_job --wait -o deleted\n'deleted'")
    notebook.run("import chutes_nb; chutes_nb.runtime.store().delete(deleted.id)")
    assert notebook.value("%chute_result") == "kept"
    assert "not in the store" in notebook.show("deleted").result


def test_unloading_takes_the_magics_away(tmp_path):
    with Kernel(tmp_path) as kernel:
        kernel.run("%load_ext chutes_nb")
        kernel.run("%unload_ext chutes_nb")
        assert "chute_job" in refusal(kernel, "%%chute_job\n1")
        kernel.run("%load_ext chutes_nb")
        kernel.run("%%chute_job --wait\n1")
        assert kernel.value("%chute_result") == 1
