from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gradlab.judge.calibration.cells import Cell, run
from gradlab.judge.compare import evidence_below
from gradlab.judge.evidence import Evidence
from gradlab.judge.power import correlation_n, share_n, shares_n, sign_n, unpaired_n


def exact_sign_power(n: int, share: float) -> float:
    return float(stats.binom.sf(stats.binom.isf(0.025, n, 0.5), n, share))


@pytest.mark.parametrize("share", [0.7, 0.8, 0.95])
def test_sign_test_reaches_the_power_and_not_one_pair_earlier(share: float) -> None:
    n = sign_n(share)
    assert n is not None
    assert exact_sign_power(n, share) >= 0.8 > exact_sign_power(n - 1, share)


def test_nothing_is_enough_where_there_is_no_effect() -> None:
    assert sign_n(0.5) is unpaired_n(0.5) is correlation_n(0.0) is None
    assert share_n(0.5, 0.5) is shares_n(0.3, 0.3) is None
    assert unpaired_n(0.5001) is None


def test_even_perfect_separation_needs_six() -> None:
    assert sign_n(1.0) == unpaired_n(1.0) == 6
    assert correlation_n(1.0) == 12


@pytest.mark.parametrize("shift", [0.8, 1.2, 2.0])
def test_unpaired_n_gives_about_the_power_that_simulation_finds(shift: float) -> None:
    n = unpaired_n(float(stats.norm.cdf(shift / np.sqrt(2))))
    assert n is not None

    def judge(rng: np.random.Generator, studies: int, looks: tuple[int, ...]) -> list[Evidence]:
        a, b = rng.normal(size=(studies, looks[0])) - shift, rng.normal(size=(studies, looks[0]))
        return [evidence_below(a, b, paired=False, draws=4000)]

    found = run(Cell("power", "less", f"shift {shift}", (n,), judge), 1000).supported
    assert 0.76 < found < 0.97


def test_shares_are_exact() -> None:
    n = share_n(0.5, 0.9)
    assert n is not None
    assert exact_sign_power(n, 0.9) >= 0.8
    assert share_n(0.5, 0.1) == n
    pairs = shares_n(0.6, 0.1)
    assert pairs is not None
    assert 12 <= pairs <= 20
    assert shares_n(0.31, 0.3) is None
