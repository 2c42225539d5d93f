"""A file that a job left is kept, or the attempt says why it could not be."""

from __future__ import annotations

import pytest

from chutes_nb import JobFailed


def leaving_a_file(chute):
    @chute.job()
    def leave(self):
        (self.output_dir / "report.txt").write_text("all is well")
        return 1

    return leave


def test_a_file_that_the_store_cannot_take_fails_the_attempt(own_chute):
    from chutes_nb import runtime

    job = leaving_a_file(own_chute)
    blobs = runtime.store().blobs
    definition = job.check({})
    assert definition is not None
    for number in range(256):  # where each content would go there is a file
        place = blobs / f"{number:02x}"
        if not place.exists():
            place.write_text("")

    with pytest.raises(JobFailed, match="File exists|not a folder"):
        job.submit().result(timeout=20)
