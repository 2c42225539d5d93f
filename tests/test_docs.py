"""The README's code runs, and every public name is told of somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import chutes_nb
from chutes_nb import magics
from chutes_nb.server.routes import ROUTES
from kernels import Kernel

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(text) if found == language]


def told() -> str:
    """Give all that a reader can find: the README and the notebooks."""
    cells = [
        "".join(cell["source"])
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        for cell in json.loads(path.read_text())["cells"]
    ]
    return "\n".join([README, *cells])


@pytest.mark.kernel
def test_every_code_block_of_the_readme_runs(kernel: Kernel):
    for code in blocks(README, "python"):
        kernel.run(code)


@pytest.mark.kernel
def test_the_cell_of_the_readme_brings_its_variable_back(kernel: Kernel):
    kernel.run("%load_ext chutes_nb")
    (cell,) = [code for code in blocks(README, "python") if code.startswith("%%")]
    kernel.run(cell)
    assert kernel.value("%chute_result") == 3.0
    assert kernel.value("model") == {"weights": [1.0, 2.0]}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_is_told_of_exists(document):
    text = (ROOT / document).read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake (\w+)`|\$ make (\w+)", text))
    for target in {one or other for one, other in targets}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_public_name_is_told_of():
    text = told()
    missing = [
        name
        for name in chutes_nb.__all__
        if not name.startswith("__") and not re.search(rf"\b{name}\b", text)
    ]
    assert not missing


def test_every_magic_is_told_of():
    text = told()
    names = ["%chute_job", *(f"%{name}" for name in magics._line_magics())]
    assert not [name for name in names if name not in text]


def test_the_map_of_the_code_names_every_room():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = [
        path.name + ("/" if path.is_dir() else "")
        for path in sorted((ROOT / "chutes_nb").iterdir())
        if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    assert not [room for room in rooms if room not in text and room != "__init__.py"]


def test_files_that_are_told_of_exist():
    for name in re.findall(r"`((?:notebooks|tests)/[\w/.]+\.\w+)`", README):
        assert (ROOT / name).exists(), name


def test_every_route_is_told_of():
    text = (ROOT / "chutes_nb/server/API.md").read_text()
    missing = [
        f"{method} {route.path}"
        for route in ROUTES
        for method in (one.upper() for one in route.operations)
        if f"`{method} {route.path}`" not in text
    ]
    assert not missing
