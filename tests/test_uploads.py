"""Files from code: into the store once, out again as what the job asks for."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chutes_nb import UploadTooLarge, configure
from chutes_nb.client.files import opened
from chutes_nb.errors import ValidationFailed
from chutes_nb.files_in import FileRef, UploadedFile, clean_name, hand_out, take_in

CONTENT = b"a,b\n1,2\n"


@pytest.fixture
def blobs(tmp_path):
    return tmp_path / "blobs"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(CONTENT)
    return path


def contents(blobs):
    return [path for path in blobs.rglob("*") if path.is_file()]


@pytest.mark.parametrize("form", ["text", "path", "bytes", "open", "memory", "file"])
@pytest.mark.parametrize("kind", [bytes, Path, UploadedFile])
def test_every_way_to_give_a_file_reaches_every_way_to_take_it(
    table, blobs, tmp_path, form, kind
):
    value = {
        "text": str(table),
        "path": table,
        "bytes": CONTENT,
        "open": table.open("rb"),
        "memory": io.BytesIO(CONTENT),
        "file": UploadedFile("data.csv", 8, "text/csv", "0", table, tmp_path),
    }
    ref = take_in(value[form], kind, blobs, parameter="dataset")
    value["open"].close()
    name = {bytes: "bytes", Path: "path", UploadedFile: "file"}[kind]
    found = hand_out(ref, name, tmp_path / "run")
    if kind is bytes:
        assert found == CONTENT
        return
    if kind is Path:
        assert found.read_bytes() == CONTENT
    else:
        with found.open() as file:
            assert file.read() == CONTENT
        assert found.read() == found.path.read_bytes() == CONTENT
        assert found.sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert found.size == len(CONTENT)
    assert found.name == ("dataset" if form in ("bytes", "memory") else "data.csv")


def test_of_a_file_that_is_open_as_text_its_bytes_are_taken(blobs, tmp_path):
    table = tmp_path / "table.csv"
    table.write_bytes("name\r\nKöln\n".encode("latin-1"))
    with table.open(encoding="latin-1") as opened_as_text:
        ref = take_in(opened_as_text, bytes, blobs)
        assert opened(opened_as_text, None)[0].size == 0
        opened_as_text.seek(0)
        assert opened_as_text.readline() == "name\n"
        source, _ = opened(opened_as_text, None)
    assert (ref.name, source.name, source.size) == ("table.csv", "table.csv", 5)
    assert hand_out(ref, "bytes", tmp_path) == table.read_bytes()


def test_the_same_content_is_stored_once(table, blobs):
    first = take_in(table, bytes, blobs)
    assert take_in(CONTENT, bytes, blobs).sha256 == first.sha256
    assert len(contents(blobs)) == 1


def test_the_stored_content_is_private(table, blobs):
    take_in(table, bytes, blobs)
    (kept,) = contents(blobs)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_later_edits_of_the_users_file_do_not_reach_the_store(table, blobs, tmp_path):
    ref = take_in(table, bytes, blobs)
    table.write_bytes(b"changed")
    assert hand_out(ref, "bytes", tmp_path) == CONTENT


def test_a_job_that_changes_its_file_does_not_change_the_stored_one(
    table, blobs, tmp_path
):
    ref = take_in(table, Path, blobs)
    hand_out(ref, "path", tmp_path / "one").write_bytes(b"changed")
    assert hand_out(ref, "path", tmp_path / "two").read_bytes() == CONTENT


def test_two_files_of_one_name_do_not_collide(blobs, tmp_path):
    for number in "12":
        (tmp_path / number).mkdir()
        (tmp_path / number / "x.csv").write_text(number)
    refs = take_in(
        [tmp_path / "1" / "x.csv", tmp_path / "2" / "x.csv"], "path[]", blobs
    )
    found = hand_out(refs, "path[]", tmp_path / "run")
    assert [(path.name, path.read_text()) for path in found] == [
        ("x.csv", "1"),
        ("x.csv", "2"),
    ]


def test_a_single_file_for_a_list_becomes_a_list_of_one(table, blobs, tmp_path):
    refs = take_in(table, list[bytes], blobs)
    assert hand_out(refs, "bytes[]", tmp_path) == [CONTENT]


def test_several_files_for_one_parameter_are_refused(table, blobs):
    with pytest.raises(ValidationFailed, match="takes one file, 2 were given"):
        take_in([table, table], bytes, blobs)


def test_none_stays_none(blobs, tmp_path):
    assert hand_out(take_in(None, "bytes", blobs), "bytes", tmp_path) is None


def test_an_empty_file_is_a_file(blobs, tmp_path):
    assert hand_out(take_in(b"", bytes, blobs), "bytes", tmp_path) == b""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nowhere.csv", "No such file.*content itself goes as bytes"),
        ("", "cannot be read"),
        (".", "Is a directory"),
        ("a\0b", "null"),
        ("~nobody-at-all/x", "cannot be read"),
        ("x" * 5000, "too long"),
        (3, "a path, bytes, an open file or a file of a job; got int"),
        (io.StringIO("text"), 'opened with mode "rb"'),
    ],
    ids=range(8),
)
def test_what_is_no_file_is_refused_by_the_parameters_name(blobs, value, said):
    with pytest.raises(ValidationFailed, match=f"video_file.*{said}") as caught:
        take_in(value, bytes, blobs, parameter="video_file")
    assert caught.value.details[0]["loc"] == ["video_file"]


def test_a_pipe_is_refused_before_it_is_opened(blobs, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValidationFailed, match=r"f takes a file.*Not a regular file"):
        take_in(tmp_path / "pipe", bytes, blobs, parameter="f")
    with pytest.raises(ValidationFailed, match=r"Not a regular file"):
        opened(tmp_path / "pipe", None)


def test_what_a_shell_hands_over_as_a_pipe_is_read(blobs, tmp_path):
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(b"said by a command")
    ref = take_in(f"/dev/fd/{reading}", bytes, blobs)
    os.close(reading)
    assert hand_out(ref, "bytes", tmp_path) == b"said by a command"


def test_a_device_is_refused(blobs):
    with pytest.raises(ValidationFailed, match="Not a regular file"):
        take_in("/dev/zero", bytes, blobs)


def test_a_reference_is_small_and_travels(table, blobs):
    ref = take_in(table, bytes, blobs)
    written = pickle.dumps(ref)
    assert len(written) < 500
    assert pickle.loads(written) == ref
    assert isinstance(ref, FileRef)
    assert take_in(ref, bytes, blobs) == ref


@given(st.text(st.characters()))
def test_a_cleaned_name_is_one_safe_step_of_a_path(name):
    found = clean_name(name)
    assert found not in ("", ".", "..")
    assert "/" not in found
    assert "\0" not in found
    assert len(found.encode()) <= 200


@pytest.mark.parametrize("form", ["text", "bytes", "open", "list"])
def test_a_limit_that_was_set_holds_for_what_code_gives_too(own_chute, table, form):
    @own_chute.job(upload=True)
    def work(self, files: list[bytes]):
        return len(files)

    given = {
        "text": str(table),
        "bytes": CONTENT,
        "open": io.BytesIO(CONTENT),
        "list": [b"small", table],
    }[form]
    configure(upload_limit=len(CONTENT) - 1)
    with pytest.raises(UploadTooLarge, match=r"the file has 8 B, and an upload may"):
        work.submit(files=given)
    assert len(own_chute.jobs()) == 0
    configure(upload_limit=len(CONTENT))
    assert work.submit(files=given).result(60) >= 1
