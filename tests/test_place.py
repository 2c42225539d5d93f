"""The folders of an attempt: what is left in them is seen, and is gone afterwards."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from chutes_nb.worker.place import IN_TURN, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "worker")


def test_a_new_place_is_clean(place):
    assert place.is_clean()


@pytest.mark.parametrize("folder", [".", "output", "tmp"])
def test_a_file_is_seen_in_whichever_folder_it_is_left(place, folder):
    (place.cwd / folder / "left").touch()
    assert not place.is_clean()


@pytest.mark.parametrize("name", ["output", "tmp"])
def test_a_folder_that_was_removed_is_missed(place, name):
    (place.cwd / name).rmdir()
    assert not place.is_clean()


def test_a_file_that_came_and_went_leaves_the_place_clean(place):
    file = place.cwd / "passing"
    file.touch()
    file.unlink()
    assert place.is_clean()
    file.touch()
    assert not place.is_clean()


def test_a_file_older_than_the_place_is_seen(place, tmp_path):
    old = tmp_path / "old"
    old.touch()
    os.utime(old, (0, 0))
    old.rename(place.output_dir / "old")
    assert not place.is_clean()


def test_attempts_in_a_row_have_folders_of_their_own(place):
    seen = []
    for _ in range(IN_TURN):
        seen += [place.cwd, place.output_dir, place.tmp]
        place.leave()
    assert len(set(seen)) == len(seen)
    assert all(folder.is_dir() for folder in seen)
    assert place.is_clean()


@pytest.mark.parametrize("harm", [shutil.rmtree, lambda folder: (folder / "x").touch()])
def test_folders_that_another_attempt_has_changed_are_not_used(place, harm):
    for folder in place.cwd.parent.iterdir():
        if folder.is_dir() and folder != place.cwd:
            harm(folder)
    place.leave()
    assert place.is_clean()
    assert list(place.cwd.iterdir()) != []


@pytest.fixture
def here():
    """Puts back where this process is, and what it has in its environment."""
    cwd, environ = Path.cwd(), dict(os.environ)
    yield
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)


@pytest.mark.usefixtures("here")
def test_a_clean_place_is_left_before_its_next_folder_is_entered(place):
    first = place.cwd
    place.leave(is_clean=True)
    assert place.cwd == first
    place.prepare()
    assert place.cwd != first
    assert Path.cwd() == place.cwd
    assert os.environ["TMPDIR"] == str(place.tmp)
    assert os.environ["CHUTES_OUTPUT_DIR"] == str(place.output_dir)
    prepared = place.cwd
    place.prepare()
    assert place.cwd == prepared


@pytest.mark.usefixtures("here")
def test_where_there_is_no_room_for_a_folder_the_last_one_serves_again(
    place, monkeypatch
):
    first = place.cwd
    for folder in first.parent.iterdir():
        if folder.is_dir() and folder != first:
            shutil.rmtree(folder)
    place.leave(is_clean=True)
    with monkeypatch.context() as full:
        full.setattr(Place, "_make", refuse)
        place.prepare()
    assert place.cwd == first
    place.prepare()
    assert Path.cwd() == place.cwd != first
    assert place.is_clean()


def refuse(*_given):
    raise OSError("no room")


def test_a_long_way_to_temporary_files_is_made_short(tmp_path):
    link = tmp_path / "w"
    place = Place(tmp_path / ("deep" * 20) / "worker", link)
    short = Path(os.fsdecode(place._tmpdir()))
    assert short == link / "1" / "tmp"
    (short / "held").touch()
    assert not place.is_clean()
    assert (place.tmp / "held").exists()


def test_a_short_way_that_was_cleaned_away_is_made_again(tmp_path):
    link = tmp_path / "w"
    place = Place(tmp_path / ("deep" * 20) / "worker", link)
    place._tmpdir()
    link.unlink()
    assert Path(os.fsdecode(place._tmpdir())).is_dir()
