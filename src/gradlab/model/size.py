"""Networks of equal size: widths that meet a budget of parameters at a given depth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from gradlab.model.mlp import MLP, Activation

__all__ = ["TOLERANCE", "equal_size"]

TOLERANCE: Final = 0.01
"""How far the count may be from the budget, as a share of it."""


def equal_size(
    parameters: int,
    depth: int,
    *,
    inputs: int = 1,
    outputs: int = 1,
    activation: Activation = "relu",
    slope: float = 0.01,
) -> MLP:
    """The rectangle-shaped MLP whose exact number of parameters comes nearest to a budget.

    The search covers hidden layers of two neighbouring widths in every order of wide before narrow and narrow
    before wide, with a last hidden layer of any width; of equally near counts the most even one wins.

    Args:
        parameters: The budget, biases included.
        depth: Number of hidden layers, at least 1.
        inputs: Width of the input.
        outputs: Width of the output.
        activation: What follows every hidden layer.
        slope: Slope of `leaky_relu` for negative values.

    Returns:
        The network; `parameters(inputs, outputs)` of it is the exact count.

    Raises:
        ValueError: No such network is within 1 % of the budget; the message names the nearest count.

    Example:
        >>> net = equal_size(571, depth=4)
        >>> net.parameters(1, 1), len(net.hidden)
        (571, 4)
    """
    if depth < 1 or parameters < 1:
        raise ValueError("equal_size needs a budget and a depth of at least 1")
    best: MLP | None = None
    best_score: tuple[int, int] | None = None
    for hidden in _candidates(parameters, depth, inputs, outputs):
        net = MLP(*hidden, activation=activation, slope=slope)
        score = (abs(net.parameters(inputs, outputs) - parameters), max(hidden) - min(hidden))
        if best_score is None or score < best_score:
            best, best_score = net, score
    assert best is not None
    count = best.parameters(inputs, outputs)
    if abs(count - parameters) > TOLERANCE * parameters:
        raise ValueError(
            f"no network of {depth} hidden layers from {inputs} to {outputs} is within 1 % of {parameters} "
            f"parameters; the nearest has {count} (hidden {'-'.join(map(str, best.hidden))})"
        )
    return best


def _candidates(parameters: int, depth: int, inputs: int, outputs: int) -> Iterator[tuple[int, ...]]:
    square, linear = depth - 1, inputs + outputs + depth
    if square:
        width = (math.sqrt(linear**2 + 4 * square * max(parameters - outputs, 0)) - linear) / (2 * square)
    else:
        width = (parameters - outputs) / (inputs + 1 + outputs)
    low = max(1, int(width))
    for narrow in range(max(1, low - 2), low + 3):
        for wide_layers in range(depth):
            body = [narrow + 1] * wide_layers + [narrow] * (depth - 1 - wide_layers)
            for first in {tuple(body), tuple(reversed(body))}:
                yield from ((*first, last) for last in _last_widths(parameters, first, inputs, outputs))


def _last_widths(parameters: int, first: tuple[int, ...], inputs: int, outputs: int) -> Iterator[int]:
    """The two widths of the last hidden layer between which the count passes the budget."""
    widths = (inputs, *first)
    before = sum((a + 1) * b for a, b in pairwise(widths))
    exact = (parameters - before - outputs) / (widths[-1] + 1 + outputs)
    yield from {max(1, math.floor(exact)), max(1, math.ceil(exact))}
