"""Stopping rules, each against a plain reading of its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.study.recipe import GradientBelow, LossBelow, LossSettled, Stalled
from gradlab.train.state import nothing_recent
from gradlab.train.stopping import Rule, first_stop, watches_gradient


def plain(rule: Rule, values: list[float]) -> int | None:
    """The rules as a notebook would write them."""
    for e, value in enumerate(values):
        if isinstance(rule, LossBelow) and value < rule.value:
            return e
        if isinstance(rule, GradientBelow) and value < rule.norm:
            return e
        if isinstance(rule, LossSettled) and e > rule.after and e >= rule.times and value < rule.below:
            changes = [abs(values[e - k] - values[e - k - 1]) for k in range(rule.times)]
            if all(change < rule.change for change in changes):
                return e
        if isinstance(rule, Stalled) and e % rule.every == 0:
            before = e - rule.every
            if before >= rule.start and values[before] - value < rule.improvement:
                return e
    return None


RULES = [
    LossSettled(below=0.5, change=0.2, times=2, after=3),
    LossSettled(below=0.9, change=0.4, times=3, after=0),
    Stalled(every=4, start=6, improvement=0.1),
    Stalled(every=3, start=0, improvement=0.0),
    LossBelow(value=0.05),
    GradientBelow(norm=0.05),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
@given(values=st.lists(st.floats(0, 1), max_size=40), cut=st.integers(0, 40))
def test_rules_fire_where_their_definition_says_however_epochs_are_cut(
    rule: Rule, values: list[float], cut: int
) -> None:
    expected = plain(rule, values)
    assert first_stop(rule, nothing_recent(), 0, values)[0] == expected
    first, recent = first_stop(rule, nothing_recent(), 0, values[:cut])
    if first is None:
        first, _ = first_stop(rule, recent, min(cut, len(values)), values[cut:])
    assert first == expected


def test_report_000_stops_under_the_loss_after_two_small_changes() -> None:
    losses = [0.9] * 5 + [9e-4, 9e-4, 9e-4]
    assert first_stop(LossSettled(), nothing_recent(), 0, losses)[0] == 7
    assert first_stop(LossSettled(), nothing_recent(), 0, [9e-4] * 20)[0] == 6


def test_report_004_stops_at_the_first_hundred_without_improvement() -> None:
    losses = np.full(2001, 1.0) - 1e-5 * np.arange(2001)
    assert first_stop(Stalled(), nothing_recent(), 0, losses)[0] is None
    losses[1100:] = losses[1100]
    assert first_stop(Stalled(), nothing_recent(), 0, losses)[0] == 1200
    losses[1000] = 2.0  # an increase stops too, at the first comparison
    assert first_stop(Stalled(), nothing_recent(), 0, losses)[0] == 1000


def test_no_rule_never_stops_and_nan_fires_none() -> None:
    assert first_stop(None, nothing_recent(), 0, [0.0] * 9)[0] is None
    for rule in RULES:
        assert first_stop(rule, nothing_recent(), 0, [float("nan")] * 40)[0] is None


def test_which_rules_watch_the_gradient() -> None:
    assert [watches_gradient(rule) for rule in RULES] == [False] * 5 + [True]
    assert not watches_gradient(None)


def test_what_is_remembered_stays_small() -> None:
    for rule in RULES:
        _, recent = first_stop(rule, nothing_recent(), 0, np.linspace(2, 1, 1000))
        assert recent.shape[0] <= 3
        assert recent.dtype == np.float64
