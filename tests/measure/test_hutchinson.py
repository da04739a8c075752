"""Randomised trace, diagonal and Frobenius norm: unbiased, and with error bars that cover."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_spectra import with_spectrum
from numpy.typing import NDArray

from gradlab.errors import MeasureError
from gradlab.measure.hutchinson import Estimate, Method, estimate
from gradlab.measure.symmetric import Symmetric, dense, rademacher

SIZE = 80
SPECTRUM = np.concatenate([[30.0, -12.0, 8.0], np.random.default_rng(0).normal(0.0, 1.0, SIZE - 3)])
MATRIX = with_spectrum(SPECTRUM)
PARTS = [(0, 30), (30, 80)]
SEEDS = range(100)


def covers(found: Estimate, true: NDArray[np.float64] | float) -> float:
    low, high = found.interval()
    return float(((low <= true) & (true <= high)).mean())


@pytest.mark.parametrize("method", ["hutchinson", "hutch++"])
def test_intervals_cover_and_means_are_unbiased(method: Method) -> None:
    found = [estimate(dense(MATRIX), 60, method=method, parts=PARTS, seed=seed) for seed in SEEDS]
    blocks = np.array([MATRIX[:30, :30].trace(), MATRIX[30:, 30:].trace()])
    truths = {
        "trace": SPECTRUM.sum(), "squares": (SPECTRUM**2).sum(), "parts": blocks, "diagonal": MATRIX.diagonal(),
    }  # fmt: skip
    for name, true in truths.items():
        each = [getattr(one, name) for one in found]
        assert np.mean([covers(one, true) for one in each]) >= 0.9, name
        values = np.array([one.value for one in each])
        off = (values.mean(axis=0) - true) / (values.std(axis=0) / np.sqrt(len(values)))
        assert np.abs(off).max() < 4.5, name  # in standard errors, the worst of up to 80
        # the stated error is the spread that repeats have
        stated = np.sqrt(np.mean([one.error**2 for one in each], axis=0))
        np.testing.assert_allclose(stated, values.std(axis=0), rtol=0.3)


def test_the_variance_of_hutchinson_is_that_of_the_literature() -> None:
    true = 2 * ((MATRIX**2).sum() - (MATRIX.diagonal() ** 2).sum())
    found = [
        estimate(dense(MATRIX), 79, method="hutchinson", seed=seed).trace.error ** 2 for seed in range(40)
    ]
    assert np.mean(found) * 79 == pytest.approx(true, rel=0.1)


def test_hutch_plus_plus_is_the_better_one_where_few_eigenvalues_matter() -> None:
    spread = {
        method: np.std([float(estimate(dense(MATRIX), 45, method=method, seed=seed).trace.value) for seed in range(50)])
        for method in ("hutchinson", "hutch++")
    }  # fmt: skip
    assert spread["hutch++"] < spread["hutchinson"] / 1.5


def test_trap_pyhessian_no_early_stop_on_a_small_change_of_the_mean() -> None:
    def stopped(seed: int) -> tuple[int, float]:
        samples, last = [], 0.0
        for probe in range(200):
            v = rademacher(SIZE, 1, seed, "rule", probe)[:, 0].numpy()
            samples.append(v @ MATRIX @ v)
            if abs(np.mean(samples) - last) / (last + 1e-6) < 1e-3:
                break
            last = np.mean(samples)
        return len(samples), float(np.mean(samples))

    theirs = [stopped(seed) for seed in range(30)]
    assert np.median([count for count, _ in theirs]) < 100  # by chance, long before
    multiplied = [0]

    def apply(block: torch.Tensor) -> torch.Tensor:
        multiplied[0] += block.shape[1]
        return torch.from_numpy(MATRIX) @ block

    settled = np.zeros((500, 500)) + np.eye(500)  # every probe gives the same: the mean never moves
    assert estimate(dense(settled), 60, method="hutchinson").trace.probes == 60
    assert estimate(Symmetric(apply, SIZE), 60, method="hutchinson").products == multiplied[0] == 60


@pytest.mark.parametrize("method", ["hutchinson", "hutch++"])
@pytest.mark.parametrize("products", [6, 20, 47])
def test_all_products_are_spent_and_counted(method: Method, products: int) -> None:
    multiplied = [0]

    def apply(block: torch.Tensor) -> torch.Tensor:
        multiplied[0] += block.shape[1]
        return torch.from_numpy(MATRIX) @ block

    assert estimate(Symmetric(apply, SIZE), products, method=method).products == multiplied[0] == products


def test_as_many_products_as_parameters_are_exact() -> None:
    found = estimate(dense(MATRIX), 200, parts=PARTS)
    assert found.exact
    assert (found.products, float(found.trace.error)) == (SIZE, 0.0)
    assert float(found.trace.value) == pytest.approx(SPECTRUM.sum())
    assert found.trace.interval() == (found.trace.value, found.trace.value)
    np.testing.assert_array_equal(found.diagonal.value, MATRIX.diagonal())


def test_a_diagonal_matrix_needs_one_probe_and_the_error_says_so() -> None:
    found = estimate(dense(np.diag(np.arange(50.0))), 10, method="hutchinson")
    assert float(found.trace.value) == pytest.approx(49 * 25)
    assert float(found.trace.error) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(found.diagonal.value, np.arange(50.0))


def test_a_sketch_that_holds_the_range_leaves_no_error() -> None:
    low_rank = with_spectrum(np.concatenate([[5.0, -3.0, 2.0], np.zeros(57)]))
    found = estimate(dense(low_rank), 30)
    assert float(found.trace.value) == pytest.approx(4.0, abs=1e-12)
    assert float(found.trace.error) < 1e-12


def test_too_few_products_are_refused() -> None:
    with pytest.raises(MeasureError, match=r"hutch\+\+ needs 6 products"):
        estimate(dense(MATRIX), 5)
    with pytest.raises(MeasureError, match="hutchinson needs 2 products"):
        estimate(dense(MATRIX), 1, method="hutchinson")
