"""Files stay with a job: left, saved or named; nothing that it only read."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
import signal
import time
import zipfile
from pathlib import Path

import pydantic
import pytest

from chutes_nb import FileTooLarge, JobFailed, job_files, runtime
from chutes_nb.files_in import clean_name, clean_path, free_name
from chutes_nb.worker.keeping import TICKS_NS, file_time, limit_bytes
from rows import until

S = 60.0


def leaving_a_file(chute):
    @chute.job()
    def leave(self):
        (self.output_dir / "report.txt").write_text("all is well")
        return 1

    return leave


def test_a_file_that_the_store_cannot_take_fails_the_attempt(own_chute):
    job = leaving_a_file(own_chute)
    blobs = runtime.store().blobs
    definition = job.check({})
    assert definition is not None
    for number in range(256):  # where each content would go there is a file
        place = blobs / f"{number:02x}"
        if not place.exists():
            place.write_text("")

    with pytest.raises(JobFailed, match="File exists|not a folder"):
        job.submit().result(timeout=60)


# -- trees -------------------------------------------------------------------------
def test_what_is_left_in_folders_stays_a_tree(chute):
    @chute.job
    def work(self):
        (self.output_dir / "model" / "layers").mkdir(parents=True)
        (self.output_dir / "model" / "layers" / "0.bin").write_bytes(b"0")
        (self.output_dir / "model" / "config.json").write_text("{}")
        Path("notes").mkdir()
        Path("notes", "a.txt").write_text("a")

    job = work.submit()
    job.result(S)
    assert sorted(job.files.names) == [
        "model/config.json",
        "model/layers/0.bin",
        "notes/a.txt",
    ]


def test_a_folder_that_the_job_made_and_returns_is_kept_whole(chute, tmp_path):
    @chute.job
    def work(self, folder: str):
        place = Path(folder, "out")
        (place / "sub").mkdir(parents=True)
        (place / "a.txt").write_text("a")
        (place / "sub" / "b.txt").write_text("b")
        return {"folder": str(place)}

    job = work.submit(folder=str(tmp_path))
    job.result(S)
    shutil.rmtree(tmp_path / "out")
    found = {file.name: file.read() for file in job.files}
    assert found == {"out/a.txt": b"a", "out/sub/b.txt": b"b"}


def test_a_folder_that_others_use_as_well_is_not_taken(chute, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "old.txt").write_text("not the job's")

    @chute.job
    def work(self, folder: str):
        Path(folder, "new.txt").write_text("the job's")
        return [folder, "/", "/tmp", os.path.expanduser("~"), os.getcwd()]

    job = work.submit(folder=str(shared))
    job.result(S)
    assert job.files == []


def test_a_folder_can_be_saved(chute, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a.txt").write_text("a")

    @chute.job
    def work(self, folder: str):
        self.save_file(folder, name="data")

    job = work.submit(folder=str(tmp_path / "old"))
    job.result(S)
    assert job.files.names == ["data/a.txt"]


# -- what counts as the job's --------------------------------------------------------
@dataclasses.dataclass
class Report:
    path: str
    pages: int = 1


class Model(pydantic.BaseModel):
    weights: Path


@pytest.mark.parametrize(
    "wrap",
    [
        lambda path: path,
        Path,
        lambda path: [{"deep": (path,)}],
        lambda path: {path},
        Report,
        lambda path: Model(weights=path),
    ],
    ids=["text", "path", "nested", "set", "dataclass", "pydantic"],
)
def test_a_path_is_found_in_whatever_holds_it(chute, tmp_path, wrap):
    @chute.job
    def work(self, path: str):
        Path(path).write_text("content")
        return wrap(path)

    job = work.submit(path=str(tmp_path / "report.pdf"))
    job.result(S)
    assert job.files.names == ["report.pdf"]


def has_fine_times(folder):
    """Whether two changes within one tick of the clock are told apart."""
    with (folder / "clock").open("w") as file:
        return len({file_time(file.fileno()) for _ in range(5)}) == 5


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_a_bare_name_is_found_where_the_job_works(
    chute, tmp_path, monkeypatch, executor
):
    """Not in its own folder, of which all is kept: it has gone to another."""
    monkeypatch.chdir(tmp_path)  # where a kernel job is
    (tmp_path / "old.csv").write_text("of others")
    os.utime(tmp_path / "old.csv", (1, 1))

    @chute.job(executor=executor)
    def work(self, folder: str):
        os.chdir(folder)
        Path("report.csv").write_text("1,2")
        return {"report_path": "report.csv", "source": "old.csv", "note": "no file"}

    job = work.submit(folder=str(tmp_path))
    assert job.result(S)["report_path"] == "report.csv"
    (tmp_path / "report.csv").unlink()
    assert [(one.name, one.read()) for one in job.files] == [("report.csv", b"1,2")]


def test_a_file_that_was_only_read_is_not_kept_however_new_it_is(chute, tmp_path):
    if not has_fine_times(tmp_path):
        pytest.skip("this kernel has no multigrain timestamps")
    secret = tmp_path / "secret.txt"

    @chute.job
    def read(self, path: str):
        Path(path).read_text()
        return path

    read.submit(path=__file__).result(S)  # a warm worker: the next one begins at once
    for n in range(20):
        secret.write_text(f"secret {n}")
        job = read.submit(path=str(secret))
        job.result(S)
        assert job.files == []


def test_a_copy_with_an_old_time_is_the_job_s(chute, tmp_path):
    old = tmp_path / "old.txt"
    old.write_text("old")
    os.utime(old, (1, 1))

    @chute.job
    def work(self, source: str, to: str):
        shutil.copy2(source, to)
        return to

    job = work.submit(source=str(old), to=str(tmp_path / "copy.txt"))
    job.result(S)
    assert job.files.names == ["copy.txt"]


def test_a_link_to_a_file_of_others_is_not_kept(chute, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    os.utime(secret, (1, 1))

    @chute.job
    def work(self, path: str):
        (self.output_dir / "link.txt").symlink_to(path)
        (self.output_dir / "dangling").symlink_to("nowhere")
        (self.output_dir / "loop").symlink_to(self.output_dir)
        os.mkfifo(self.output_dir / "pipe")
        return ["/proc/self/environ", "/dev/zero", str(self.output_dir / "link.txt")]

    job = work.submit(path=str(secret))
    job.result(S)
    assert job.files == []


def test_a_job_s_own_file_that_is_linked_elsewhere_is_copied(chute, tmp_path):
    @chute.job
    def work(self, elsewhere: str):
        (self.output_dir / "a.txt").write_text("first")
        os.link(self.output_dir / "a.txt", elsewhere)

    elsewhere = tmp_path / "elsewhere.txt"
    job = work.submit(elsewhere=str(elsewhere))
    job.result(S)
    elsewhere.write_text("later")
    assert job.files["a.txt"].read() == b"first"
    assert hashlib.sha256(b"first").hexdigest() == job.files["a.txt"].sha256


def test_files_of_a_failed_attempt_are_kept(chute):
    @chute.job
    def work(self):
        (self.output_dir / "log.txt").write_text("so far")
        raise ValueError

    job = work.submit()
    job.wait(S)
    assert job.files.names == ["log.txt"]


# -- limits --------------------------------------------------------------------------
@pytest.mark.parametrize("kills", ["SIGKILL", "exit", "timeout"])
def test_files_of_an_attempt_whose_worker_is_killed_are_kept(chute, kills):
    @chute.job(timeout=600.0, grace=0.1)
    def work(self):
        (self.output_dir / "model.pt").write_text("half")
        Path("notes").mkdir()
        Path("notes", "a.txt").write_text("a")
        Path("saved.txt").write_text("s")
        self.save_file("saved.txt")
        if kills == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        if kills == "exit":
            os._exit(3)
        while True:
            with contextlib.suppress(BaseException):
                time.sleep(60)

    job = work.submit()
    if kills == "timeout":
        until(lambda: job.files.names == ["saved.txt"])  # all else is there by then
        job.extend(0.1 - 600.0)
    assert job.exception(S) is not None
    assert (job.status == "timeout") == (kills == "timeout")
    assert sorted(job.files.names) == ["model.pt", "notes/a.txt", "saved.txt"]
    assert job.files["model.pt"].read() == b"half"


@pytest.mark.parametrize("was_there", ["nothing", "a file", "a link"])
def test_a_copy_that_could_not_be_finished_is_no_half_file(
    tmp_path, monkeypatch, was_there
):
    blob, target = tmp_path / "blob", tmp_path / "model.pt"
    blob.write_bytes(b"x" * 3_000_000)
    if was_there == "a file":
        target.write_text("before")
    elif was_there == "a link":
        target.symlink_to(tmp_path / "elsewhere.pt")

    def fill(source, file):
        file.write(source.read(10))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job_files, "_copy", fill)
    file = job_files.JobFile(blob, "model.pt", 3_000_000, "", "")
    with pytest.raises(OSError, match="No space left"):
        file.save(target)
    assert os.path.lexists(target) is (was_there != "nothing")


def test_a_content_that_is_saved_again_by_its_name_is_kept_once(chute):
    @chute.job
    def work(self):
        path = Path("best.pt")
        for text in ("one", "one", "two"):
            path.write_text(text)
            self.save_file(path)

    job = work.submit()
    job.result(S)
    assert [(one.name, one.read()) for one in job.files] == [
        ("best.pt", b"one"),
        ("best.pt", b"two"),
    ]


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_a_saved_file_that_was_changed_since_is_kept_as_it_was_left(
    chute, executor, tmp_path
):
    @chute.job(executor=executor)
    def work(self, folder: str):
        left, same = self.output_dir / "left.txt", self.output_dir / "same.txt"
        returned = Path(folder, "returned.txt")
        for path in (left, same, returned):
            path.write_text("one")
            self.save_file(path)
        left.write_text("two")  # as long as before, and within a tick of the clock
        returned.write_text("two")
        return str(returned)

    job = work.submit(folder=str(tmp_path))
    job.result(S)
    assert sorted((one.name, one.read()) for one in job.files) == [
        ("left.txt", b"one"),
        ("left.txt", b"two"),
        ("returned.txt", b"one"),
        ("returned.txt", b"two"),
        ("same.txt", b"one"),
    ]


@pytest.mark.parametrize("executor", ["process", "kernel"])
def test_a_returned_file_of_an_earlier_attempt_is_the_job_s(chute, executor, tmp_path):
    @chute.job(retry=1, retry_delay=0.1, executor=executor)
    def work(self, folder: str):
        old, model = Path(folder, "old.pt"), Path(folder, "model.pt")
        if self.attempt == 1:
            model.write_text("weights")
            self.checkpoint(str(model))
            raise RuntimeError("lost its place")
        return {"old": str(old), "model": self.restore()}

    (tmp_path / "old.pt").write_text("of others")
    os.utime(tmp_path / "old.pt", (1e9, 1e9))
    made_ns = (tmp_path / "old.pt").stat().st_ctime_ns
    until(lambda: time.time_ns() - made_ns > 2 * TICKS_NS)
    job = work.submit(folder=str(tmp_path))
    job.result(S)
    assert job.files.names == ["model.pt"]


def test_a_file_above_the_limit_is_left_with_a_clear_word(chute, tmp_path):
    @chute.job
    def work(self, path: str):
        os.environ["CHUTES_NB_FILE_LIMIT"] = "10"
        Path(path).write_text("more than ten")
        (self.output_dir / "large.txt").write_text("moved, whatever its size")
        try:
            self.save_file(path)
        except Exception as error:
            kind = type(error).__name__
        return kind, path

    job = work.submit(path=str(tmp_path / "big.txt"))
    assert job.result(S)[0] == FileTooLarge.__name__
    assert job.files.names == ["large.txt"]


def test_a_returned_file_above_the_limit_is_told_of_in_the_log(chute, tmp_path):
    @chute.job
    def work(self, path: str):
        os.environ["CHUTES_NB_FILE_LIMIT"] = "10"
        Path(path).write_text("more than ten")
        return path

    job = work.submit(path=str(tmp_path / "big.txt"))
    job.result(S)
    assert job.files == []
    assert "big.txt has 13 B, and files above 10 B are not copied" in job.logs()


@pytest.mark.parametrize("text", ["ten", "-1"])
def test_a_limit_that_is_no_size_is_told_and_not_passed_over(chute, tmp_path, text):
    @chute.job
    def work(self, path: str, limit: str):
        os.environ["CHUTES_NB_FILE_LIMIT"] = limit
        Path(path).write_text("more than ten")
        return path

    job = work.submit(path=str(tmp_path / "big.txt"), limit=text)
    assert job.result(S)
    assert f"CHUTES_NB_FILE_LIMIT={text!r} is no size" in job.logs()


def test_a_limit_may_be_written_with_its_unit(monkeypatch):
    monkeypatch.setenv("CHUTES_NB_FILE_LIMIT", "2 GB")
    assert limit_bytes() == 2 << 30


def test_a_thousand_files_are_kept_and_the_rest_is_counted(chute):
    @chute.job
    def work(self):
        for n in range(1_005):
            (self.output_dir / f"{n}.txt").write_text("")

    job = work.submit()
    job.result(S)
    assert len(job.files) == 1_000
    assert "5 files are not kept" in job.logs()


# -- names ---------------------------------------------------------------------------
HOSTILE = [
    "../../etc/passwd",
    "..",
    "a\nb",
    "\x1b[31mred",
    "con\\..\\x.txt",
    "/absolute",
    "é" * 150,
    "a/./b//c",
    "\udcff\udcfe",
    "‮gnp.exe",
    " . ",
    "~",
    "-rf",
    "a" * 300 + "/" + "b" * 300,
    "/".join("x" * 30),
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_becomes_a_safe_relative_path(name, tmp_path):
    path = clean_path(name)
    assert path
    assert not path.startswith("/")
    steps = path.split("/")
    assert len(steps) <= 8
    assert not {"", ".", ".."} & set(steps)
    assert path.isprintable()
    place = tmp_path / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("")
    assert place.resolve().is_relative_to(tmp_path)


def test_two_files_of_one_name_are_told_apart_in_a_folder():
    used: set[str] = set()
    names = ["a/b.txt", "A/B.txt", "a/b.txt", "a.tar.gz", "a.tar.gz", "b", "b"]
    assert [free_name(name, used) for name in names] == [
        "a/b.txt",
        "A/B (2).txt",
        "a/b (3).txt",
        "a.tar.gz",
        "a.tar (2).gz",
        "b",
        "b (2)",
    ]


def test_a_hidden_file_keeps_its_name(chute, tmp_path):
    @chute.job
    def work(self):
        (self.output_dir / ".hidden").write_text("seen")
        (self.output_dir / ".git").mkdir()
        (self.output_dir / ".git" / ".config").write_text("in a tree")

    job = work.submit()
    job.wait(S)
    assert sorted(job.files.names) == [".git/.config", ".hidden"]
    assert job.files[".hidden"].read() == b"seen"
    assert job.files[".hidden"].save(tmp_path) == tmp_path / ".hidden"
    used: set[str] = set()
    assert [free_name(".a", used), free_name(".a", used)] == [".a", ".a (2)"]
    assert [clean_name(name) for name in (". .", "...", " .a. ")] == [
        "file",
        "file",
        ".a",
    ]


def test_files_with_hostile_names_are_kept_saved_and_zipped(chute, tmp_path):
    names = [b"new\nline", b"\xff\xfe.bin", "\u202egnp.exe".encode(), b"~", b"-rf"]

    @chute.job
    def work(self):
        for name in names:
            path = os.path.join(os.fsencode(self.output_dir), name)
            with open(path, "wb") as file:
                file.write(name)

    job = work.submit()
    job.result(S)
    assert sorted(file.read() for file in job.files) == sorted(names)
    saved = job.files.save(tmp_path / "saved")
    assert sorted(path.read_bytes() for path in saved) == sorted(names)
    assert all(path.is_relative_to(tmp_path / "saved") for path in saved)
    with zipfile.ZipFile(job.files.zip(tmp_path)) as archive:
        assert sorted(map(archive.read, archive.namelist())) == sorted(names)
    assert len(job._store.detail(job.id)["files"]) == len(names)


# -- the list ------------------------------------------------------------------------
def test_files_are_had_by_number_and_by_name(chute, tmp_path):
    @chute.job
    def work(self):
        (self.output_dir / "a.txt").write_text("a")
        (self.output_dir / "sub").mkdir()
        (self.output_dir / "sub" / "a.txt").write_text("b")

    job = work.submit()
    job.result(S)
    files = job.files
    assert files[0].read() == files["a.txt"].read() == b"a"
    with files.open("sub/a.txt") as opened:
        assert opened.read() == b"b"
    assert files[:1] == [files[0]]
    with pytest.raises(KeyError, match=r"no file 'c.txt'; there are: a.txt, sub/a.txt"):
        files["c.txt"]
    assert "<td>sub/a.txt</td>" in files._repr_html_()
    saved = files.save(tmp_path / "all")
    assert [path.relative_to(tmp_path / "all").as_posix() for path in saved] == [
        "a.txt",
        "sub/a.txt",
    ]
    with zipfile.ZipFile(files.zip(tmp_path / "all.zip")) as archive:
        assert archive.namelist() == ["a.txt", "sub/a.txt"]
        assert archive.testzip() is None


def test_a_file_of_a_running_job_is_there_as_soon_as_it_is_saved(chute, tmp_path):
    @chute.job
    def work(self, gate: str):
        Path("part.txt").write_text("part")
        self.save_file("part.txt")
        while not os.path.exists(gate):
            pass

    job = work.submit(gate=str(tmp_path / "gate"))
    until(lambda: job.files.names == ["part.txt"])
    (tmp_path / "gate").touch()
    job.result(S)
    assert job.files.names == ["part.txt"]


def test_a_folder_that_has_the_store_in_it_is_not_kept(own_chute):
    @own_chute.job
    def save(self, folder: str):
        self.save_file(folder)

    home = runtime.store().home
    for folder in (home, home.parent):
        job = save.submit(folder=str(folder))
        assert job.exception(60)
        assert job.error.type == "ValueError"
        assert "has the store of all jobs in it" in job.error.message
        assert job.files == []
