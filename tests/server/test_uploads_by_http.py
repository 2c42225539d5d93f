"""Uploads by tus: in pieces, cut off, checked, and over a restart of the server."""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import os
import socket
import threading

import pytest

from chutes_nb import failpoints
from chutes_nb.server.faults import refusal_of
from chutes_nb.store.blobs import blob_path
from chutes_nb.uploads import HALF_LIVES_S, Upload, UploadConflict, Uploads, files
from serving import TOKEN

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = {**TUS, "Content-Type": "application/offset+octet-stream"}
SIZE = 24 << 20
CUTS = 20


def begin(server, length, name="data.csv", **headers):
    said = base64.b64encode(name.encode()).decode()
    about = {"Upload-Length": str(length), "Upload-Metadata": f"filename {said}"}
    answer = server.client.post("uploads", headers={**TUS, **about, **headers})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"].endswith(answer.json()["upload"])
    return answer.json()["upload"]


def offset(server, uid):
    answer = server.client.head(f"uploads/{uid}", headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def send(server, uid, at, body, **headers):
    return server.client.patch(
        f"uploads/{uid}",
        headers={**PIECE, "Upload-Offset": str(at), **headers},
        content=body,
    )


def send_and_cut(server, uid, at, declared, body):
    """Begin a piece and hang up in the middle of it."""
    head = (
        f"PATCH /base/chutes/uploads/{uid} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: token {TOKEN}\r\nTus-Resumable: 1.0.0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nUpload-Offset: {at}\r\n"
        f"Content-Length: {declared}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), 10) as link:
        link.sendall(head.encode() + body)


def checksum(body):
    return f"sha256 {base64.b64encode(hashlib.sha256(body).digest()).decode()}"


def test_a_file_arrives_whole_after_many_cuts_and_a_restart(server, ids):
    content = os.urandom(1 << 20) * (SIZE >> 20)
    uid = begin(server, SIZE)
    before = server.memory()
    at, cuts = 0, 0
    while at < SIZE:
        if cuts < CUTS:
            part = content[at : at + SIZE // (CUTS + 5)]
            send_and_cut(server, uid, at, SIZE - at, part)
            cuts += 1
        else:
            # 409: the end of a cut piece came in meanwhile, or (423) is still being
            # written; a client asks again.
            assert send(server, uid, at, content[at:]).status_code in (204, 409, 423)
        if cuts == CUTS // 2:
            server.kill()
            server.start()
            before = server.memory()
            cuts += 1
        at = offset(server, uid)
    sha256 = hashlib.sha256(content).hexdigest()
    kept = blob_path(server.store().blobs, sha256)
    assert kept.read_bytes() == content
    assert server.memory() - before < 48 << 20
    answer = server.client.post("jobs/takes", json={"one": {"upload": uid}})
    assert answer.status_code == 202, answer.text
    inputs = server.json(f"jobs/{answer.json()['job_id']}")["inputs"]
    assert inputs["one"] == {
        "name": "data.csv",
        "size": SIZE,
        "type": "text/csv",
        "sha256": sha256,
    }


def test_a_piece_that_is_damaged_is_left_out(server):
    uid = begin(server, 10)
    wrong = {"Upload-Checksum": checksum(b"other")}
    assert send(server, uid, 0, b"12345", **wrong).status_code == 460
    assert offset(server, uid) == 0
    right = {"Upload-Checksum": checksum(b"12345")}
    assert send(server, uid, 0, b"12345", **right).status_code == 204
    assert offset(server, uid) == 5


def test_pieces_stand_one_behind_the_other(server):
    uid = begin(server, 10)
    assert send(server, uid, 3, b"1").status_code == 409
    assert send(server, uid, 0, b"12345678901").status_code == 413
    assert send(server, uid, 0, b"1234567890").status_code == 204
    assert send(server, uid, 10, b"1").status_code == 413


def test_nothing_sent_to_the_end_of_a_finished_upload_is_no_conflict(server):
    uid = begin(server, 10)
    assert send(server, uid, 0, b"1234567890").status_code == 204
    answer = send(server, uid, 10, b"")
    assert answer.status_code == 204, answer.text
    assert answer.headers["Upload-Offset"] == "10"
    assert send(server, uid, 3, b"").status_code == 409
    assert offset(server, uid) == 10


def test_a_half_file_cannot_be_submitted(server, ids):
    uid = begin(server, 10)
    answer = server.client.post("jobs/takes", json={"one": {"upload": uid}})
    assert answer.status_code == 422
    assert "not finished" in answer.text


def test_an_upload_is_ended_by_its_client(server):
    uid = begin(server, 10)
    assert server.client.delete(f"uploads/{uid}", headers=TUS).status_code == 204
    assert server.client.head(f"uploads/{uid}", headers=TUS).status_code == 404


@pytest.mark.parametrize("uid", ["x", "..%2f..%2fstore.db", "0" * 16, "%00"])
def test_ids_that_are_none_are_not_found(server, uid):
    assert server.client.head(f"uploads/{uid}", headers=TUS).status_code == 404


def test_what_is_too_large_is_refused_before_it_is_sent(server):
    for size in (10 << 30, 10**30):
        about = {**TUS, "Upload-Length": str(size)}
        assert server.client.post("uploads", headers=about).status_code == 413
    other = {"Tus-Resumable": "0.2", "Upload-Length": "1"}
    assert server.client.post("uploads", headers=other).status_code == 412
    for length in ("-1", "many", "", "9" * 200):
        about = {**TUS, "Upload-Length": length}
        assert server.client.post("uploads", headers=about).status_code == 400


def test_an_empty_file_is_whole_at_once(server, ids):
    uid = begin(server, 0)
    answer = server.client.post("jobs/takes", json={"one": {"upload": uid}})
    assert answer.status_code == 202


def come(uploads: Uploads) -> Upload:
    """An upload of which all is there, and that nobody has finished."""
    upload = uploads.create(5)
    writer = uploads.writer(upload, 0)
    writer.write(b"12345")
    writer.close(is_whole=False)  # its client was cut off
    return upload


def test_an_upload_whose_end_nobody_told_is_finished_when_it_is_asked_for(tmp_path):
    uploads = Uploads(tmp_path / "uploads", tmp_path / "blobs")
    made = [come(uploads) for _ in range(2)]
    sha256 = hashlib.sha256(b"12345").hexdigest()
    assert uploads.found(made[0].uid).sha256 == sha256
    assert uploads.finished(made[1].uid).sha256 == sha256
    assert blob_path(tmp_path / "blobs", sha256).read_bytes() == b"12345"


@pytest.mark.parametrize("asked", ["get", "offset", "writer"])
def test_an_upload_that_another_request_finishes_meanwhile_is_whole(
    tmp_path, monkeypatch, asked
):
    """A client that was cut off behind its last byte asks while that is moved."""
    uploads, other = (Uploads(tmp_path / "up", tmp_path / "blobs") for _ in range(2))
    upload = come(uploads)
    place = uploads._part

    def finished_first(uid):
        monkeypatch.undo()
        other.finish(upload)
        return place(uid)

    monkeypatch.setattr(uploads, "_part", finished_first)
    sha256 = hashlib.sha256(b"12345").hexdigest()
    if asked == "get":
        assert uploads.get(upload.uid).sha256 == sha256
    elif asked == "offset":
        assert uploads.offset(upload) == 5
    else:
        with pytest.raises(UploadConflict, match="is finished"):
            uploads.writer(upload, 5)
    assert blob_path(tmp_path / "blobs", sha256).read_bytes() == b"12345"


def test_a_piece_for_an_upload_that_was_finished_before_its_lock_is_refused(
    tmp_path, monkeypatch
):
    uploads, other = (Uploads(tmp_path / "up", tmp_path / "blobs") for _ in range(2))
    upload = come(uploads)

    def finished_first(*given):
        monkeypatch.undo()
        other.finish(upload)
        files.lock(*given)

    monkeypatch.setattr(files, "lock", finished_first)
    with pytest.raises(UploadConflict, match="is finished"):
        uploads.writer(upload, 5, b"x" * 32)
    assert not list((tmp_path / "up").glob("*.unsure"))


def test_who_asks_while_an_upload_is_being_finished_hears_of_its_content(
    tmp_path, monkeypatch
):
    uploads, other = (Uploads(tmp_path / "up", tmp_path / "blobs") for _ in range(2))
    upload = come(uploads)
    inside, is_refused = threading.Event(), threading.Event()
    flock = fcntl.flock

    def wait(name):
        if name == "upload.before_finish":
            inside.set()
            assert is_refused.wait(60)

    def locked(fd, how):
        try:
            return flock(fd, how)
        except BlockingIOError:
            is_refused.set()
            raise

    monkeypatch.setattr(failpoints, "hit", wait)
    monkeypatch.setattr(fcntl, "flock", locked)
    finishing = threading.Thread(target=uploads.finish, args=(upload,))
    finishing.start()
    assert inside.wait(60)
    assert other.found(upload.uid).sha256 == hashlib.sha256(b"12345").hexdigest()
    finishing.join()


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500)]
)
def test_a_full_disk_is_told_wherever_it_is_met(number, status):
    told = refusal_of(OSError(number, os.strerror(number), "/a/secret/path"))
    assert told.status == status
    assert (told.type == "StoreFull") is (status == 507)
    assert "secret" not in told.message


def test_what_comes_after_a_piece_was_closed_is_left_out(tmp_path):
    uploads = Uploads(tmp_path / "uploads", tmp_path / "blobs")
    upload = uploads.create(6)
    late = uploads.writer(upload, 0)
    late.write(b"123")
    late.close(is_whole=False)
    writer = uploads.writer(upload, 3)  # gets the descriptor that the first one had
    late.write(b"xxx")
    late.close(is_whole=False)
    writer.write(b"456")
    writer.close(is_whole=True)
    assert uploads.found(upload.uid).sha256 == hashlib.sha256(b"123456").hexdigest()


def test_halves_are_forgotten_after_a_day(tmp_path):
    uploads = Uploads(tmp_path / "uploads", tmp_path / "blobs")
    half = uploads.create(10)
    now = half.created_at
    assert uploads.sweep(now + HALF_LIVES_S - 60) == 0
    assert uploads.sweep(now + HALF_LIVES_S + 60) == 1
    assert uploads.count() == 0


@pytest.mark.parametrize("kind", [".part", ".unsure", ".new"])
def test_what_a_killed_server_has_left_of_an_upload_is_forgotten_too(tmp_path, kind):
    uploads = Uploads(tmp_path / "uploads", tmp_path / "blobs")
    half = uploads.create(10)
    uploads.delete(half.uid)
    left = tmp_path / "uploads" / f"{half.uid}{kind}"
    left.touch()
    now = left.stat().st_mtime
    assert uploads.sweep(now + HALF_LIVES_S - 60) == 0
    assert uploads.sweep(now + HALF_LIVES_S + 60) == 1
    assert not left.exists()


def test_a_whole_upload_stays_for_long_whatever_was_left_beside_it(tmp_path):
    uploads = Uploads(tmp_path / "uploads", tmp_path / "blobs")
    whole = uploads.create(0)
    (tmp_path / "uploads" / f"{whole.uid}.unsure").touch()
    (tmp_path / "uploads" / "limit").write_text("100")
    assert uploads.sweep(whole.created_at + 2 * HALF_LIVES_S) == 0
    assert uploads.finished(whole.uid).sha256 == whole.sha256
    assert uploads.sweep(whole.created_at + 40 * HALF_LIVES_S) == 1
    assert uploads.limit == 100
