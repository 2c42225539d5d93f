"""A package without the built panel is not made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def hook(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    import hatch_build

    yield hatch_build.PanelBuilt(str(tmp_path), {}, None, None, str(tmp_path), "wheel")
    sys.modules.pop("hatch_build")


def test_a_package_without_the_panel_is_refused_with_the_way_out(hook):
    with pytest.raises(SystemExit, match=r"panel\.js, .*panel\.css missing: .*make"):
        hook.initialize("standard", {})


def test_a_package_with_the_panel_is_made(hook, tmp_path):
    (tmp_path / "chutes_nb" / "static").mkdir(parents=True)
    for name in ("panel.js", "panel.css"):
        (tmp_path / "chutes_nb" / "static" / name).touch()
    hook.initialize("standard", {})


def test_an_editable_install_needs_no_panel(hook):
    hook.initialize("editable", {})


def test_the_pins_name_no_address_and_no_path():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or line.count("==") == 1, line
        assert "/" not in line or line.startswith("#"), line
