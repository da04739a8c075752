from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gradlab.judge.combine import all_of, holm, not_, two_sided_equivalence
from gradlab.judge.evidence import Evidence, nothing, outcomes


def evidence(p_for: float, p_against: float, floor: float = 0.001) -> Evidence:
    one = np.ones(1)
    return Evidence(p_for * one, p_against * one, floor * one, floor * one)


def test_a_conjunction_needs_every_part_and_falls_with_one() -> None:
    both = all_of([evidence(0.01, 0.9), evidence(0.02, 0.8)])
    assert (both.p_for[0], both.p_against[0]) == (0.02, 1.0)
    one_fails = all_of([evidence(0.01, 0.99), evidence(0.99, 0.01)])
    assert (one_fails.p_for[0], one_fails.p_against[0]) == (0.99, 0.02)
    with pytest.raises(ValueError, match="at least one"):
        all_of([])


def test_a_negation_swaps_the_directions() -> None:
    part = Evidence(*(np.array([x]) for x in (0.1, 0.2, 0.3, 0.4)))
    turned = not_(part)
    assert [x[0] for x in (turned.p_for, turned.p_against, turned.floor_for, turned.floor_against)] == [
        0.2,
        0.1,
        0.4,
        0.3,
    ]


def test_equivalence_needs_both_one_sided_tests() -> None:
    inside = two_sided_equivalence(evidence(0.01, 0.99), evidence(0.02, 0.98))
    outside = two_sided_equivalence(evidence(0.001, 0.999), evidence(0.995, 0.005))
    assert inside.p_for[0] == 0.02
    assert outcomes(outside, 0.025)[0] == "contradicted"


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 1.0]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_holm_is_never_below_false_discovery_and_never_above_bonferroni() -> None:
    p = np.random.default_rng(0).random(12) ** 3
    adjusted = holm(p.tolist())
    assert (adjusted <= np.minimum(1, 12 * p) + 1e-12).all()
    assert (adjusted >= stats.false_discovery_control(p) - 1e-12).all()


def test_the_decision_names_what_is_possible() -> None:
    assert outcomes(evidence(0.02, 0.9), 0.025)[0] == "supported"
    assert outcomes(evidence(0.9, 0.02), 0.025)[0] == "contradicted"
    assert outcomes(evidence(0.2, 0.9), 0.025)[0] == "inconclusive"
    assert outcomes(evidence(0.2, 0.9, floor=0.03), 0.025)[0] == "too few replicates"
    assert outcomes(nothing(), 0.025)[0] == "too few replicates"
