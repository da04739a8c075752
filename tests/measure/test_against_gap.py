"""A measure against the gap: planted effects, paradoxes and refusals."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from gradlab.errors import MeasureError
from gradlab.measure.against_gap import against_gap

GRID = np.array(list(product(range(3), range(4), range(3))))
COLUMNS = {"lr": GRID[:, 0].tolist(), "batch": GRID[:, 1].tolist(), "width": [f"w{w}" for w in GRID[:, 2]]}
N = len(GRID)


def _noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_a_good_measure_passes_everything() -> None:
    latent = _noise(0, N)
    found = against_gap(
        COLUMNS, latent + 0.3 * _noise(1, N), latent, baselines={"loss": _noise(2, N)}, draws=199
    )
    for estimate in (found.tau, found.granulated, found.partial, *found.psi.values()):
        assert estimate is not None
        assert estimate.p <= 0.02
        assert 0 < estimate.low < estimate.value < estimate.high <= 1
    assert found.information > 3 * found.information_chance
    assert found.information_p <= 0.01
    assert found.sign_error_worst < 0.4
    assert not found.warnings
    assert (found.configurations, found.runs) == (36, 36)


def test_a_measure_that_only_follows_a_hyperparameter_is_found_out() -> None:
    """It correlates overall, says nothing where that hyperparameter is held, and its information vanishes."""
    gap = GRID[:, 1] + 0.2 * _noise(3, N)
    found = against_gap(COLUMNS, GRID[:, 1] + 0.2 * _noise(4, N), gap, draws=199)
    assert found.tau.value > 0.6
    assert found.psi["batch"].value > 0.9
    assert abs(found.psi["lr"].value) < 0.4
    assert abs(found.within["batch"]) < 0.35
    assert "batch" in found.information_known
    assert found.information < 0.15
    assert found.sign_error_worst > 0.4
    assert not found.sign_error_where.startswith("batch")


def test_a_baseline_takes_away_what_is_its_own() -> None:
    parameters = np.exp(GRID[:, 2] + GRID[:, 1])
    gap = np.log(parameters) + 0.1 * _noise(5, N)
    measure = np.log(parameters) + 0.1 * _noise(6, N)
    found = against_gap(COLUMNS, measure, gap, baselines={"parameters": parameters}, draws=199)
    assert found.tau.value > 0.7
    assert found.partial is not None
    assert found.partial.p > 0.05
    assert found.partial.low < 0 < found.partial.high


def test_simpsons_paradox_is_named() -> None:
    """The gap falls with the measure at each width, and rises with it over widths."""
    measure = 10 * GRID[:, 2] + GRID[:, 0] + 3.0 * GRID[:, 1] / 4
    gap = 10 * GRID[:, 2] - GRID[:, 0] - 3.0 * GRID[:, 1] / 4
    found = against_gap(COLUMNS, measure, gap, draws=99)
    assert found.tau.value > 0.3
    assert found.within["width"] < -0.9
    assert found.psi["lr"].value == -1
    assert any(
        warning.startswith("Simpson's paradox: the sign turns round with width held")
        for warning in found.warnings
    )
    assert "Simpson" in str(found)


def test_repeats_of_a_configuration_are_no_configurations() -> None:
    """A thousand runs of nine configurations are nine: no interval, and the p-value of nine."""
    few = {"lr": GRID[:9, 1].tolist(), "width": GRID[:9, 2].tolist()}
    measure, gap = _noise(10, 9), _noise(11, 9)
    one = against_gap(few, measure, gap, draws=99)
    many = against_gap(
        {name: values * 40 for name, values in few.items()}, np.tile(measure, 40), np.tile(gap, 40), draws=99
    )
    assert (many.configurations, many.runs) == (9, 360)
    assert (many.tau, many.psi, many.granulated) == (one.tau, one.psi, one.granulated)
    assert np.isnan(many.tau.low)
    assert many.tau.p == one.tau.p
    assert "no intervals below 30" in many.warnings[0]


def test_means_of_repeats_are_compared() -> None:
    columns = {name: [value for value in values for _ in range(3)] for name, values in COLUMNS.items()}
    measure, gap = _noise(12, N), _noise(13, N)
    wobble = np.tile([-5.0, 0, 5], N)
    one = against_gap(COLUMNS, measure, gap, draws=39)
    three = against_gap(columns, np.repeat(measure, 3) + wobble, np.repeat(gap, 3) + wobble, draws=39)
    assert three.tau.value == pytest.approx(one.tau.value)


def test_a_constant_measure_ranks_nothing() -> None:
    found = against_gap(COLUMNS, np.ones(N), _noise(14, N), draws=39)
    assert (found.tau.value, found.tau.p, found.granulated.value, found.information) == (0, 1, 0, 0)
    assert found.sign_error_worst == 0.5
    assert any("ranks nothing" in warning for warning in found.warnings)


def test_without_hyperparameters_each_run_is_a_configuration() -> None:
    found = against_gap({}, np.arange(6.0), np.arange(6.0), draws=39)
    assert found.configurations == 6
    assert found.tau.value == 1
    assert np.isnan(found.granulated.value)
    assert np.isnan(found.sign_error_worst)


def test_it_shows_itself() -> None:
    latent = _noise(0, N)
    shown = str(against_gap(COLUMNS, latent, latent + _noise(1, N), draws=99))
    assert shown.startswith("measure against gap: 36 configurations, 36 runs")
    for said in (
        "tau-b",
        "granulated Psi",
        "psi of batch",
        "information K",
        "by chance",
        "sign error, worst",
    ):
        assert said in shown
    assert max(map(len, shown.splitlines())) <= 100


@pytest.mark.parametrize(
    ("measure", "gap", "settings", "said"),
    [
        (np.ones(N - 1), np.arange(N), {}, "gap has 36 values for 35 runs"),
        (np.full(N, np.nan), np.arange(N), {}, "the measure is NaN in 36 of 36 runs"),
        (np.arange(N), np.ones(N), {}, "no order to find"),
        (np.ones((N, 2)), np.ones(N), {}, "one number a run"),
        (np.arange(N), np.arange(N), {"examples": 100}, "shares of the test examples"),
        (np.arange(N), np.arange(N), {"draws": 10}, "too few"),
        (np.arange(N), np.arange(N), {"baselines": {"loss": [1.0]}}, "loss has 1 values"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    measure: np.ndarray, gap: np.ndarray, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(MeasureError, match=said):
        against_gap(COLUMNS, measure, gap, **settings)  # type: ignore[arg-type]
