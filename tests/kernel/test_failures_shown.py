"""What a notebook shows of a job that failed."""

from __future__ import annotations

import re

import pytest

from kernels import CellFailed, Kernel

pytestmark = pytest.mark.kernel

FAILS = """
from chutes_nb import Chute
@Chute(name="c").job
def fails(self):
    raise ValueError("no")
"""


@pytest.fixture
def notebook(kernel: Kernel) -> Kernel:
    """A kernel with the extension and none of an earlier test's variables."""
    kernel.run("%reset -f")
    kernel.run("%load_ext chutes_nb")
    return kernel


def number_here(notebook: Kernel) -> int:
    """Number at the prompt of the cell that asks."""
    return int(
        notebook.value("from chutes_nb.shell import *; current_cell(current_shell())")
    )


@pytest.mark.parametrize("magic", ["", "%%chute_job --wait -o job\n"])
def test_a_cell_that_is_run_again_is_named_by_its_newest_number(notebook, magic):
    ends = "raise ValueError('no')" if magic else f"{FAILS}\njob = fails.submit()"
    for _ in range(3):
        before = number_here(notebook)
        if magic:
            with pytest.raises(CellFailed):
                notebook.run(f"{magic}{ends}")
        else:
            notebook.run(ends)
            notebook.run("job.wait()")
        assert notebook.value("job.error.cell") == before + 1
        assert notebook.value("job.info.cell") == before + 1


def test_of_a_definition_apart_from_its_submit_the_newest_run_is_named(notebook):
    numbers = []
    for _ in range(2):
        numbers.append(number_here(notebook) + 1)
        notebook.run(FAILS)
        notebook.run("job = fails.submit(); job.wait()")
        assert notebook.value("job.error.cell") == numbers[-1]


def test_a_helper_of_another_cell_has_the_number_of_its_newest_run(notebook):
    helper = "def helper():\n    raise ValueError('no')"
    notebook.run(helper)
    notebook.run(FAILS.replace('raise ValueError("no")', "helper()"))
    notebook.run("job = fails.submit(); job.wait()")
    number = number_here(notebook) + 1
    notebook.run(helper)
    notebook.run("job = fails.submit(); job.wait()")
    assert notebook.value("job.error.cell") == number


def shown(notebook: Kernel, cell: str) -> str:
    """What a cell that fails shows, without colours."""
    with pytest.raises(CellFailed) as caught:
        notebook.run(cell)
    return re.sub(r"\x1b\[[0-9;]*m", "", caught.value.traceback)


def test_a_cell_that_is_no_python_is_shown_as_a_plain_one(notebook):
    said = shown(notebook, "%%chute_job\ndef f(:\n    pass")
    assert re.fullmatch(
        r"\s*Cell In\[\d+\], line 2\n    def f\(:\n +\^\nSyntaxError: .*\n", said
    )


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("fails.submit().result()", "ValueError: no"),
        ("await fails.submit()", "ValueError: no"),
        ("await chute.submit_job('fails', {'a': 1})", "unknown key 'a'"),
        ("await chute.get_job_status('nope')", "no job has the id 'nope'"),
        ("fails.submit().files['a']", "the job has no file 'a'"),
        ("fails.map(5)", "a list, and makes a job of each; got an int"),
        ("fails.map([{}]).result()", "no attribute 'result'; of several jobs there is"),
        ("import chutes_nb; chutes_nb.configure(max_worker=1)", "mean 'max_workers'?"),
        ("locked.submit().result()", "neither written as JSON nor pickled"),
    ],
)
def test_an_error_shows_the_line_of_the_cell_and_none_of_the_package(
    notebook, cell, said
):
    notebook.run(
        FAILS.replace('@Chute(name="c")', 'chute = Chute(name="c")\n@chute')
        + "@chute.job\ndef locked(self):\n    import threading\n"
        "    return threading.Lock()"
    )
    told = shown(notebook, cell)
    assert said in told
    assert "----> 1" in told
    assert "chutes_nb/" not in told


def test_what_a_body_of_the_user_s_own_raised_stays_the_cause(notebook):
    notebook.run(
        FAILS.replace(
            'raise ValueError("no")',
            "class Shy:\n        def __reduce__(self):\n"
            '            raise KeyError("shy")\n    return Shy()',
        )
    )
    told = shown(notebook, "fails.submit().result()")
    assert 'raise KeyError("shy")' in told
    assert "chutes_nb/" not in told
