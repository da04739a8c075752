"""Losses and gradients at many weights at once are those of one after another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective
from gradlab.measure.perturbed import (
    Counter,
    at_weights,
    by_examples,
    groups,
    normal_rows,
    refuse_infinite,
    wrong,
    wrong_share,
)

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 3)), RNG.integers(0, 3, 30)


def objective(**settings: float) -> Objective:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    return Objective(network, "cross_entropy", X, Y, at_once=7, **settings)


@pytest.mark.parametrize("together", [1, 2, 100])
def test_many_weights_are_as_one_after_another(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = objective(weight_decay=0.1)
    monkeypatch.setattr("gradlab.measure.perturbed._NUMBERS", together * made.size)
    points = made.weights + 0.1 * normal_rows(5, made, 0, "test")
    counter = Counter(30)
    losses, slopes = at_weights(made, points, gradient=True, counter=counter)
    plain, none = at_weights(made, points, counter=counter)
    errors = wrong_share(made, points)
    for k, point in enumerate(points):
        assert float(losses[k]) == pytest.approx(float(made.value(point)), rel=1e-12)
        np.testing.assert_allclose(slopes[k], made.gradient(point), atol=1e-12)
        expected = (made.outputs(point, made.x).argmax(dim=1) != made.y).double().mean()
        assert float(errors[k]) == pytest.approx(float(expected))
    np.testing.assert_allclose(plain, losses, rtol=1e-12)
    assert none.shape == (5, 0)
    assert counter.gradients == pytest.approx(5 + 5 / 3)


def test_sets_of_examples_have_gradients_of_their_own() -> None:
    made = objective(weight_decay=0.1)
    rows = torch.tensor([[0, 5, 9], [1, 1, 2], [29, 3, 4]])
    own = made.weights + 0.1 * normal_rows(3, made, 0, "test")
    for points in (made.weights, own):
        losses, slopes = by_examples(made, points, rows)
        for k, some in enumerate(rows):
            at = (points if points.dim() == 1 else points[k]).clone().requires_grad_()
            loss = made.loss(at, some)
            assert float(losses[k]) == pytest.approx(float(loss.detach()))
            np.testing.assert_allclose(slopes[k], torch.autograd.grad(loss, at)[0], atol=1e-12)


def test_large_networks_go_one_by_one_and_small_ones_together() -> None:
    assert [rows.stop - rows.start for rows in groups(3, 10**9)] == [1, 1, 1]
    assert [rows.stop - rows.start for rows in groups(3, 10)] == [3]
    assert list(groups(0, 10)) == []


def test_a_direction_depends_on_no_other() -> None:
    made = objective()
    assert torch.equal(normal_rows(5, made, 1, "test")[:2], normal_rows(2, made, 1, "test"))
    assert not torch.equal(normal_rows(2, made, 1, "test"), normal_rows(2, made, 2, "test"))
    assert normal_rows(0, made, 1, "test").shape == (0, made.size)


def test_numbers_have_no_error_rate() -> None:
    line = nn.Linear(3, 1)
    made = Objective(line, "mse", X, X[:, :1])
    with pytest.raises(MeasureError, match="no error rate"):
        wrong_share(made, made.weights[None])


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
def test_single_logits_and_targets_in_any_shape_have_one_error_rate(shape) -> None:
    targets = np.array([0, 1, 0, 1, 1, 1])
    x = np.array([1.0, 1, -1, 1, -1, 1])[:, None]  # two are wrong
    line = (
        nn.Linear(1, 1, bias=False)
        if len(shape) == 2
        else nn.Sequential(nn.Linear(1, 1, bias=False), nn.Flatten(0))
    )
    nn.init.constant_(next(line.parameters()), 1.0)

    def loss(outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, y.to(outputs.dtype))

    objective = Objective(line, loss, x, targets.reshape(shape))
    assert wrong_share(objective, objective.weights.expand(3, -1)).tolist() == pytest.approx([1 / 3] * 3)
    assert wrong_share(objective, objective.weights[None]).tolist() == pytest.approx([1 / 3])


def test_sequences_have_no_error_rate() -> None:  # the largest along time would be taken for a class
    with pytest.raises(MeasureError, match="no error rate"):
        wrong(torch.zeros(4, 3, 3), torch.zeros(4, 3, dtype=torch.int64))


def test_a_loss_that_is_not_finite_is_refused() -> None:
    line = nn.Linear(1, 1)
    nn.init.constant_(line.weight, float("nan"))
    with pytest.raises(MeasureError, match="not finite"):
        refuse_infinite(Objective(line, "mse", np.ones((2, 1)), np.ones(2)))
