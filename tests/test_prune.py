"""Old jobs go by age and by size, with all that only they needed and nothing else."""

from __future__ import annotations

import io
import os
import sqlite3
import stat
import time

import pytest

import chutes_nb
from chutes_nb.errors import DefinitionError, JobNotFound
from chutes_nb.sizes import read_size
from chutes_nb.states import ENDED, State
from chutes_nb.store import Store, Transaction, jobs, logs, pruning, runs
from chutes_nb.store.blobs import blob_path, keep, still_kept
from chutes_nb.store.large import LARGE_BYTES, Large
from chutes_nb.uploads import UPLOADS, UploadNotFound, Uploads
from rows import DEFINITION, NOW, bring, claim, finish, queue

YEAR_S = 365 * 86400.0


def content(store, body, age_s=YEAR_S):
    """A content that has been there for a while."""
    found = keep(io.BytesIO(body), store.blobs)
    path = blob_path(store.blobs, found.sha256)
    os.utime(path, (time.time() - age_s,) * 2)
    return found.sha256, path


def ended(store, size=10, **facts):
    job = queue(store, **facts)
    assert claim(store) == job
    result = jobs.NewResult("json", b'"' + b"x" * size + b'"', "str")
    finish(store, job, State.COMPLETED, result=result)
    return job


def test_jobs_that_ended_long_ago_go_and_others_stay(store):
    old = ended(store)
    with store.writing_logs() as tx:
        logs.add(tx, old, 1, 0, b"line\n")
    with store.writing() as tx:
        runs.set_checkpoint(tx, old, 1, 1.0, "json", b"{}", NOW)
    waiting = queue(store, submitted_at=1.0)
    pruned = store.prune(older_than_s=60)
    assert pruned.jobs == 1
    assert [job["job_id"] for job in store.jobs()[0]] == [waiting]
    assert logs.end(store.log_reader, old, 1) == 0
    with pytest.raises(JobNotFound):
        store.tail(old, 5, attempt=1)
    assert store.load_checkpoint(old) is None
    assert store.problems() == []


def test_young_jobs_stay(store):
    job = ended(store)
    age = time.time() - NOW
    assert store.prune(older_than_s=age + 60).jobs == 0
    assert store.status(job)["status"] == "completed"


@pytest.mark.parametrize("state", sorted(set(State) - ENDED))
def test_a_job_that_has_not_ended_is_never_let_go(store, state):
    job = bring(store, state)
    assert store.prune(older_than_s=0, keep_bytes=0).jobs == 0
    assert store.status(job)["status"] == state


def test_the_oldest_go_until_the_others_are_small_enough(store):
    names = [ended(store, size=10_000) for _ in range(6)]
    assert store.prune(keep_bytes=35_000).jobs == 3
    assert sorted(job["job_id"] for job in store.jobs()[0]) == sorted(names[3:])
    assert store.prune(keep_bytes=35_000).jobs == 0


def test_a_content_stays_while_anything_that_lives_refers_to_it(store):
    of_input, input_path = content(store, b"input")
    of_code, code_path = content(store, b"code")
    of_setup, setup_path = content(store, b"setup")
    of_file, file_path = content(store, b"file")
    of_result, result_path = content(store, b"result")
    fresh_path = content(store, b"fresh", age_s=0)[1]
    lost_path = content(store, b"nobody")[1]
    facts = {"code": b"..." + of_code.encode(), "setup": of_setup.encode() + b"."}
    named = {name: getattr(DEFINITION, name) for name in DEFINITION.__slots__}
    with store.writing() as tx:
        jobs.add_definition(tx, jobs.NewDefinition(**named | facts | {"key": "d2"}))
    job = queue(store, definition="d2", input=b"<" + of_input.encode() + b">")
    assert claim(store) == job
    with store.writing() as tx:
        runs.add_files(tx, job, 1, [runs.KeptFile("a", "a", 4, "text", of_file)])
    result = jobs.NewResult("pickle", None, "bytes", blob=of_result)
    finish(store, job, State.COMPLETED, result=result)

    needed = [input_path, code_path, setup_path, file_path, result_path, fresh_path]
    assert store.prune().files == 1
    assert not lost_path.exists()
    assert all(path.exists() for path in needed)

    store.prune(older_than_s=0)
    left = [path for path in needed if path.exists()]
    assert left == [code_path, setup_path, fresh_path]  # an executor may still use it


def test_a_content_that_is_given_again_meanwhile_stays(store):
    paths = [content(store, body)[1] for body in (b"one", b"other")]
    orphans = pruning.orphaned_blobs(store.reader, store.blobs)
    assert next(orphans) in paths  # what lives has been looked through by now
    for path in paths:
        assert still_kept(path.name, path.stat().st_size, store.blobs)
    assert list(orphans) == []


def uploaded(store, body):
    """An upload that has been there for a while, and where its content lies."""
    uploads = Uploads(store.home / UPLOADS, store.blobs)
    begun = uploads.create(len(body), "a.csv", "")
    writer = uploads.writer(begun, 0)
    writer.write(body)
    writer.close(is_whole=True)
    whole = uploads.finish(begun)
    path = blob_path(store.blobs, whole.sha256)
    os.utime(path, (time.time() - YEAR_S,) * 2)
    return uploads, whole, path


def test_an_upload_that_no_job_was_given_yet_stays(store):
    uploads, whole, path = uploaded(store, b"upload")
    assert store.prune().files == 0
    assert uploads.finished(whole.uid) == whole
    assert list(store.problems()) == []
    uploads.delete(whole.uid)
    assert path.exists()  # young: a job may have been given it just now
    os.utime(path, (time.time() - YEAR_S,) * 2)
    assert store.prune().files == 1
    assert not path.exists()


def test_an_upload_whose_content_is_gone_is_given_to_no_job(store):
    uploads, whole, path = uploaded(store, b"upload")
    path.unlink()
    with pytest.raises(UploadNotFound, match="begin it again"):
        uploads.finished(whole.uid)


def test_logs_of_a_job_whose_deletion_was_cut_off_go_as_well(store):
    gone, there = ended(store), ended(store)
    with store.writing_logs() as tx:
        for job in (gone, there):
            logs.add(tx, job, 1, 0, b"line\n")
    with store.writing() as tx:
        assert jobs.delete(tx, gone)  # where a kill may end whoever lets go of it
    store.prune()
    assert logs.end(store.log_reader, gone, 1) == 0
    assert logs.end(store.log_reader, there, 1) == 5


def test_a_job_of_a_new_definition_may_come_while_the_others_are_weighed(store):
    old = ended(store, size=10_000)

    class Reader(Transaction):
        """Has somebody submit just before the jobs are read."""

        def each(self, sql, params=None):
            if sql is pruning.WEIGHTS:
                named = {
                    name: getattr(DEFINITION, name) for name in DEFINITION.__slots__
                }
                with store.writing() as tx:
                    new = jobs.NewDefinition(**named | {"key": "d2"})
                    jobs.add_definition(tx, new)
                queue(store, definition="d2")
            return super().each(sql, params or {})

    readers = Reader(store.reader.seat), store.log_reader
    large = Large(store.home / "large")
    assert pruning.heavy_jobs(readers, store.blobs, large, 5_000) == [old]


def test_a_definition_goes_once_nobody_can_count_on_it(store):
    job = ended(store)
    store.prune(older_than_s=0)
    assert store.reader.one(jobs.GET_DEFINITION, {"key": DEFINITION.key})
    with store.writing() as tx:
        tx.run("UPDATE executors SET ended_at = 1.0")
    store.prune(older_than_s=0)
    assert store.reader.one(jobs.GET_DEFINITION, {"key": DEFINITION.key}) is None
    assert job not in [one["job_id"] for one in store.jobs()[0]]


def test_folders_of_workers_that_are_gone_are_removed(store):
    gone, alive = store.runs / "gone", store.runs / "worker-1"
    for folder in (gone, alive):
        (folder / "1").mkdir(parents=True)
        os.utime(folder, (1.0, 1.0))
    assert store.prune().files == 1
    assert alive.exists()
    assert not gone.exists()


def test_a_checkpoint_that_was_cut_off_is_removed_beside_the_one_that_counts(store):
    job = queue(store)
    body = b"x" * (LARGE_BYTES + 1)
    store.save_checkpoint(job, 1, 1.0, "pickle", body)
    folder = store.home / "kept" / job
    cut, young = folder / "new-checkpoint.cut", folder / "new-checkpoint.young"
    for path in (cut, young):
        path.write_bytes(body[:1000])
    os.utime(cut, (time.time() - YEAR_S,) * 2)
    assert store.prune().files == 1
    assert not cut.exists()
    assert young.exists()
    assert store.load_checkpoint(job) == ("pickle", body)


def test_what_was_let_go_is_not_in_the_journal_and_does_not_come_back(store):
    secret = queue(store, input=b"a secret")
    store.request_cancel(secret, by="a test")
    stays = queue(store)
    store.prune(older_than_s=0)
    text = b"".join(path.read_bytes() for path in store.journal.folder.iterdir())
    assert b"a secret" not in text
    later = queue(store)
    store.close()
    (store.home / "store.db").unlink()
    again = Store(store.home)
    assert sorted(job["job_id"] for job in again.jobs()[0]) == sorted([stays, later])
    again.close()


def test_the_store_gets_smaller(store):
    for _ in range(60):
        ended(store, size=200_000)
    before = (store.home / "store.db-wal").stat().st_size
    assert before > 10_000_000
    pruned = store.prune(older_than_s=0)
    assert pruned.jobs == 60
    assert pruned.bytes > 10_000_000
    assert (store.home / "store.db").stat().st_size < 1_000_000


def test_a_job_of_the_same_code_runs_after_everything_was_let_go(own_chute):
    @own_chute.job
    def double(n):
        return 2 * n

    assert double.submit(n=2).result(timeout=60) == 4
    assert chutes_nb.prune(older_than="0s").jobs == 1
    assert double.submit(n=3).result(timeout=60) == 6


@pytest.mark.parametrize(
    ("size", "wanted"), [("2 GB", 2 << 30), ("500M", 500 << 20), (12, 12), ("7", 7)]
)
def test_sizes_are_read_as_people_write_them(size, wanted):
    assert read_size("keep_bytes", size) == wanted


@pytest.mark.parametrize("size", ["much", -1, 1.5, True])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ValueError, match="500 MB"):
        chutes_nb.prune(keep_bytes=size)


def test_what_is_no_age_is_refused():
    with pytest.raises(DefinitionError, match="older_than"):
        chutes_nb.prune(older_than="long ago")


def test_a_copy_is_a_file_of_its_own_for_its_owner_alone(own_chute, tmp_path):
    @own_chute.job
    def one():
        return 1

    job = one.submit()
    job.result(timeout=60)
    target = chutes_nb.export_db(tmp_path / "copy.db")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    copy = sqlite3.connect(target)
    assert copy.execute("SELECT id, state FROM jobs").fetchall() == [
        (job.id, "completed")
    ]
    copy.close()
    with pytest.raises(FileExistsError):
        chutes_nb.export_db(target)


def test_a_definition_that_was_superseded_goes_while_its_kernel_lives(store):
    """Each submit of a changed frame is a definition with a copy of the frame."""
    named = {name: getattr(DEFINITION, name) for name in DEFINITION.__slots__}
    first, first_path = content(store, b"first")
    second, second_path = content(store, b"second")
    with store.writing() as tx:
        for key, code, at in (("d2", first, NOW + 1), ("d3", second, NOW + 2)):
            facts = {"key": key, "code": code.encode(), "created_at": at}
            jobs.add_definition(tx, jobs.NewDefinition(**named | facts))

    store.prune()

    assert store.reader.one(jobs.GET_DEFINITION, {"key": "d2"}) is None
    assert not first_path.exists()
    assert second_path.exists()


def test_a_frame_that_two_jobs_share_weighs_once_and_goes_with_the_last(store):
    shared, path = content(store, b"x" * 50_000)
    body = b"buffers:" + shared.encode()
    two = [ended(store, input=body, input_kind="pickle") for _ in range(2)]
    last = ended(store)

    assert store.prune(keep_bytes=60_000).jobs == 0
    assert store.prune(keep_bytes=49_000).jobs == 2
    assert [job["job_id"] for job in store.jobs()[0]] == [last]
    assert two
    assert not path.exists()
