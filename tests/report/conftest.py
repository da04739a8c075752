"""Results shared by the tests of pages: made once, never changed."""

from __future__ import annotations

import fake_results
import pytest


@pytest.fixture(scope="session")
def full() -> fake_results.FakeResult:
    """A study with everything that a page can show, at a size that draws in a second."""
    return fake_results.full(n=6, epochs=3000)


@pytest.fixture(scope="session")
def failed() -> fake_results.FakeResult:
    """A study in which every run failed."""
    return fake_results.failed()


@pytest.fixture(scope="session")
def page(full: fake_results.FakeResult) -> str:
    """The page of `full`."""
    from gradlab.report.page import render

    return render(full)
