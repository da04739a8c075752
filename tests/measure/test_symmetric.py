"""A matrix by its products, and draws by their address."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_spectra import hessian_of, with_spectrum
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective
from gradlab.measure.symmetric import (
    Symmetric,
    columns_of,
    curvatures_of,
    dense,
    gaussian,
    objective_of,
    rademacher,
)


def test_all_columns_are_the_matrix() -> None:
    matrix = with_spectrum(np.linspace(-1.0, 1.0, 150))
    np.testing.assert_array_equal(columns_of(dense(matrix)), matrix)


def test_products_in_float32_are_handed_out_in_float64() -> None:
    seen: list[torch.dtype] = []

    def apply(block: torch.Tensor) -> torch.Tensor:
        seen.append(block.dtype)
        return 2 * block

    found = Symmetric(apply, 3, torch.float32).columns(torch.ones((3, 2), dtype=torch.float64))
    assert (seen, found.dtype) == ([torch.float32], torch.float64)


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(MeasureError, match="not finite"):
        dense(np.full((2, 2), np.inf)).columns(torch.ones((2, 1), dtype=torch.float64))


def test_the_curvature_of_each_network_of_a_fleet() -> None:
    x, y = np.random.default_rng(0).standard_normal((9, 2)), np.arange(9) % 2
    networks = [nn.Linear(2, 2), nn.Linear(2, 2)]
    found = [columns_of(each) for each in curvatures_of(Objective(networks, "cross_entropy", x, y))]
    assert len(found) == 2
    for network, whole in zip(networks, found, strict=True):
        np.testing.assert_allclose(whole, hessian_of(network, nn.CrossEntropyLoss(), x, y), atol=1e-14)


def test_cost_is_counted_with_the_graphs() -> None:
    matrix = Symmetric(lambda block: block, 3, gradients=2.0, setup=1.5)
    assert matrix.cost(4) == 9.5


def test_large_networks_are_measured_in_float32_unless_told_otherwise() -> None:
    x, y = np.zeros((4, 150)), np.zeros(4, np.int64)
    assert objective_of(nn.Linear(150, 3), "cross_entropy", x, y).dtype == torch.float64
    assert objective_of(nn.Linear(150, 150), "cross_entropy", x, y).dtype == torch.float32
    assert objective_of(nn.Linear(150, 150), "cross_entropy", x, y, torch.float64).dtype == torch.float64


def test_draws_have_an_address_and_ignore_the_global_generator() -> None:
    torch.manual_seed(1)
    first = gaussian(20, 3, 7, "a"), rademacher(20, 3, 7, "a")
    torch.manual_seed(2)
    again = gaussian(20, 3, 7, "a"), rademacher(20, 3, 7, "a")
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], gaussian(20, 3, 7, "a", index=1))
    assert set(first[1].reshape(-1).tolist()) == {-1.0, 1.0}
