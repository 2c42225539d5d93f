"""The short form of each proof; ``make proofs`` is the long one."""

from __future__ import annotations

import math
import os

import pytest

from . import damage, full_disk, killing, stepping, timeouts, tokens, wal_reset

NEEDS_TRACE = pytest.mark.skipif(
    not stepping.is_possible(), reason="needs ptrace(2) on x86-64 Linux"
)


@NEEDS_TRACE
def test_the_gate_keeps_what_a_reset_of_the_log_loses_without_it():
    verdict = wal_reset.prove(10)
    print(verdict.words)
    assert verdict.holds, verdict.words


@pytest.mark.parametrize(
    ("version", "is_exposed"),
    [((3, 40, 1), True), ((3, 44, 6), False), ((3, 50, 4), True), ((3, 51, 3), False)],
)
def test_which_sqlite_has_the_bug_is_known(version, is_exposed):
    assert wal_reset.is_exposed(version) is is_exposed


def test_nothing_is_left_of_jobs_that_ran_out_of_time():
    verdict = timeouts.prove(8)
    assert verdict.holds, verdict.words


def test_two_kernels_share_a_token():
    verdict = tokens.prove(100)
    assert verdict.holds, verdict.words


def test_all_completes_without_a_kernel():
    verdict = killing.kernel_alone()
    assert verdict.holds, verdict.words


def test_one_new_kernel_is_enough_when_kernel_and_host_were_killed_together():
    verdict = killing.kernel_and_host(most_s=math.inf)  # a test has no clock
    assert verdict.holds, verdict.words


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to mount a small tmpfs")
def test_a_disk_that_fills_up_at_any_write_loses_no_job():
    verdict = full_disk.prove(8)
    assert verdict.holds, verdict.words


def test_a_damaged_store_is_never_silently_wrong():
    verdict = damage.prove(20)
    assert verdict.holds, verdict.words
