"""Stochastic Lanczos quadrature against exact spectra, with bands that hold over many seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_spectra import bulk_and_outliers, plain_lanczos, with_spectrum
from scipy.stats import wasserstein_distance

from gradlab.measure.quadrature import Quadrature, quadrature
from gradlab.measure.symmetric import dense, rademacher

SPECTRUM = bulk_and_outliers(160)
MATRIX = with_spectrum(SPECTRUM)
SIZE = len(MATRIX)


def distance(found: Quadrature) -> float:
    """W1 to the exact spectrum, as a share of the largest magnitude."""
    return wasserstein_distance(found.nodes.ravel(), SPECTRUM, found.weights.ravel()) / np.abs(SPECTRUM).max()


def test_the_quadrature_comes_close_to_the_spectrum_and_closer_with_probes() -> None:
    few = [distance(quadrature(dense(MATRIX), 3, 20, seed)) for seed in range(8)]
    many = [distance(quadrature(dense(MATRIX), 48, 20, seed)) for seed in range(8)]
    assert np.mean(few) < 1e-2
    assert np.mean(many) < np.mean(few) / 2.5  # 16 times the probes: a quarter, were it all chance


def test_moments_of_a_probe_are_exact_up_to_twice_the_steps() -> None:
    spectrum = np.linspace(-1.0, 2.0, 40)
    matrix = with_spectrum(spectrum)
    found = quadrature(dense(matrix), 3, 5, seed=2)
    for probe in range(3):
        v = rademacher(40, 1, 2, "density", probe)[:, 0].numpy() / np.sqrt(40)
        powers = v.copy()
        for degree in range(10):
            assert found.weights[probe] @ found.nodes[probe] ** degree == pytest.approx(v @ powers, abs=1e-12)
            powers = matrix @ powers


def test_trap_pyhessian_weights_are_real_and_squares_of_first_components_only() -> None:
    found = quadrature(dense(MATRIX), 4, 30, seed=0)
    assert found.weights.dtype == np.float64
    assert (found.weights >= 0).all()
    # not those of the whole squared matrix, whose rows each sum to 1; and a start normalised with + 1e-6 would show
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0, atol=1e-13)


def test_trap_pyhessian_sigma_is_a_standard_deviation() -> None:
    one = Quadrature(np.array([[2.0], [2.0]]), np.ones((2, 1)), 1, False, 2)
    grid = np.linspace(-1.0, 5.0, 2001)
    curve, _ = one.density(grid, 0.25)
    step = grid[1] - grid[0]
    assert curve.sum() * step == pytest.approx(1.0, abs=1e-6)
    assert (curve * (grid - 2.0) ** 2).sum() * step == pytest.approx(0.25**2, rel=1e-5)


def test_trap_curvlinops_one_node_for_one_outlier() -> None:
    start = np.random.default_rng(0).standard_normal(SIZE)
    diagonal, beside = plain_lanczos(MATRIX, start, 120)
    ghosts = np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    found = quadrature(dense(MATRIX), 3, 120, seed=0)
    assert (ghosts > 99.9).sum() > 1
    assert ((found.nodes > 99.9).sum(axis=1) == 1).all()


def test_trap_all_signs_are_not_counted_by_a_quadrature_but_its_band_holds_them() -> None:
    true = (SPECTRUM < 0).mean()
    estimates, held = [], []
    for seed in range(40):
        middle, band = quadrature(dense(MATRIX), 10, 15, seed).cumulative(np.array([0.0]))
        estimates.append(middle[0])
        held.append(band[0, 0] <= true <= band[1, 0])
    assert np.abs(np.array(estimates) - true).max() > 0.1
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize("steps", [8, 25])
def test_the_cumulative_band_covers_at_every_place(steps: int) -> None:
    at = np.concatenate([np.linspace(-6.0, 0.5, 60), [5.0, 15.0, 30.0, 49.95, 60.0, 101.0]])
    true = np.searchsorted(SPECTRUM, at, side="right") / SIZE
    held = []
    for seed in range(30):
        _, (low, high) = quadrature(dense(MATRIX), 10, steps, seed).cumulative(at)
        held.append((low <= true) & (true <= high))
    assert np.mean(held, axis=0).min() >= 0.9


def test_the_density_band_covers_the_smoothed_spectrum() -> None:
    grid, sigma = np.concatenate([np.linspace(-8.0, 8.0, 9), [10.0, 20.0, 50.0, 100.0, 104.0]]), 4.0
    kernels = np.exp(-0.5 * ((grid[:, None] - SPECTRUM) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    true = kernels.mean(axis=1)
    held = []
    for seed in range(50):
        _, (low, high) = quadrature(dense(MATRIX), 4, 24, seed).density(grid, sigma)  # few and skewed probes
        held.append((low <= true) & (true <= high))
    assert np.mean(held) >= 0.9
    assert np.mean(held, axis=0).min() >= 0.85  # at each place, with the chance of 50 repeats


def test_with_as_many_steps_as_parameters_it_is_the_spectrum() -> None:
    found = quadrature(dense(MATRIX), 5, SIZE, seed=0)
    assert found.exact
    assert found.products == SIZE
    np.testing.assert_allclose(found.nodes[0], SPECTRUM, atol=1e-12)
    middle, band = found.cumulative(SPECTRUM[[0, 10]] + 1e-9)
    np.testing.assert_allclose(middle, [1 / SIZE, 11 / SIZE])
    np.testing.assert_array_equal(band, [middle, middle])


def test_logarithms_keep_the_share_of_each_sign() -> None:
    spectrum = np.concatenate([-np.logspace(-6, -2, 30), np.logspace(-5, 1, 70)])
    found = quadrature(dense(with_spectrum(spectrum)), 2, 100, seed=0)
    grid = np.linspace(-9.0, 3.0, 1200)
    step = grid[1] - grid[0]
    assert found.log_density(grid, 0.1)[0].sum() * step == pytest.approx(0.7, abs=1e-6)
    assert found.log_density(grid, 0.1, negative=True)[0].sum() * step == pytest.approx(0.3, abs=1e-6)
    peak = grid[found.log_density(grid, 0.1)[0].argmax()]
    assert -5.2 < peak < 1.2


def test_an_exhausted_probe_is_exact() -> None:
    matrix = dense(np.diag(np.repeat([1.0, 4.0], 20)))  # any vector spans two dimensions
    found = quadrature(matrix, 3, 10, seed=0)
    for nodes, weights in zip(found.nodes, found.weights, strict=True):
        seen = weights > 1e-12
        np.testing.assert_allclose(np.unique(nodes[seen].round(9)), [1.0, 4.0])
        assert weights[nodes > 2.5].sum() == pytest.approx(0.5)  # signs weigh every coordinate alike


def test_a_probe_does_not_depend_on_how_many_run_together(monkeypatch: pytest.MonkeyPatch) -> None:
    together = quadrature(dense(MATRIX), 5, 12, seed=3)
    monkeypatch.setattr("gradlab.measure.quadrature._BYTES", 1)
    torch.manual_seed(5)
    alone = quadrature(dense(MATRIX), 5, 12, seed=3)
    np.testing.assert_allclose(together.nodes, alone.nodes, atol=1e-10)
