from __future__ import annotations

import fake_results
import numpy as np
from fake_results import FakeResult, Series

from gradlab.report import source, tables
from gradlab.report.claim_figures import claim_figures
from gradlab.report.page import render
from gradlab.report.study_figures import study_figures, thumbnail
from gradlab.study.claim_text import parse_claim
from gradlab.study.claims import Claim
from gradlab.study.study import Published

NAMES = tuple(f"net{k}" for k in range(1, 8))


def sweep(n: int = 6) -> FakeResult:
    """Seven networks of growing size, before and after training."""
    published = tuple(
        Published(condition=name, quantity=f"{trace}@last", value=0.4, read_error=0.001)
        for name in NAMES
        for trace in ("loss", "loss.test")
    )
    result = fake_results.make(n=n, epochs=4, names=NAMES, record=("loss", "loss.test"), published=published)
    at, replicates = np.array([0, 4]), np.arange(n)
    for trace, shift in (("loss", 0.0), ("loss.test", 0.1)):
        result.traces[trace] = {}
        for k, name in enumerate(NAMES):
            ends = 0.5 - 0.05 * k + shift + 0.01 * replicates
            result.traces[trace][name] = Series(at, np.stack([np.full(n, 2.3), ends], axis=1), replicates)
    for k, condition in enumerate(result.plan.conditions):
        condition.parameters = 1000 * 2**k
    return result


def test_networks_of_many_sizes_make_a_sweep() -> None:
    assert list(source.sweep(sweep()).values()) == [1000 * 2**k for k in range(7)]
    assert not source.sweep(fake_results.make(n=2, epochs=10))


def test_sizes_are_on_the_axis_and_not_in_the_key() -> None:
    result = sweep()
    (figure,) = [each for each in study_figures(result) if each.name == "loss-sizes"]
    assert figure.title == (
        "From 1,000 to 64,000 parameters the loss goes from 0.525 to 0.225 (training) and "
        "from 0.625 to 0.325 (test)"
    )
    assert "diamond: published value" in figure.subtitle
    assert "bar: 95 % interval" in figure.subtitle
    assert "parameters" in figure.wide
    html = render(result)
    assert 'aria-label="Conditions"' not in html


def test_intervals_are_not_promised_where_there_are_none() -> None:
    (figure,) = [each for each in study_figures(sweep(n=3)) if each.name == "loss-sizes"]
    assert "interval" not in figure.subtitle


def test_a_claim_along_the_sizes_has_the_same_axis() -> None:
    (figure,) = claim_figures(sweep(), Claim(test=parse_claim("falls(loss.test, along=model)")), "claim")
    assert figure.title.startswith(
        "From 1,000 to 64,000 parameters the final test loss goes from 0.625 to 0.325"
    )


def test_published_numbers_of_many_networks_share_a_table() -> None:
    table = tables.published(sweep())
    assert table is not None
    assert table.head[:4] == ("network", "parameters", "training loss, published", "median")
    assert table.rows[0] == ("net1", "1,000", "0.4", "0.525", "0.4", "0.625")
    assert len(table.rows) == 7


def test_the_overview_shows_the_sizes_too() -> None:
    assert thumbnail(sweep()).draw is not None
