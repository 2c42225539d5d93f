"""A job filters warnings as its notebook does, and its worker as before."""

from __future__ import annotations

import warnings

from chutes_nb.warning_filters import WarningFilters


def test_a_notebook_that_has_no_filter_left_has_none_in_its_jobs():
    before, filters = list(warnings.filters), WarningFilters()
    filters.enter(())
    found = list(warnings.filters)
    filters.leave()
    assert (found, list(warnings.filters)) == ([], before)


def test_a_script_leaves_the_filters_of_its_workers():
    before, filters = list(warnings.filters), WarningFilters()
    filters.enter(None)
    assert list(warnings.filters) == before
    filters.leave()
    assert list(warnings.filters) == before
