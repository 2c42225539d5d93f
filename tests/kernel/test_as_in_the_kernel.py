"""What works in a cell works in a job of its notebook as well."""

from __future__ import annotations

import pytest

from kernels import Kernel

pytestmark = pytest.mark.kernel

S = 60


@pytest.fixture
def notebook(kernel: Kernel) -> Kernel:
    """A kernel with a chute and none of an earlier test's variables."""
    kernel.run("%reset -f")
    kernel.run("from chutes_nb import Chute\nchute = Chute(name='as-in-kernel')")
    return kernel


MODEL = """
import multiprocessing, pickle
class Model:
    def __init__(self, weight):
        self.weight = weight
def square(number):
    return number ** 2
"""


def test_a_job_can_pickle_what_a_cell_defined(notebook):
    notebook.run(MODEL)
    notebook.run(
        "@chute.job\n"
        "def train():\n"
        "    with open('model.pkl', 'wb') as file:\n"
        "        pickle.dump(Model(3), file)\n"
        "    with open('model.pkl', 'rb') as file:\n"
        "        return pickle.load(file).weight"
    )
    assert notebook.value(f"train.submit().result({S})") == 3


def test_a_class_that_came_with_an_argument_alone_can_be_pickled(notebook):
    notebook.run(MODEL)
    notebook.run(
        "@chute.job\ndef copied(model):\n    return pickle.loads(pickle.dumps(model))"
    )
    took = f"(lambda one: (one.weight, type(one) is Model))(job.result({S}))"
    for weight in (3, 4):  # the second is of a class of the same name, defined anew
        notebook.run(MODEL)
        notebook.run(f"job = copied.submit(Model({weight}))")
        assert notebook.value(took) == (weight, True)


def test_a_pool_in_a_job_runs_functions_of_cells(notebook):
    notebook.run(MODEL)
    notebook.run(
        "@chute.job\n"
        "def squares():\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "        return pool.map(square, range(4))"
    )
    assert notebook.value(f"squares.submit().result({S})") == [0, 1, 4, 9]


def test_annotations_written_as_text_are_resolved_in_a_job(notebook):
    notebook.run(
        "import dataclasses, typing\n"
        "@dataclasses.dataclass\n"
        "class Node:\n"
        "    next: 'Node | None' = None\n"
        "@chute.job\n"
        "def names():\n"
        "    return str(typing.get_type_hints(Node)['next'])"
    )
    found = notebook.value(f"names.submit().result({S})")
    assert found == "__main__.Node | None"


def test_a_worker_keeps_no_names_of_the_code_that_it_ran(notebook):
    notebook.run(MODEL)
    notebook.run(
        "@chute.job\ndef first():\n    import __main__\n    __main__.left = Model(1)\n"
        "@chute.job\ndef second():\n    import __main__\n"
        "    return [hasattr(__main__, name) for name in ('left', 'square')]"
    )
    notebook.run(f"first.submit().result({S})")
    assert notebook.value(f"second.submit().result({S})") == [False, False]


def test_a_job_has_the_environment_that_the_kernel_has_when_it_is_submitted(notebook):
    notebook.run(
        "import os\n"
        "@chute.job\n"
        "def variables():\n"
        "    return [os.environ.get('FIRST_KEY'), os.environ.get('SECOND_KEY')]"
    )
    read = f"variables.submit().result({S})"
    assert notebook.value(read) == [None, None]
    notebook.run("os.environ['FIRST_KEY'] = 'größer'")
    assert notebook.value(read) == ["größer", None]
    notebook.run("%env SECOND_KEY=2")
    notebook.run("del os.environ['FIRST_KEY']")
    assert notebook.value(read) == [None, "2"]


def test_a_restarted_kernel_takes_warm_workers_of_its_own_environment_alone(tmp_path):
    define = (
        "import os\n"
        "from chutes_nb import Chute, configure\n"
        "configure(max_workers=1)\n"
        "chute = Chute(name='twice')\n"
        "@chute.job\n"
        "def seen():\n"
        "    return os.getpid(), os.environ.get('FIRST_KEY')"
    )
    taken_over = (
        "import time\n"
        "from chutes_nb import runtime\n"
        "while not any(one.is_ready for one in runtime.executor().handles):\n"
        "    time.sleep(0.005)"
    )
    read = f"seen.submit().result({S})"
    with Kernel(tmp_path) as kernel:
        kernel.run(define)
        first, _ = kernel.value(read)
        kernel.restart()
        kernel.run(define)
        kernel.run(taken_over)
        assert kernel.value(read) == (first, None)
        kernel.run("os.environ['FIRST_KEY'] = 'one'")
        second, key = kernel.value(read)
        assert (second != first, key) == (True, "one")
        kernel.restart()
        kernel.run(define)
        kernel.run(taken_over)
        third, key = kernel.value(read)
        assert (third != second, key) == (True, None)


def write_module(notebook: Kernel, weight: int, above: str = "") -> None:
    (notebook.folder / "beside.py").write_text(
        f"{above}import dataclasses, enum, pickle\n"
        f"WEIGHT = {weight}\n"
        "def weight():\n    return WEIGHT\n"
        "class Model:\n"
        "    def __init__(self):\n        self.weight = weight()\n"
        "class Kind(enum.Enum):\n    A = 1\n"
        "@dataclasses.dataclass\n"
        "class Row:\n"
        "    kind: Kind = Kind.A\n"
        "    model: Model = dataclasses.field(default_factory=Model)\n"
        "def copied(model):\n    return pickle.loads(pickle.dumps(model))\n"
    )


@pytest.fixture
def beside(notebook: Kernel) -> Kernel:
    """A notebook with a module beside it that it has imported."""
    write_module(notebook, 3)
    notebook.run("import pickle, sys\nsys.modules.pop('beside', None)\nimport beside")
    notebook.run("from beside import Model, copied, weight")
    return notebook


@pytest.mark.parametrize("code", ["Model()", "beside.Model()"])
def test_a_job_can_pickle_what_a_module_beside_the_notebook_defines(beside, code):
    beside.run(
        f"@chute.job\ndef train():\n    return pickle.loads(pickle.dumps({code}))"
    )
    beside.run("@chute.job\ndef by_it():\n    return copied(Model())")
    beside.run("@chute.job\ndef given(model):\n    return copied(model)")
    for job in ("train.submit()", "by_it.submit()", "given.submit(Model())"):
        got = f"(lambda one: (one.weight, type(one) is Model))({job}.result({S}))"
        assert beside.value(got) == (3, True)


def test_a_module_whose_lines_have_moved_is_still_the_same(beside):
    beside.run("from beside import Row, Kind")
    beside.run(
        "@chute.job\n"
        "def kept():\n    row = copied(Row())\n"
        "    return type(row) is Row, row.kind is Kind.A, row.model.weight"
    )
    write_module(beside, 3, above="# a word\n")
    assert beside.value(f"kept.submit().result({S})") == (True, True, 3)


def test_a_module_that_was_edited_is_still_what_the_disk_has(beside):
    beside.run(
        "@chute.job\n"
        "def both():\n    import beside as now\n    return weight(), now.weight()"
    )
    assert beside.value(f"both.submit().result({S})") == (3, 3)
    write_module(beside, 44)
    assert beside.value(f"both.submit().result({S})") == (3, 44)


def test_a_cell_that_runs_as_a_job_can_pickle_what_it_defines(notebook):
    notebook.run("%load_ext chutes_nb")
    notebook.run(
        "%%chute_job -o job\n"
        "import multiprocessing, pickle\n"
        "class Model:\n    weight = 3\n"
        "def square(number):\n    return number ** 2\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool:\n"
        "    squares = pool.map(square, range(3))\n"
        "squares, pickle.loads(pickle.dumps(Model())).weight"
    )
    assert notebook.value(f"job.result({S})") == ([0, 1, 4], 3)
    notebook.run(
        "%%chute_job --executor kernel -o job\nclass Own:\n    pass\nOwn.__name__"
    )
    assert notebook.value(f"job.result({S})") == "Own"
    assert notebook.value("'Own' in globals()") is False


def test_a_file_beside_the_notebook_and_a_class_that_did_not_come_are_explained(
    notebook,
):
    notebook.run(MODEL)
    notebook.run(
        "with open('kept.pkl', 'wb') as file:\n    pickle.dump(Model(1), file)\n"
        "@chute.job\n"
        "def load(path):\n"
        "    with open(path, 'rb') as file:\n        return pickle.load(file)"
    )
    error = f"load.submit({{}}).exception({S}).error['traceback'].splitlines()[-1]"
    said = notebook.value(error.format("'kept.pkl'"))
    here = str(notebook.folder / "kept.pkl")
    assert said.startswith("kept.pkl is in the notebook's folder")
    assert said.endswith(repr(here))
    assert "name Model in it" in notebook.value(error.format(repr(here)))
    said = notebook.value(error.format("'nowhere.pkl'"))
    assert said.startswith("FileNotFoundError: ")


def test_a_job_shows_hides_and_raises_the_warnings_that_its_notebook_does(notebook):
    notebook.run(
        "import warnings\n"
        "class Mine(UserWarning):\n    pass\n"
        "@chute.job\n"
        "def warn():\n"
        "    warnings.warn('first of all')\n"
        "    warnings.warn('mine', Mine)\n"
        "    warnings.warn('old', DeprecationWarning)\n"
        "def shown():\n"
        "    job = warn.submit()\n"
        f"    error = job.exception({S})\n"
        "    told = [one for one in ('first', 'mine', 'old') if one in job.logs()]\n"
        "    return told, error and job.error.type\n"
    )
    with_filters = "with warnings.catch_warnings():\n    {}\n    found = shown()\nfound"
    every = (["first", "mine", "old"], None)
    assert notebook.value("shown()") == every
    for setting, found in [
        ("warnings.simplefilter('ignore')", ([], None)),
        ("warnings.filterwarnings('ignore', 'FIRST')", (["mine", "old"], None)),
        ("warnings.simplefilter('ignore', Mine)", (["first", "old"], None)),
        ("warnings.filterwarnings('ignore', module='__main__')", ([], None)),
        ("warnings.simplefilter('error', Mine)", (["first"], "Mine")),
    ]:
        assert notebook.value(with_filters.format(setting)) == found, setting
    assert notebook.value("shown()") == every


def test_a_job_that_is_submitted_by_name_shows_its_warnings_too(notebook):
    notebook.run(
        "import warnings\n"
        "from chutes_nb import Job, orders, runtime\n"
        "@chute.job\n"
        "def warn_by_name():\n"
        "    warnings.warn('heard by name')\n"
    )
    notebook.run(
        "place = runtime.store()\n"
        "named = orders.definition_named(place, 'warn_by_name', None)\n"
        "queued = orders.take_in(place, None, orders.Order(named))\n"
        "job = Job(queued.job, place)\n"
        f"assert job.wait({S})"
    )
    assert "heard by name" in notebook.value("job.logs()")
