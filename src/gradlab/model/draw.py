"""First weights of fully connected networks, drawn with NumPy alone.

Weights lie flat in PyTorch's order: for each layer the weight `[out, in]` by rows, then the bias `[out]`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.randomness import counter_of, key_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["default_weights", "torch_stream_weights"]


def default_weights(widths: Sequence[int], seed: int) -> NDArray[np.float64]:
    """PyTorch's default distribution from a seed of our own.

    Weights and biases are uniform in +-1/sqrt(fan-in); every tensor has a stream of its own, addressed by the
    network's shape and the tensor's place. Networks of equal shape share their weights at equal seeds,
    whatever their activation.

    Args:
        widths: All widths, input and output included.
        seed: The run's `init` seed.

    Returns:
        `float64[D]`; rounded to float32, these are the weights of a float32 run.

    Example:
        >>> default_weights((4, 3, 1), seed=0).shape
        (19,)
    """
    philox = np.random.Philox(key=key_of(seed, "init", "-".join(map(str, widths))))
    stream, address = np.random.Generator(philox), philox.state
    parts: list[NDArray[np.float64]] = []
    for fan_in, fan_out in pairwise(widths):
        bound = 1 / math.sqrt(fan_in)
        for count in (fan_in * fan_out, fan_out):
            address["state"]["counter"] = counter_of(index=len(parts))
            philox.state = address  # cheaper than a generator of its own for every tensor
            parts.append(stream.uniform(-bound, bound, count))
    return np.concatenate(parts)


def torch_stream_weights(widths: Sequence[int], seed: int, position: int = 0) -> NDArray[np.float32]:
    """The weights that `torch.manual_seed(seed)` and building `nn.Linear` layers give, bit for bit.

    PyTorch draws a float32 from the low 24 bits of one 32-bit output of the Mersenne Twister.

    Args:
        widths: All widths, input and output included.
        seed: What `torch.manual_seed` was given; as there, its low 32 bits count.
        position: How many float32 values had been drawn since.

    Returns:
        `float32[D]`.

    Example:
        >>> torch_stream_weights((1, 1), seed=0).round(4)
        array([-0.0075,  0.5364], dtype=float32)
    """
    twister = np.random.MT19937()
    seeded: Any = np.random.RandomState(seed % 2**32).get_state(legacy=False)  # torch's own way of seeding
    twister.state = seeded
    total = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
    raw = twister.random_raw(position + total)[position:]
    unit = (raw & 0xFFFFFF) * 2.0**-24
    parts: list[NDArray[np.float32]] = []
    for fan_in, fan_out in pairwise(widths):
        # Linear draws its weight by kaiming_uniform_(a=sqrt(5)) and its bias from +-1/sqrt(fan_in): equal on
        # paper, an ulp apart in float64.
        weight_bound = math.sqrt(3.0) * (math.sqrt(2.0 / (1 + math.sqrt(5) ** 2)) / math.sqrt(fan_in))
        for count, bound in ((fan_in * fan_out, weight_bound), (fan_out, 1 / math.sqrt(fan_in))):
            low, high = np.float32(-bound), np.float32(bound)
            # In float64 the product is exact, so that the sum is rounded once, as by a fused multiply-add.
            parts.append((unit[:count] * np.float64(high - low) + np.float64(low)).astype(np.float32))
            unit = unit[count:]
    return np.concatenate(parts)
