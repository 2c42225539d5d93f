"""The short form of each proof; ``make proofs`` is the long one."""

from __future__ import annotations

import pytest

from . import stepping, wal_reset

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
