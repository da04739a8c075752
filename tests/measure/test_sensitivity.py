"""The four sensitivities against loops over examples, and the size of a minibatch as what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from gradlab.errors import MeasureError
from gradlab.measure.gradient_norm import mean_tensor_norm
from gradlab.measure.objective import Objective
from gradlab.measure.sensitivity import sensitivity, sensitivity_of

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 3)), RNG.integers(0, 4, 60)


def network(seed: int = 0, *, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5, bias=bias), nn.Tanh(), nn.Linear(5, 4)).double()


def gradients(module: nn.Module, rows: Any) -> list[np.ndarray]:
    """The gradient of each parameter tensor on some examples."""
    loss = functional.cross_entropy(module(torch.from_numpy(X[rows])), torch.from_numpy(Y[rows]))
    return [g.numpy() for g in torch.autograd.grad(loss, list(module.parameters()))]


def flat(tensors: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([tensor.ravel() for tensor in tensors])


def test_the_reports_quantity_on_a_fixed_set_and_the_total_norm() -> None:
    module = network()
    tensors = gradients(module, slice(None))
    found = sensitivity(module, "cross_entropy", X, Y)
    assert float(found["fixed"]) == pytest.approx(np.mean([np.linalg.norm(tensor) for tensor in tensors]))
    assert float(found["gradient"]) == pytest.approx(np.linalg.norm(flat(tensors)))
    squares = np.array([[(tensor**2).sum() for tensor in tensors]]).reshape(2, 2)
    assert float(found["fixed"]) == pytest.approx(float(mean_tensor_norm(squares)))


def test_a_bias_that_does_not_exist_does_not_count() -> None:
    module = network(bias=False)
    tensors = gradients(module, slice(None))
    assert len(tensors) == 3
    found = sensitivity(module, "cross_entropy", X, Y)
    assert float(found["fixed"]) == pytest.approx(np.mean([np.linalg.norm(tensor) for tensor in tensors]))
    assert found.settings["tensors"] == 3


def test_the_gradient_by_the_input_is_of_each_examples_own_loss() -> None:
    module, norms = network(), []
    for x, y in zip(X, Y, strict=True):
        given = torch.from_numpy(x[None]).requires_grad_()
        loss = functional.cross_entropy(module(given), torch.tensor([y]))
        norms.append(float(torch.autograd.grad(loss, given)[0].norm()))
    found = sensitivity(module, "cross_entropy", X, Y)
    assert float(found["input_gradient"]) == pytest.approx(np.mean(norms))
    objective = Objective(module, "cross_entropy", X, Y, at_once=7)  # the last chunk is shorter
    assert float(sensitivity_of(objective)[0]["input_gradient"]) == pytest.approx(np.mean(norms))


def test_all_examples_give_the_noise_exactly() -> None:
    module = network()
    every = np.stack([flat(gradients(module, [k])) for k in range(60)])
    trace = np.trace(np.cov(every.T, ddof=0))
    found = sensitivity(module, "cross_entropy", X, Y, draws=60)
    assert float(found["noise"]) == pytest.approx(trace)
    assert found["noise"].error is None
    assert float(found["noise_scale"]) == pytest.approx(trace / float(found["gradient"]) ** 2)


def test_some_examples_give_the_noise_with_an_error_that_covers() -> None:
    module = network()
    exact = float(sensitivity(module, "cross_entropy", X, Y, draws=60)["noise"])
    objective = Objective(module, "cross_entropy", X, Y)
    found = [sensitivity_of(objective, draws=30, seed=seed)[0]["noise"] for seed in range(150)]
    z = np.array([(float(value) - exact) / value.error for value in found])
    assert abs(z.mean()) < 0.5
    assert (np.abs(z) < 2.05).mean() >= 0.88


def test_the_size_of_a_minibatch_alone_sets_its_sensitivity() -> None:
    """What the reports compare between batch sizes differs by these factors on one and the same network."""
    found = sensitivity(network(), "cross_entropy", X, Y, sizes=(2, 5, 20, 60), minibatches=400, draws=60)
    means = np.asarray(found["minibatch"])
    assert (np.diff(means) < 0).all()
    assert means[0] > 2 * means[-1]
    assert means[-1] == pytest.approx(float(found["fixed"]))  # all the examples: the fixed set
    squares, expected = found["minibatch_squared"], np.asarray(found["minibatch_expected"])
    z = (np.asarray(squares) - expected)[:-1] / squares.error[:-1]
    assert np.abs(z).max() < 4
    assert np.asarray(squares)[-1] == pytest.approx(expected[-1])
    assert squares.error[-1] == 0
    assert found["minibatch"].axis == "batch"
    assert found["minibatch"].places.tolist() == [2, 5, 20, 60]


def test_the_error_of_minibatches_is_calibrated() -> None:
    objective = Objective(network(), "cross_entropy", X, Y)
    found = [
        sensitivity_of(objective, sizes=(4,), minibatches=40, draws=60, seed=seed)[0] for seed in range(100)
    ]
    z = np.array([
        float(np.asarray(each["minibatch_squared"])[0] - np.asarray(each["minibatch_expected"])[0])
        / each["minibatch_squared"].error[0]
        for each in found
    ])
    assert abs(z.mean()) < 0.5
    assert (np.abs(z) < 2.05).mean() >= 0.88


def test_a_minibatch_has_no_example_twice() -> None:
    # with loss (w - y)^2 of y in {-1, 1} in equal parts, two of two examples have no gradient at 0
    line = nn.Linear(1, 1, bias=False).double()
    nn.init.zeros_(line.weight)
    x, y = np.ones((2, 1)), np.array([[-1.0], [1.0]])
    found = sensitivity(line, "mse", x, y, sizes=(1, 2))
    assert np.asarray(found["minibatch"]) == pytest.approx([2, 0])


def test_a_fleet_gives_what_each_network_gives_alone() -> None:
    modules = [network(0), network(1), network(2)]
    together = sensitivity_of(
        Objective(modules, "cross_entropy", X, Y), sizes=(3, 9), minibatches=10, draws=20
    )
    for module, found in zip(modules, together, strict=True):
        single = sensitivity(module, "cross_entropy", X, Y, sizes=(3, 9), minibatches=10, draws=20)
        assert set(single) == set(found)
        for name, value in single.items():
            np.testing.assert_array_equal(np.asarray(value), np.asarray(found[name]), err_msg=name)


def test_the_users_network_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 4)).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = torch.random.get_rng_state()
    one = sensitivity(module, "cross_entropy", X, Y, sizes=(4,))
    assert torch.equal(state, torch.random.get_rng_state())
    assert module.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in module.parameters())
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    two = sensitivity(module, "cross_entropy", X, Y, sizes=(4,))  # dropout is off: no number is random
    assert {name: float(v) for name, v in one.items() if not v.axis} == {
        name: float(v) for name, v in two.items() if not v.axis
    }


def test_convolutions_and_regression() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 1)
    ).double()
    x, y = RNG.normal(size=(20, 1, 6, 6)), RNG.normal(size=(20, 1))
    found = sensitivity(module, "mse", x, y, sizes=(4,), minibatches=5, draws=20)
    loss = functional.mse_loss(module(torch.from_numpy(x)), torch.from_numpy(y))
    total = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(module.parameters()))]).norm()
    assert float(found["gradient"]) == pytest.approx(float(total))
    assert "jacobian_logits" not in found
    assert found.gradients == pytest.approx(5)  # full, inputs, Jacobian, examples' own, and 5 x 4 of 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sizes": (0,)}, "minibatches of 0"),
        ({"sizes": (4, 61)}, "minibatches of 61 cannot be drawn from 60"),
        ({"minibatches": 1, "sizes": (4,)}, "at least two"),
    ],
)
def test_what_cannot_be_measured_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(MeasureError, match=message):
        sensitivity(network(), "cross_entropy", X, Y, **settings)


def test_inputs_that_are_indices_have_no_gradient() -> None:
    words = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 4))
    with pytest.raises(MeasureError, match="not numbers of a continuous kind"):
        sensitivity(words, "cross_entropy", RNG.integers(0, 5, (60, 2)), Y)
