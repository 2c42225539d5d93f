"""The short form of ``make load``: streams and a large upload, on a real server."""

from __future__ import annotations

import pytest

from load import streams, upload


def test_many_readers_get_every_move_and_one_that_does_not_read_stops_nobody(
    server, ids
):
    found = streams.many(server, ids["done"], reading=45, silent=5, seconds=2)
    assert found.wanted > 0
    assert found.least == found.most == found.wanted


def test_a_reader_that_is_cut_off_again_and_again_loses_no_move(server, ids):
    wanted, got = streams.cut_off(server, 20)
    assert got == wanted > 20


@pytest.mark.timeout(300)
def test_a_large_file_arrives_over_cuts_and_a_restart(server, ids):
    found = upload.send(server, 96, 20)
    assert found.is_whole
    assert found.cuts >= 20
    assert found.restarts == 1
    assert found.grown_bytes < 48 << 20
