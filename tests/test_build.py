"""A package without the built front end is not made, and has it once."""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def hook(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    import hatch_build

    yield hatch_build.FrontEndBuilt(
        str(tmp_path), {}, None, None, str(tmp_path), "wheel"
    )
    sys.modules.pop("hatch_build")


def test_a_package_without_the_front_end_is_refused_with_the_way_out(hook):
    missing = r"panel\.js, .*panel\.css, .*labextension.* missing: .*make"
    with pytest.raises(SystemExit, match=missing):
        hook.initialize("standard", {})


def test_a_package_with_the_front_end_is_made(hook, tmp_path):
    for name in ("static/panel.js", "static/panel.css", "labextension/package.json"):
        path = tmp_path / "chutes_nb" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    hook.initialize("standard", {})


def test_a_wheel_has_the_extension_once_where_jupyter_looks(tmp_path):
    if not (ROOT / "chutes_nb/labextension/package.json").is_file():
        pytest.skip("the front end is not built; make test builds it first")
    made = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = ZipFile(next(made)).namelist()
    place = "share/jupyter/labextensions/chutes-nb/"
    entries = [name for name in names if "remoteEntry" in name]
    assert len(entries) == 1
    assert place in entries[0]
    for name in ("install.json", "package.json"):
        assert sum(one.endswith(place + name) for one in names) == 1
    assert "chutes_nb/static/panel.js" in names


@pytest.mark.parametrize(
    ("place", "most_bytes"), [("static", 150_000), ("labextension/static", 250_000)]
)
def test_the_front_end_is_light(place, most_bytes):
    built = list((ROOT / "chutes_nb" / place).glob("*.js"))
    if not built:
        pytest.skip("the front end is not built; make test builds it first")
    assert sum(file.stat().st_size for file in built) <= most_bytes


def test_an_editable_install_needs_no_front_end(hook):
    hook.initialize("editable", {})


def test_the_pins_name_no_address_and_no_path():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or line.count("==") == 1, line
        assert "/" not in line or line.startswith("#"), line
