"""Outermost eigenvalues against matrices whose spectrum was chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_spectra import bulk_and_outliers, plain_lanczos, with_spectrum

from gradlab.errors import MeasureError
from gradlab.measure.extremes import extremes
from gradlab.measure.symmetric import Symmetric, dense

SPECTRUM = bulk_and_outliers()
MATRIX = with_spectrum(SPECTRUM)


@pytest.mark.parametrize("settings", [{}, {"block": 3}, {"basis": 20}, {"basis": 22, "block": 2}])
def test_both_ends_of_a_known_spectrum(settings: dict[str, int]) -> None:
    found = extremes(dense(MATRIX), 5, 3, tolerance=1e-9, vectors=True, **settings)
    assert found.converged
    assert found.products < len(MATRIX) / 3
    np.testing.assert_allclose(found.top.values, SPECTRUM[::-1][:5], atol=1e-9)
    np.testing.assert_allclose(found.bottom.values, SPECTRUM[:3], atol=1e-9)
    for pairs in (found.top, found.bottom):
        assert pairs.vectors is not None
        gram = pairs.vectors.T @ pairs.vectors
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-11)


@pytest.mark.parametrize("settings", [{}, {"basis": 16}, {"block": 2}])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_residual_is_the_residual(settings: dict[str, int], dtype: torch.dtype) -> None:
    for steps in (12, 18, 30):  # from rough to converged
        narrow = torch.from_numpy(MATRIX).to(dtype)
        matrix = Symmetric(lambda block, a=narrow: a @ block, len(MATRIX), dtype)
        found = extremes(matrix, 3, 2, tolerance=1e-14, steps=steps, vectors=True, **settings)
        exact = narrow.double().numpy()
        rounding = 0.0 if dtype == torch.float64 else 1e-4  # of a float32 product of this size
        for pairs in (found.top, found.bottom):
            assert pairs.vectors is not None
            true = np.linalg.norm(exact @ pairs.vectors - pairs.vectors * pairs.values, axis=0)
            np.testing.assert_allclose(pairs.residuals, true, atol=1e-11 + rounding, rtol=1e-6)


def test_an_eigenvalue_lies_within_the_residual_of_each_value() -> None:
    for seed in range(20):
        found = extremes(dense(MATRIX), 6, 4, steps=15, seed=seed)
        for pairs in (found.top, found.bottom):
            nearest = np.abs(pairs.values[:, None] - SPECTRUM).min(axis=1)
            assert (nearest <= pairs.residuals + 1e-10).all()


def test_trap_pyhessian_largest_is_algebraic_not_largest_magnitude() -> None:
    matrix = with_spectrum(np.array([-9.0, -1.0, 0.0, 0.5, 2.0, 4.0]))
    power = np.ones(6)
    for _ in range(200):
        power = matrix @ power / np.linalg.norm(matrix @ power)
    assert power @ matrix @ power == pytest.approx(-9.0)  # what power iteration calls the top eigenvalue
    found = extremes(dense(matrix), 1, 1)
    assert (found.top.values[0], found.bottom.values[0]) == pytest.approx((4.0, -9.0))


def test_trap_pyhessian_a_small_change_of_the_estimate_is_no_convergence() -> None:
    # two close eigenvalues: power iteration settles between them and says so with no residual
    matrix = with_spectrum(np.concatenate([[1.0, 0.9995], np.zeros(48)]))
    v = np.random.default_rng(0).standard_normal(50)
    v, last = v / np.linalg.norm(v), np.inf
    while abs((now := v @ matrix @ v) - last) > 1e-3 * abs(now):
        v, last = matrix @ v / np.linalg.norm(matrix @ v), now
    stopped = np.linalg.norm(matrix @ v - now * v)
    found = extremes(dense(matrix), 2)
    assert found.converged
    assert found.top.residuals.max() < 1e-5 < 1e-4 < stopped
    np.testing.assert_allclose(found.top.values, [1.0, 0.9995], atol=1e-9)


def test_trap_curvlinops_no_ghost_copies_of_converged_eigenvalues() -> None:
    start = np.random.default_rng(0).standard_normal(len(MATRIX))
    diagonal, beside = plain_lanczos(MATRIX, start, 120)
    ghosts = np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    assert (ghosts > 99.9).sum() > 1  # the plain recurrence finds 100 again and again
    found = extremes(dense(MATRIX), 5, tolerance=0.0, steps=120)
    np.testing.assert_allclose(found.top.values, [100.0, 50.0, 49.9, 20.0, 10.0], atol=1e-10)


def test_trap_hessian_eigenthings_twice_as_many_steps_as_pairs_are_too_few_and_it_is_said() -> None:
    hard = with_spectrum(np.linspace(-1.0, 1.0, 200))  # no gaps: the worst for Lanczos
    short = extremes(dense(hard), 5, steps=10)
    assert not short.converged
    assert not short.top.converged.all()
    assert short.products == 10
    wrong = np.abs(short.top.values - np.linspace(-1.0, 1.0, 200)[::-1][:5])
    assert wrong.max() > 0.05  # and it is wrong indeed
    whole = extremes(dense(hard), 5)
    assert whole.converged
    np.testing.assert_allclose(whole.top.values, np.linspace(-1.0, 1.0, 200)[::-1][:5], atol=1e-6)


def test_fewer_steps_than_pairs_leave_the_others_open() -> None:
    found = extremes(dense(MATRIX), 5, steps=3)
    assert np.isnan(found.top.values[3:]).all()
    assert np.isinf(found.top.residuals[3:]).all()
    assert not found.top.converged.any()


def test_a_multiple_eigenvalue_is_found_as_often_as_the_block_has_vectors() -> None:
    spectrum = np.concatenate([[3.0, 3.0, 3.0], np.linspace(0.0, 1.0, 97)])
    matrix = dense(with_spectrum(spectrum))
    np.testing.assert_allclose(extremes(matrix, 3, block=3).top.values, [3.0, 3.0, 3.0], atol=1e-9)
    one = extremes(matrix, 3, steps=16)
    assert one.top.values[0] == pytest.approx(3.0)
    assert one.top.values[1] < 1.0  # seen once only: the caveat of one vector at a time


def test_neighbours_that_cannot_be_told_apart_are_flagged() -> None:
    close = dense(with_spectrum(np.concatenate([[2.0, 2.0 - 1e-9, 1.5], np.zeros(60)])))
    found = extremes(close, 3, block=2, tolerance=1e-6)
    assert found.top.clustered.tolist()[2] is False
    apart = extremes(dense(MATRIX), 2, tolerance=1e-9)
    assert not apart.top.clustered.any()
    double = extremes(dense(np.diag([1.0, 1.0, 0.0])), 2)
    assert double.top.clustered.all()


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_a_matrix_of_low_rank_is_exhausted_and_completed(rank: int) -> None:
    spectrum = np.concatenate([np.arange(1.0, rank + 1), np.zeros(40 - rank)])
    found = extremes(dense(with_spectrum(spectrum)), 5, 2)
    assert found.converged
    np.testing.assert_allclose(found.top.values, np.sort(spectrum)[::-1][:5], atol=1e-12)
    np.testing.assert_allclose(found.bottom.values, 0.0, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_all_eigenvalues_of_a_small_matrix(size: int) -> None:
    spectrum = np.linspace(-1.0, 2.0, size)
    found = extremes(dense(with_spectrum(spectrum)), size, tolerance=0.0)
    assert found.complete
    np.testing.assert_allclose(found.top.values, spectrum[::-1], atol=1e-13)


def test_the_start_is_addressed_by_the_seed() -> None:
    torch.manual_seed(0)
    first = extremes(dense(MATRIX), 3, steps=12, seed=4)
    torch.manual_seed(1)
    again, other = (extremes(dense(MATRIX), 3, steps=12, seed=seed) for seed in (4, 5))
    assert np.array_equal(first.top.values, again.top.values)
    assert not np.array_equal(first.top.values, other.top.values)


def test_what_cannot_be_had_is_refused() -> None:
    with pytest.raises(MeasureError, match="5 largest and 2 smallest cannot be had of 6"):
        extremes(dense(np.eye(6)), 5, 2)
    with pytest.raises(MeasureError, match="0 largest and 0 smallest"):
        extremes(dense(np.eye(6)), 0, 0)
    with pytest.raises(MeasureError, match="not finite"):
        extremes(dense(np.full((4, 4), np.nan)), 1)
