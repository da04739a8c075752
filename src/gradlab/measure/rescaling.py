r"""A self-test of invariance: which measures move when a network's layers are rescaled and its function is not.

The outputs of a ReLU (or leaky ReLU) network stay as they are when one layer's weight and bias are multiplied by
\(c > 0\) and the next layer's weight by \(1 / c\). A measure that moves all the same says as much about this scale as
about the function (Dinh et al. 2017).
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.measurement import Measurement
from gradlab.measure.objective import Loss, Objective
from gradlab.measure.sensitivity import sensitivity_of
from gradlab.measure.sharpness import sharpness_of

__all__ = ["Rescaling", "Row", "rescaled", "rescaling"]

_SAME: Final = 1e-6
"""How far outputs may differ, as a share of the largest, and still be those of the same function."""
_MOVED: Final = 1e-3
"""The change, as a share, beyond which a measure has moved; searches and sums differ by rounding."""


@dataclass(frozen=True)
class Row:
    """What became of one measure.

    Attributes:
        measure: Its name.
        before: Its value on the network as it was.
        after: Its value on the rescaled one.
        moved: Whether they differ by more than a thousandth.
    """

    measure: str
    before: float
    after: float
    moved: bool

    @property
    def ratio(self) -> float:
        """The value after over that before."""
        return self.after / self.before if self.before else float("nan")


@dataclass(frozen=True)
class Rescaling:
    """What became of all measures; as text it is a table.

    Attributes:
        factor: What the first layer was multiplied by.
        layers: The two layers.
        difference: The largest difference of an output, as a share of the largest output.
        rows: The measures.
    """

    factor: float
    layers: tuple[str, str]
    difference: float
    rows: tuple[Row, ...]

    @property
    def moved(self) -> tuple[str, ...]:
        """The measures that moved though the function did not."""
        return tuple(row.measure for row in self.rows if row.moved)

    def __str__(self) -> str:
        width = max(len(row.measure) for row in self.rows)
        lines = [f"{'measure':<{width}}  {'before':>11}  {'after':>11}  {'ratio':>9}  moved"]
        for row in self.rows:
            lines.append(
                f"{row.measure:<{width}}  {row.before:>11.4g}  {row.after:>11.4g}  {row.ratio:>9.4g}  "
                f"{'yes' if row.moved else 'no'}"
            )
        return "\n".join(lines)


def rescaling(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    factor: float = 5.0,
    layers: tuple[str, str] | None = None,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    **settings: Any,
) -> Rescaling:
    """Measure a network before and after its layers are rescaled.

    Args:
        network: Any module with a rectified layer; it is copied and not changed.
        loss: As in training.
        x: Inputs `[n, ...]`.
        y: Targets.
        factor: What the first layer is multiplied by, and the second divided.
        layers: Names of the two; the first two of the network unless said otherwise.
        dtype: The type of weights and arithmetic.
        seed: Of all that is random, the same before and after.
        **settings: As of `gradlab.measure.sharpness.sharpness_of`.

    Returns:
        Every sharpness and sensitivity before and after.

    Raises:
        MeasureError: The layers are not there, or the network's outputs changed, so that it is no test.

    Example:
        >>> import numpy as np
        >>> _ = torch.manual_seed(0)
        >>> network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
        >>> x = np.random.default_rng(0).normal(size=(32, 2))
        >>> found = rescaling(network, "mse", x, x[:, :1] * x[:, 1:], worst=False)
        >>> "sam" in found.moved, "adaptive" in found.moved, "jacobian" in found.moved
        (True, False, False)
    """
    names = layers or _first_two(network)
    other = rescaled(network, factor, names)
    objectives = [Objective(each, loss, x, y, dtype=dtype) for each in (network, other)]
    with torch.no_grad():
        one, two = (each.outputs(each.weights, each.x) for each in objectives)
    difference = float((one - two).abs().max() / one.abs().max().clamp_min(1e-300))
    if not difference <= (_SAME if dtype == torch.float64 else 1e3 * _SAME):
        raise MeasureError(
            f"rescaling {names[0]} and {names[1]} changed the outputs by {difference:.1e} of the largest: between them "
            "must be nothing but what is positively homogeneous, such as ReLU, leaky ReLU and pooling"
        )
    before, after = (_measured(each, seed, settings) for each in objectives)
    rows = tuple(_row(name, before[name], after[name]) for name in before)
    return Rescaling(factor, names, difference, rows)


def rescaled(network: nn.Module, factor: float, layers: tuple[str, str]) -> nn.Module:
    """A copy of a network, one layer multiplied by a factor and another's weight divided by it.

    Args:
        network: The network.
        factor: Positive.
        layers: Names of the two, as in `named_modules()`.

    Returns:
        The copy; whether it is the same function depends on what lies between them.

    Raises:
        MeasureError: A layer is not there or has no weight, or the factor is not positive.
    """
    if not factor > 0:
        raise MeasureError("a layer is rescaled by a positive factor")
    found = copy.deepcopy(network)
    modules = dict(found.named_modules())
    for name in layers:
        if not isinstance(getattr(modules.get(name), "weight", None), nn.Parameter):
            raise MeasureError(f"the network has no layer {name!r} with a weight")
    first, second = modules[layers[0]], modules[layers[1]]
    with torch.no_grad():
        for parameter in first.parameters(recurse=False):
            parameter.mul_(factor)
        second.get_parameter("weight").div_(factor)
    return found


def _first_two(network: nn.Module) -> tuple[str, str]:
    kinds = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
    names = [name for name, module in network.named_modules() if isinstance(module, kinds)]
    for pair in itertools.pairwise(names):
        return pair
    raise MeasureError("a rescaling needs two layers with weights")


def _measured(objective: Objective, seed: int, settings: dict[str, Any]) -> dict[str, float]:
    every: Sequence[Measurement] = (
        sharpness_of(objective, seed=seed, **settings)[0],
        sensitivity_of(objective, seed=seed)[0],
    )
    return {name: float(value) for each in every for name, value in each.items() if not value.axis}


def _row(name: str, before: float, after: float) -> Row:
    far = abs(after - before)
    return Row(name, before, after, not (far <= _MOVED * abs(before) or before == after or before != before))
