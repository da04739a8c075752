"""First weights of declared networks, drawn with NumPy alone.

Weights lie flat in PyTorch's order: for each layer the weight (`[out, in]`, or `[out, in, k, k]`) by rows, then the
bias `[out]`. A norm starts with scale 1 and shift 0 and draws nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.model.layers import Tensor
from gradlab.randomness import counter_of, key_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["default_weights", "torch_stream_weights"]


def default_weights(tensors: Sequence[Tensor], seed: int) -> NDArray[np.float64]:
    """PyTorch's default distribution from a seed of our own.

    Weights and biases are uniform in +-1/sqrt(fan-in); every tensor has a stream of its own, addressed by the
    network's shape and the tensor's place. Networks of equal shape share their weights at equal seeds,
    whatever their activation.

    Args:
        tensors: The network's, as its `tensors` gives them.
        seed: The run's `init` seed.

    Returns:
        `float64[D]`; rounded to float32, these are the weights of a float32 run.

    Example:
        >>> from gradlab.model import MLP
        >>> default_weights(MLP(3).tensors((4,), 1), seed=0).shape
        (19,)
    """
    philox = np.random.Philox(key=key_of(seed, "init", _address(tensors)))
    stream, address = np.random.Generator(philox), philox.state
    parts: list[NDArray[np.float64]] = []
    drawn = 0
    for tensor in tensors:
        if not tensor.fan_in:
            parts.append(_undrawn(tensor, np.float64))
            continue
        bound = 1 / math.sqrt(tensor.fan_in)
        address["state"]["counter"] = counter_of(index=drawn)
        philox.state = address  # cheaper than a generator of its own for every tensor
        parts.append(stream.uniform(-bound, bound, tensor.size))
        drawn += 1
    return np.concatenate(parts)


def _address(tensors: Sequence[Tensor]) -> str:
    """A network's shape in words: the widths where it is fully connected, else the shape of every weight."""
    weights = [t.shape for t in tensors if t.fan_in and t.name.endswith(".weight")]
    if all(len(shape) == 2 for shape in weights):
        return "-".join(map(str, [weights[0][1], *(shape[0] for shape in weights)]))
    return "-".join("x".join(map(str, shape)) for shape in weights)


def _undrawn(tensor: Tensor, dtype: Any) -> NDArray[Any]:
    return np.full(tensor.size, 1.0 if tensor.name.endswith(".weight") else 0.0, dtype)


def torch_stream_weights(tensors: Sequence[Tensor], seed: int, position: int = 0) -> NDArray[np.float32]:
    """The weights that `torch.manual_seed(seed)` and building `nn.Linear` and `nn.Conv2d` give, bit for bit.

    PyTorch draws a float32 from the low 24 bits of one 32-bit output of the Mersenne Twister.

    Args:
        tensors: The network's, as its `tensors` gives them: in the order in which the script built the layers.
        seed: What `torch.manual_seed` was given; as there, its low 32 bits count.
        position: How many float32 values had been drawn since.

    Returns:
        `float32[D]`.

    Example:
        >>> from gradlab.model import MLP
        >>> torch_stream_weights(MLP().tensors((1,), 1), seed=0).round(4)
        array([-0.0075,  0.5364], dtype=float32)
    """
    twister = np.random.MT19937()
    seeded: Any = np.random.RandomState(seed % 2**32).get_state(legacy=False)  # torch's own way of seeding
    twister.state = seeded
    total = sum(tensor.size for tensor in tensors if tensor.fan_in)
    raw = twister.random_raw(position + total)[position:]
    unit = (raw & 0xFFFFFF) * 2.0**-24
    parts: list[NDArray[np.float32]] = []
    for tensor in tensors:
        if not tensor.fan_in:
            parts.append(_undrawn(tensor, np.float32))
            continue
        bound = 1 / math.sqrt(tensor.fan_in)
        if tensor.name.endswith(".weight"):
            # The weight is drawn by kaiming_uniform_(a=sqrt(5)) and the bias from +-1/sqrt(fan_in): equal on
            # paper, an ulp apart in float64.
            bound = math.sqrt(3.0) * (math.sqrt(2.0 / (1 + math.sqrt(5) ** 2)) / math.sqrt(tensor.fan_in))
        low, high = np.float32(-bound), np.float32(bound)
        # In float64 the product is exact, so that the sum is rounded once, as by a fused multiply-add.
        parts.append((unit[: tensor.size] * np.float64(high - low) + np.float64(low)).astype(np.float32))
        unit = unit[tensor.size :]
    return np.concatenate(parts)
