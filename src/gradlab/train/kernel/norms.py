"""What is asked of a whole vector of parameters: its squared norms, and whether it is finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradlab.train.kernel.vector import compiled


@compiled
def sum_of_squares(values: Any, low: Any, high: Any) -> float:
    """Squared norm of `values[low:high]`, added in double precision."""
    total = 0.0
    for k in range(low, high):
        total += np.float64(values[k]) * np.float64(values[k])
    return total


@compiled
def layer_squares(net: Any, gradient: Any, out: Any) -> None:
    """Squared norms of each layer's weight and bias gradients, into `out[L, 2]`."""
    for layer in range(net.widths.size - 1):
        start = net.parameters[layer]
        bias = start + net.widths[layer] * net.widths[layer + 1]
        for part, low, high in ((0, start, bias), (1, bias, net.parameters[layer + 1])):
            out[layer, part] = sum_of_squares(gradient, low, high)


@compiled
def all_finite(values: Any, size: Any) -> bool:
    """Whether the first `size` numbers are finite."""
    bad = 0
    for k in range(size):
        bad |= not np.isfinite(values[k])
    return bad == 0
