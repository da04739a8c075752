r"""Sensitivity, of which four things go by the name: each under its own, all on the same examples.

The reports' sensitivity is the mean over parameter tensors of the norm of the loss's gradient on one minibatch, the
last of training. Of a minibatch of \(B\) of \(n\) examples

\[\mathbb{E}\lVert g_B \rVert^2 = \lVert g \rVert^2 + \frac{\operatorname{tr}\Sigma}{B} \frac{n - B}{n - 1}\]

whatever the network, so that comparing it between batch sizes compares the sizes. Here it is taken on a fixed set
(`fixed`), and on random minibatches of the sizes asked for (`minibatch`), beside the norm of the loss's gradient by
the input (`input_gradient`) and the Jacobian of the network by its input (`jacobian`; Novak et al. 2018).
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.jacobian import jacobian_values
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import Loss, Objective, Part
from gradlab.measure.perturbed import Counter, by_examples
from gradlab.randomness import generator

__all__ = ["input_gradient_norms", "sensitivity", "sensitivity_of", "tensor_norms"]

_DRAWS = 2000
"""Examples whose own gradients are formed to estimate the noise."""


def sensitivity(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    sizes: Sequence[int] = (),
    minibatches: int = 100,
    draws: int = _DRAWS,
    probes: int | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Measurement:
    """How strongly a network's loss and outputs answer to its parameters and inputs, on given examples.

    Args:
        network: Any module; it is copied and not changed.
        loss: "cross_entropy", "mse", or a function of outputs and targets that is a mean over examples.
        x: Inputs `[n, ...]`; their scaling sets the unit of what is per input.
        y: Targets.
        sizes: Sizes of the random minibatches that are measured.
        minibatches: How many of each size, drawn without replacement within a minibatch; of a small size as many as
            hold `draws` examples together, since single examples' gradients have long tails.
        draws: Examples from which the gradient noise is estimated; all of them make it exact.
        probes: Random directions for the Jacobian; None for the exact one up to 20 outputs and 10 beyond.
        seed: Of minibatches, draws and probes.
        dtype: The type of weights and arithmetic.

    Returns:
        `fixed` (the reports' quantity: mean over parameter tensors of the norm of the gradient on all examples),
        `gradient` (total norm), `input_gradient` (mean over examples of the norm of its loss's gradient by its
        input), `jacobian` and what else `gradlab.measure.jacobian.jacobian` gives, `noise` (trace of the covariance
        of single examples' gradients), `noise_scale` (that over the squared gradient; McCandlish et al. 2018), and,
        along "batch", `minibatch` (`fixed` on random minibatches), `minibatch_squared` (their squared total norm) and
        `minibatch_expected` (what the noise says it should be).

    Raises:
        MeasureError: A size is not between 1 and the number of examples, or fewer than two minibatches or draws are
            asked for.

    Example:
        >>> line = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(line.weight, 1.0)
        >>> found = sensitivity(line, "mse", np.array([[1.0], [2.0]]), np.zeros((2, 1)))
        >>> float(found["gradient"]), float(found["noise"]), float(found["input_gradient"])
        (5.0, 9.0, 3.0)
    """
    objective = Objective(network, loss, x, y, dtype=dtype)
    return sensitivity_of(
        objective, sizes=sizes, minibatches=minibatches, draws=draws, probes=probes, seed=seed
    )[0]


def sensitivity_of(
    objective: Objective,
    *,
    sizes: Sequence[int] = (),
    minibatches: int = 100,
    draws: int = _DRAWS,
    probes: int | None = None,
    seed: int = 0,
) -> list[Measurement]:
    """`sensitivity` of each network of an objective; all meet the same minibatches."""
    amiss = [size for size in sizes if not 1 <= size <= objective.examples]
    if amiss:
        raise MeasureError(f"minibatches of {amiss[0]} cannot be drawn from {objective.examples} examples")
    if min(minibatches, draws) < 2:
        raise MeasureError("an error needs at least two minibatches and two draws")
    return [_measured(each, sizes, minibatches, draws, probes, seed) for each in objective.alone()]


def tensor_norms(gradients: torch.Tensor, parts: Sequence[Part]) -> torch.Tensor:
    """The mean over parameter tensors of the norm of each one's gradient: `[...]` for gradients `[..., D]`."""
    norms = [gradients[..., part.first : part.last].norm(dim=-1) for part in parts]
    return torch.stack(norms).mean(dim=0)


def input_gradient_norms(objective: Objective) -> torch.Tensor:
    """The norm of the gradient of each example's loss by its input, `[n]`, of one network."""
    found: list[torch.Tensor] = []
    for chunk, _ in objective.chunks():
        x = objective.x[chunk].detach().clone().requires_grad_()
        loss = objective.criterion(objective.outputs(objective.weights, x), objective.y[chunk])
        # The mean over the chunk; each example reaches only its own loss.
        slopes = torch.zeros_like(x)
        if loss.requires_grad:
            slopes = torch.autograd.grad(loss * len(x), x, allow_unused=True, materialize_grads=True)[0]
        found.append(slopes.flatten(1).norm(dim=1))
    return torch.cat(found)


def _measured(
    objective: Objective, sizes: Sequence[int], minibatches: int, draws: int, probes: int | None, seed: int
) -> Measurement:
    counter, count = Counter(objective.examples), objective.examples
    if not objective.x.is_floating_point():
        raise MeasureError("the inputs are not numbers of a continuous kind: there is no gradient by them")
    weights = objective.weights
    slope = objective.gradient(weights)
    counter.backward(count)
    inputs = input_gradient_norms(objective)
    counter.backward(count)
    total = float(slope.norm())
    noise, error = _noise(objective, slope, draws, seed, counter)
    exact = draws >= count
    values = {
        "fixed": Value(
            float(tensor_norms(slope, objective.parts)),
            "mean over parameter tensors, biases included, of the L2 norm of the loss's gradient on all examples given",
        ),
        "gradient": Value(total, "L2 norm of the loss's gradient by all parameters, on all examples given"),
        "input_gradient": Value(
            float(inputs.mean()),
            "mean over examples of the L2 norm of the example's loss's gradient by its input",
        ),
        "noise": Value(
            noise,
            "trace of the covariance of single examples' gradients, over the examples given",
            None if exact else error,
            "none" if exact else "standard error",
        ),
        "noise_scale": Value(
            noise / total**2 if total else float("inf"),
            "trace of the gradient's covariance over the squared norm of the gradient, in examples",
            None if exact or not total else error / total**2,
            "none" if exact or not total else "standard error",
        ),
    }
    jacobians, remarks = jacobian_values(objective, probes, seed, counter)
    values |= jacobians
    if sizes:
        values |= _minibatches(
            objective, sizes, minibatches, draws, seed, counter, (total, noise, 0.0 if exact else error)
        )
    settings = objective.settings | {
        "tensors": len(objective.parts),
        "minibatches": minibatches if sizes else 0,
        "draws": min(draws, count),
        "seed": seed,
    }
    return Measurement("sensitivity", values, settings, counter.gradients, tuple(remarks))


def _noise(
    objective: Objective, slope: torch.Tensor, draws: int, seed: int, counter: Counter
) -> tuple[float, float]:
    """The trace of the covariance of single examples' gradients, and its standard error."""
    count = objective.examples
    chosen = generator(seed, "probe", "sensitivity.noise").permutation(count)[:draws]
    away = [
        (by_examples(objective, objective.weights, torch.from_numpy(some[:, None]))[1] - slope)
        .square()
        .sum(dim=1)
        for some in np.array_split(chosen, max(1, len(chosen) // 64))
    ]
    counter.backward(len(chosen))
    squares = torch.cat(away).double().numpy()
    spread = float(squares.std(ddof=1)) if len(squares) > 1 else 0.0
    return float(squares.mean()), spread / len(squares) ** 0.5 * (1 - len(squares) / count) ** 0.5


def _minibatches(
    objective: Objective,
    sizes: Sequence[int],
    minibatches: int,
    draws: int,
    seed: int,
    counter: Counter,
    full: tuple[float, float, float],
) -> dict[str, Value]:
    """What random minibatches of each size say; `full` is the whole set's gradient norm, its noise and the error."""
    count, rows = objective.examples, list[tuple[float, ...]]()
    norm, noise, noise_error = full
    for size in sizes:
        repeats = max(minibatches, draws // size) if size < count else 1
        drawn = [
            generator(seed, "probe", "sensitivity.minibatch", epoch=size, index=k).choice(
                count, size, replace=False
            )
            for k in range(repeats)
        ]
        means, squares = list[torch.Tensor](), list[torch.Tensor]()
        for some in np.array_split(np.stack(drawn), max(1, repeats * size // 2**14)):
            if len(some):
                slopes = by_examples(objective, objective.weights, torch.from_numpy(some))[1]
                means.append(tensor_norms(slopes, objective.parts))
                squares.append(slopes.square().sum(dim=1))
        counter.backward(repeats * size)
        left = (count - size) / (size * (count - 1)) if count > 1 else 0.0
        expected = norm**2 + noise * left, noise_error * left
        rows.append((*_mean(torch.cat(means)), *_mean(torch.cat(squares)), *expected))
    table, places = np.array(rows), np.array(sizes, np.float64)

    def along(column: int, means: str) -> Value:
        return Value(table[:, column], means, table[:, column + 1], "standard error", "batch", places)

    return {
        "minibatch": along(
            0,
            "mean over random minibatches of the mean over parameter tensors of the norm of the minibatch's gradient",
        ),
        "minibatch_squared": along(
            2, "mean over random minibatches of the squared norm of the minibatch's gradient"
        ),
        "minibatch_expected": along(
            4,
            "squared norm of the full gradient plus noise / B * (n - B) / (n - 1): what minibatch_squared estimates",
        ),
    }


def _mean(values: torch.Tensor) -> tuple[float, float]:
    """The mean and its standard error."""
    spread = float(values.std()) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return float(values.mean()), spread
