"""The outermost eigenvalues of networks against their exact Hessians."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from known_spectra import hessian_of
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.lanczos import extremes_of, top_eigenvalues
from gradlab.measure.objective import Objective

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((37, 4))
LABELS = RANDOM.integers(0, 3, 37)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()


EXACT = np.linalg.eigvalsh(hessian_of(network(), nn.CrossEntropyLoss(), X, LABELS))


def test_top_and_bottom_of_a_network() -> None:
    found = top_eigenvalues(network(), "cross_entropy", X, LABELS, k=4, bottom=2, tolerance=1e-10)
    np.testing.assert_allclose(found["top"].value, EXACT[::-1][:4], atol=1e-12)
    np.testing.assert_allclose(found["bottom"].value, EXACT[:2], atol=1e-12)
    assert (float(found["largest"]), float(found["smallest"])) == pytest.approx((EXACT[-1], EXACT[0]))
    assert found["top"].uncertainty == "residual"
    assert float(found["residual"]) <= 1e-10
    assert float(found["converged"]) == 1.0
    assert found.gradients >= 2 * float(found.settings["products"])
    assert found.warnings == ()


def test_eigenvectors_on_request() -> None:
    found = top_eigenvalues(network(), "cross_entropy", X, LABELS, k=2, vectors=True, tolerance=1e-10)
    hessian = hessian_of(network(), nn.CrossEntropyLoss(), X, LABELS)
    vectors = np.asarray(found["vectors"].value)
    np.testing.assert_allclose(
        vectors @ hessian, np.asarray(found["top"].value)[:, None] * vectors, atol=1e-9
    )
    assert "vectors" not in top_eigenvalues(network(), "cross_entropy", X, LABELS, k=2)


def test_one_layer_is_its_diagonal_block() -> None:
    hessian = hessian_of(network(), nn.CrossEntropyLoss(), X, LABELS)
    found = top_eigenvalues(network(), "cross_entropy", X, LABELS, k=3, part="2.weight", tolerance=1e-10)
    block = hessian[30:48, 30:48]  # after 4 x 6 weights and 6 biases
    np.testing.assert_allclose(found["top"].value, np.linalg.eigvalsh(block)[::-1][:3], atol=1e-12)
    with pytest.raises(MeasureError, match=r"no part '3.weight'"):
        top_eigenvalues(network(), "cross_entropy", X, LABELS, part="3.weight")


def test_gauss_newton_is_named_apart_and_has_no_negative_eigenvalue() -> None:
    settings = {"k": 1, "bottom": 1, "tolerance": 1e-9, "steps": 60}
    whole = top_eigenvalues(network(), "cross_entropy", X, LABELS, **settings)
    part = top_eigenvalues(network(), "cross_entropy", X, LABELS, of="gauss_newton", **settings)
    assert float(whole["smallest"]) < -1e-3
    assert abs(float(part["smallest"])) < 1e-9
    assert (whole.settings["of"], part.settings["of"]) == ("loss", "gauss_newton")


def test_trap_hessian_eigenthings_a_short_last_batch_counts_by_its_examples() -> None:
    for at_once in (37, 10, 36):  # 36 leaves a last chunk of one example
        objective = Objective(network(), "cross_entropy", X, LABELS, at_once=at_once)
        found = extremes_of(objective, 3, 1, tolerance=1e-10)[0]
        np.testing.assert_allclose(found["top"].value, EXACT[::-1][:3], atol=1e-11)
    batches = [
        hessian_of(network(), nn.CrossEntropyLoss(), X[s], LABELS[s]) for s in (slice(36), slice(36, 37))
    ]
    equally = np.linalg.eigvalsh((batches[0] + batches[1]) / 2)
    assert abs(equally[-1] - EXACT[-1]) > 1e-2  # what equal weights would have given


def test_unconverged_pairs_are_never_silent() -> None:
    found = top_eigenvalues(network(), "cross_entropy", X, LABELS, k=3, steps=5, tolerance=1e-12)
    assert float(found["converged"]) == 0.0
    assert "did not converge in 5 products" in found.warnings[0]
    assert float(found["residual"]) > 1e-12


def test_a_fleet_is_measured_like_its_members() -> None:
    several = [network(0), network(1)]
    found = extremes_of(Objective(several, "cross_entropy", X, LABELS), 2, 1)
    for one, measured in zip(several, found, strict=True):
        alone = top_eigenvalues(one, "cross_entropy", X, LABELS, k=2, bottom=1)
        np.testing.assert_allclose(measured["top"].value, alone["top"].value, rtol=1e-12)


def test_the_users_network_is_not_touched() -> None:
    user = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.ReLU(), nn.Linear(6, 3)).train()
    before = copy.deepcopy(user.state_dict())
    top_eigenvalues(user, "cross_entropy", X, LABELS, k=1)
    assert user.training
    assert all(p.grad is None and p.dtype == torch.float32 for p in user.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in user.state_dict().items())


def test_weights_that_diverged_are_refused() -> None:
    broken = network()
    with torch.no_grad():
        next(broken.parameters())[0, 0] = float("nan")
    with pytest.raises(MeasureError):
        top_eigenvalues(broken, "cross_entropy", X, LABELS, k=1)
