"""Files of a job by HTTP: as attachments, in parts, all in a zip, never run."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest

from chutes_nb.store import runs
from chutes_nb.store.blobs import blob_path, keep
from rows import queue

CONTENT = bytes(range(256)) * 4096
HOSTILE = [
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "a/b/c.txt",
    "%2e%2e%2f",
    'x"; filename="y',
    "evil\r\nSet-Cookie: a=b",
    "\u202egpj.exe",
    "CON",
    ". .",
    "n" * 4096,
    "naïve ✓.csv",
    "\x00\x01",
    "<img src=x onerror=alert(1)>",
]
TYPES = [
    ("page.html", "text/html", "application/octet-stream"),
    ("pic.svg", "image/svg+xml", "application/octet-stream"),
    ("doc.xml", "text/xml", "application/octet-stream"),
    ("code.js", "text/javascript", "application/octet-stream"),
    ("pic.png", "image/png", "image/png"),
    ("t.csv", "text/csv", "text/csv"),
    ("odd", "text/html\r\nX: y", "application/octet-stream"),
]


@pytest.fixture(scope="module")
def job(server, ids):
    """A job with files of hostile names and types."""
    store, found = server.store(), queue(server.store())
    blob = keep(io.BytesIO(CONTENT), store.blobs)
    kept = [
        runs.KeptFile(name, "/x", blob.size, "text/plain", blob.sha256)
        for name in HOSTILE
    ]
    kept += [
        runs.KeptFile(name, "/x", blob.size, kind, blob.sha256)
        for name, kind, _ in TYPES
    ]
    with store.writing() as tx:
        runs.add_files(tx, found, 1, kept)
    return found


def files(server, job):
    return server.json(f"jobs/{job}/files")["files"]


def is_safe(name):
    """Whether a name is a path that leads nowhere but down."""
    steps = name.split("/")
    return (
        not {"", ".", ".."}.intersection(steps)
        and "\\" not in name
        and name.isprintable()
    )


def test_hostile_names_are_cleaned_and_served_all_the_same(server, job):
    for file in files(server, job):
        assert is_safe(file["name"])
        answer = server.client.get(f"jobs/{job}/files/{file['n']}")
        assert answer.content == CONTENT
        said = answer.headers["Content-Disposition"]
        assert said.startswith('attachment; filename="')
        assert said.count('"') == 2
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_what_a_browser_would_run_comes_as_plain_bytes(server, job):
    wanted = {name: kind for name, _, kind in TYPES}
    for file in files(server, job):
        if file["name"] in wanted:
            answer = server.client.head(f"jobs/{job}/files/{file['n']}")
            assert answer.headers["Content-Type"] == wanted[file["name"]]
            assert answer.headers["Content-Length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=5-99999999", 206, slice(5, None)),
        ("bytes=9-3", 200, slice(None)),
        ("bytes=1-2,4-5", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
        ("bytes=99999999-", 416, slice(0)),
        ("bytes=-0", 416, slice(0)),
    ],
)
def test_a_part_of_a_file_can_be_asked_for(server, job, asked, status, part):
    answer = server.client.get(f"jobs/{job}/files/1", headers={"Range": asked})
    assert answer.status_code == status
    if status != 416:
        assert answer.content == CONTENT[part]


def test_a_file_that_is_known_is_not_sent_again(server, job):
    etag = server.client.head(f"jobs/{job}/files/1").headers["ETag"]
    answer = server.client.get(f"jobs/{job}/files/1", headers={"If-None-Match": etag})
    assert answer.status_code == 304
    old = {"If-Range": '"other"', "Range": "bytes=0-1"}
    assert server.client.get(f"jobs/{job}/files/1", headers=old).status_code == 200


def test_all_files_come_in_one_zip(server, job):
    answer = server.client.get(f"jobs/{job}/files.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(set(names)) == len(HOSTILE) + len(TYPES)
        assert all(map(is_safe, names))
        assert "a/b/c.txt" in names
        assert archive.read(names[0]) == CONTENT


def test_a_link_in_the_store_is_not_followed(server, job, tmp_path):
    store = server.store()
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    sha256 = hashlib.sha256(b"link").hexdigest()
    place = blob_path(store.blobs, sha256)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(secret)
    other = queue(store)
    with store.writing() as tx:
        runs.add_files(
            tx, other, 1, [runs.KeptFile("a", "/x", 6, "text/plain", sha256)]
        )
    assert server.client.get(f"jobs/{other}/files/1").status_code == 410
