"""What a notebook shows of a job that failed."""

from __future__ import annotations

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
