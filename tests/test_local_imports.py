"""What a body imports from the notebook's folder is what lies on the disk now."""

from __future__ import annotations

import importlib
import sys

import pytest

from chutes_nb.errors import JobFailed
from chutes_nb.worker.imports import LocalImports


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A notebook's folder: the one of this process, and on its import path."""
    place = tmp_path / "notebook"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    return place


@pytest.fixture
def beside(folder, monkeypatch):
    """A folder beside the notebook's, on its import path too."""
    place = folder.parent / "src"
    place.mkdir()
    monkeypatch.syspath_prepend(str(place))
    return place


def test_a_warm_worker_reads_an_edited_module_afresh(folder, lone_chute):
    @lone_chute.job
    def value(self) -> int:
        import os

        import edited_between_jobs

        return [edited_between_jobs.VALUE, os.getpid()]

    seen = []
    for number in range(1, 4):  # one letter changes, within the same second
        (folder / "edited_between_jobs.py").write_text(f"VALUE = {number}\n")
        seen.append(value.submit().result(60))
    assert [one for one, _ in seen] == [1, 2, 3]
    assert len({pid for _, pid in seen}) == 1, "another worker shows nothing"


def test_a_body_imports_the_chute_by_the_name_of_the_platform(folder, lone_chute):
    (folder / "of_the_platform.py").write_text(
        "from chutes.chute import Chute\n"
        "chute = Chute(username='me', name='beside')\n"
        "def double(n):\n    return 2 * n\n"
    )

    @lone_chute.job
    def works(self) -> list:
        from chutes.chute import Chute
        from of_the_platform import chute, double

        return [isinstance(chute, Chute), Chute.__module__, double(2)]

    assert works.submit().result(60) == [True, "chutes_nb.chute", 4]


def test_packages_and_their_modules_are_read_afresh(folder, lone_chute):
    inner = folder / "edited_package" / "inner"
    inner.mkdir(parents=True)

    @lone_chute.job
    def value(self) -> int:
        from edited_package.inner import part

        return part.VALUE

    for number in (1, 2):
        (inner / "part.py").write_text(f"VALUE = {number}\n")
        assert value.submit().result(60) == number


def test_an_edited_module_beside_the_folder_is_read_afresh(beside, lone_chute):
    (beside / "takes_from_it.py").write_text("from edited_beside import VALUE\n")

    @lone_chute.job
    def value(self) -> list[int]:
        import os

        import edited_beside
        import takes_from_it

        return [edited_beside.VALUE, takes_from_it.VALUE, os.getpid()]

    seen = []
    for number in (1, 22, 22, 3):
        (beside / "edited_beside.py").write_text(f"VALUE = {number}\n")
        seen.append(value.submit().result(30))
    assert [one[:2] for one in seen] == [[1, 1], [22, 22], [22, 22], [3, 3]]
    assert len({one[2] for one in seen}) == 1, "another worker shows nothing"


def test_a_module_that_comes_between_two_jobs_is_found(folder, lone_chute):
    @lone_chute.job
    def is_there(self) -> bool:
        try:
            import comes_later  # noqa: F401
        except ImportError:
            return False
        return True

    assert is_there.submit().result(60) is False
    (folder / "comes_later.py").write_text("")
    assert is_there.submit().result(60) is True


def test_what_a_startup_hook_imported_stays(folder, lone_chute):
    (folder / "used_by_hook.py").write_text("class Model:\n    pass\n")

    @lone_chute.on_startup()
    def load(chute):
        from used_by_hook import Model

        chute.model = Model()

    @lone_chute.job
    def is_one(self) -> bool:
        from used_by_hook import Model

        return isinstance(self.model, Model)

    assert is_one.submit().result(60) is True
    assert is_one.submit().result(60) is True


def test_a_module_that_the_function_stands_on_is_read_afresh_once_edited(
    folder, beside, lone_chute
):
    package = beside / "edited_library"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import answer\n")
    (package / "inner.py").write_text("def answer():\n    return 1\n")
    edited_library = importlib.import_module("edited_library")
    hooks = folder / "hooks"

    @lone_chute.on_startup()
    def load(chute):
        with open(hooks, "a") as ledger:
            ledger.write("x")
        chute.kind = edited_library.answer

    @lone_chute.job
    def value(self) -> list[object]:
        import os

        from edited_library import inner

        is_same = self.kind is inner.answer is edited_library.answer
        return [edited_library.answer(), is_same, os.getpid()]

    seen = []
    for number in (1, 2, 2, 33):
        (package / "inner.py").write_text(f"def answer():\n    return {number}\n")
        seen.append(value.submit().result(60))
    assert [one[:2] for one in seen] == [[n, True] for n in (1, 2, 2, 33)]
    assert len({one[2] for one in seen}) == 1, "another worker shows nothing"
    assert value.submit().result(60) == seen[-1]
    assert len(hooks.read_text()) <= 4


def test_a_job_without_reuse_is_not_given_back_where_its_code_reads_files(
    beside, lone_chute
):
    """Nothing tells what the module was when it ran: it may have been edited back."""
    (beside / "edited_back.py").write_text("def answer():\n    return 1\n")
    edited_back = importlib.import_module("edited_back")

    @lone_chute.job
    def work():
        return edited_back.answer()

    first = work.submit()
    assert first.result(60) == 1
    again = work.options(reuse=True).submit()
    assert again != first
    assert work.options(reuse=True).submit() == again


def test_a_job_is_not_reused_once_a_module_that_it_uses_was_edited(beside, lone_chute):
    (beside / "uses_edited_one.py").write_text("from edited_one import answer\n")
    (beside / "edited_one.py").write_text("def answer():\n    return 1\n")
    uses_edited_one = importlib.import_module("uses_edited_one")

    @lone_chute.job(reuse=True)
    def value(self) -> int:
        return uses_edited_one.answer()

    first = value.submit()
    assert first.result(60) == 1
    assert value.submit() == first
    (beside / "edited_one.py").write_text("def answer():\n    return 22\n")
    second = value.submit()
    assert second != first
    assert second.result(60) == 22
    assert value.submit() == second


def test_a_worker_that_cannot_load_edited_code_once_more_makes_room(
    beside, lone_chute, monkeypatch
):
    source = """
import builtins

assert not hasattr(builtins, "is_registered"), "registered already"
builtins.is_registered = True

def answer():
    return {}
"""
    (beside / "loads_once.py").write_text(source.format(1))
    loads_once = importlib.import_module("loads_once")
    monkeypatch.delattr("builtins.is_registered")

    @lone_chute.job
    def value(self) -> int:
        return loads_once.answer()

    assert value.submit().result(60) == 1
    (beside / "loads_once.py").write_text(source.format(22))
    with pytest.raises(JobFailed, match="registered already"):
        value.submit().result(60)
    assert value.submit().result(60) == 22


@pytest.mark.parametrize("module", ["wave", "numpy.linalg", "chutes_nb.policy"])
def test_installed_modules_and_the_standard_library_stay(module):
    imports = LocalImports()
    imports.begin("/")
    imports._count -= len(sys.modules)  # as if the body had imported everything
    others = dict(sys.modules)
    try:
        found = importlib.import_module(module)
        imports.forget()
        assert sys.modules[module] is found
    finally:
        sys.modules.update(others)
