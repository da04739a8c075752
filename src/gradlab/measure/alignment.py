"""Permuting the hidden units of one network so that it lies close to another."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import fx, nn

from gradlab.errors import MeasureError
from gradlab.measure.batch_norm import by_channel
from gradlab.measure.graph import Graph
from gradlab.measure.scores import State, private_state, put
from gradlab.measure.units import Group, Permutation, hidden_groups, permuted
from gradlab.randomness import generator

__all__ = ["TOLERANCE", "Alignment", "align", "identity_error"]

TOLERANCE: Final = 1e-6
"""How far a permuted network's outputs may be from its own, relative to the largest, in float64."""

_CHECKED: Final = 256
_ROUNDS: Final = 100
_AT_ONCE: Final = 1024


@dataclass(frozen=True)
class Alignment:
    """A network with its hidden units in another order.

    Attributes:
        network: The permuted copy, the same function as before.
        permutations: For each group of units `int64[units]`, by the layer that makes them: unit k of the copy is what
            unit permutation[k] was.
        method: "weights" or "activations".
        moved: Units that are elsewhere than before.
        distance_before: Euclidean distance of all parameters from the other network's.
        distance: The same after.
        identity_error: Largest difference of outputs before and after, relative to the largest output.
    """

    network: nn.Module
    permutations: Mapping[str, Permutation]
    method: str
    moved: int
    distance_before: float
    distance: float
    identity_error: float


def align(
    network_0: nn.Module, network_1: nn.Module, x: Any, *, method: Literal["weights", "activations"] = "weights",
    examples: int = 4096, seed: int = 0,
) -> Alignment:  # fmt: skip
    """Permute the hidden units of network_1 so that they match those of network_0.

    "weights" maximises the inner product of the two networks' weights by linear assignments, one group of units at
    a time in random order until nothing changes (Ainsworth 2023, algorithm 1): it needs no data and finds a local
    optimum. "activations" matches units one to one by the correlation of what they give on data (Li 2016), summed
    over the places where they show, before and after activations: one assignment a group, each the best. The
    structure is derived by tracing; what is not understood is refused. The permuted network is then compared with
    the original on data, as a wrong structure shows there and nowhere else.

    Args:
        network_0: The network that stays.
        network_1: The one that is permuted, of the same architecture; it is copied.
        x: Inputs `[n, ...]`: the check looks at 256, matching activations at `examples`.
        method: "weights" or "activations".
        examples: Inputs for activations, from the first on.
        seed: Of the order of the coordinate descent.

    Returns:
        The permuted copy, with its permutations and what the check found.

    Raises:
        MeasureError: The structure is not understood, or the permuted network is another function.

    Example:
        >>> one = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> two = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> with torch.no_grad():
        ...     for a, b in zip(one.parameters(), two.parameters()):
        ...         _ = b.copy_(a.flip(0) if len(a) == 2 else a.flip(-1))  # the same units, the other way round
        >>> found = align(one, two, torch.ones(3, 1))
        >>> found.permutations["0"].tolist(), found.distance
        ([1, 0], 0.0)
    """
    inputs = torch.from_numpy(np.ascontiguousarray(x)) if isinstance(x, np.ndarray) else x
    inputs = inputs.to(next(network_0.parameters()).dtype)
    graph_0, graph_1 = (Graph(network, inputs[:2]) for network in (network_0, network_1))
    groups = hidden_groups(graph_0)
    if groups != hidden_groups(graph_1):
        raise MeasureError("the two networks are not of one architecture: their hidden units differ")
    state_0, state_1 = private_state(network_0), private_state(network_1)
    if method == "activations":
        orders = _by_activations(graph_0, graph_1, groups, inputs[:examples])
    elif method == "weights":
        orders = _by_weights(state_0, state_1, groups, {n for n, _ in network_0.named_parameters()}, seed)
    else:
        raise MeasureError(f"no alignment is called {method!r}; allowed: weights, activations")
    network = copy.deepcopy(network_1)
    put(network, permuted(state_1, groups, orders))
    error = identity_error(network_1, network, inputs[:_CHECKED])
    if not error <= TOLERANCE:
        raise MeasureError(
            f"the permuted network is not the same function: outputs differ by {error:.1e} of the largest, more than "
            f"{TOLERANCE:.0e}; its structure is not what tracing made of it"
        )
    moved = sum(int((order != np.arange(len(order))).sum()) for order in orders)
    names = [name for name, _ in network_0.named_parameters()]
    return Alignment(
        network=network,
        permutations={group.name: order for group, order in zip(groups, orders, strict=True)},
        method=method,
        moved=moved,
        distance_before=_distance(state_0, state_1, names),
        distance=_distance(state_0, private_state(network), names),
        identity_error=error,
    )


def identity_error(one: nn.Module, two: nn.Module, x: torch.Tensor) -> float:
    """Largest difference of two networks' outputs on data, relative to the largest output, in float64.

    Args:
        one: A network.
        two: What should be the same function.
        x: Inputs `[n, ...]`.

    Returns:
        The relative difference; NaN where an output is.
    """
    with torch.no_grad():
        first, second = (copy.deepcopy(each).double().eval()(x.double()) for each in (one, two))
    return float((first - second).abs().max() / first.abs().max().clamp_min(1e-300))


def _by_weights(
    state_0: State, state_1: State, groups: Sequence[Group], parameters: set[str], seed: int
) -> list[Permutation]:
    """Coordinate descent over groups, until a round changes nothing."""
    wide_0 = {name: tensor.double() for name, tensor in state_0.items()}
    wide_1 = {name: tensor.double() for name, tensor in state_1.items()}
    orders = [np.arange(group.units) for group in groups]
    random = generator(seed, "probe", "alignment")
    for _ in range(_ROUNDS):
        changed = False
        for place in random.permutation(len(groups)):
            group = groups[place]
            own = [axis for axis in group.axes if axis.tensor in parameters]
            others = [np.arange(g.units) if k == place else orders[k] for k, g in enumerate(groups)]
            turned = permuted(wide_1, groups, others)
            gain = np.zeros((group.units, group.units))
            for axis in own:
                one, two = (
                    state[axis.tensor].movedim(axis.axis, 0).reshape(group.units, -1)
                    for state in (wide_0, turned)
                )
                gain += (one @ two.T).cpu().numpy()
            order = _assigned(gain)
            scale = np.abs(gain).max() * group.units
            better = (
                gain[np.arange(group.units), order].sum() - gain[np.arange(group.units), orders[place]].sum()
            )
            if better > 1e-12 * scale:
                orders[place], changed = order, True
        if not changed:
            break
    return orders


def _by_activations(
    graph_0: Graph, graph_1: Graph, groups: Sequence[Group], x: torch.Tensor
) -> list[Permutation]:
    """One assignment a group on correlations over examples and places."""
    sums = {name: _Moments(group.units) for group in groups for name in group.seen}
    with torch.no_grad():
        for part in x.split(_AT_ONCE):
            one, two = (_Recorder(graph.module, set(sums)).record(part) for graph in (graph_0, graph_1))
            for name, moments in sums.items():
                moments.add(one[name], two[name])
    # Before activations as well as after: units that are never active would all be alike.
    return [_assigned(np.sum([sums[name].correlation() for name in group.seen], axis=0)) for group in groups]


class _Recorder(fx.Interpreter):
    """Runs a traced network and keeps what some operations give."""

    def __init__(self, module: fx.GraphModule, names: set[str]) -> None:
        super().__init__(module)
        self._names = names
        self._kept: dict[str, torch.Tensor] = {}

    def record(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        self._kept = {}
        self.run(x)
        return self._kept

    def run_node(self, n: fx.Node) -> Any:
        found = super().run_node(n)
        if n.name in self._names:
            self._kept[n.name] = found.clone()
        return found


class _Moments:
    """Sums and products of two networks' units, in float64, about the first values seen."""

    def __init__(self, units: int) -> None:
        self._count = 0
        self._offset: tuple[torch.Tensor, torch.Tensor] | None = None
        self._sums = torch.zeros(2, units, dtype=torch.float64)
        self._squares = torch.zeros(2, units, dtype=torch.float64)
        self._cross = torch.zeros(units, units, dtype=torch.float64)

    def add(self, one: torch.Tensor, two: torch.Tensor) -> None:
        flat = [by_channel(each).cpu() for each in (one, two)]
        if self._offset is None:
            self._offset = (flat[0].mean(1, keepdim=True), flat[1].mean(1, keepdim=True))
        first, second = flat[0] - self._offset[0], flat[1] - self._offset[1]
        self._count += first.shape[1]
        self._sums += torch.stack([first.sum(1), second.sum(1)])
        self._squares += torch.stack([first.square().sum(1), second.square().sum(1)])
        self._cross += first @ second.T

    def correlation(self) -> NDArray[np.float64]:
        """Of every unit of the one with every unit of the other; 0 where a unit is constant."""
        mean = self._sums / self._count
        deviation = (self._squares / self._count - mean.square()).clamp_min(0).sqrt()
        covariance = self._cross / self._count - mean[0][:, None] * mean[1][None, :]
        scale = deviation[0][:, None] * deviation[1][None, :]
        return torch.where(scale > 1e-12, covariance / scale.clamp_min(1e-12), 0.0).numpy()


def _assigned(gain: NDArray[np.float64]) -> Permutation:
    return np.asarray(linear_sum_assignment(gain, maximize=True)[1], np.int64)


def _distance(one: State, two: State, names: Sequence[str]) -> float:
    return float(sum(float((one[n].double() - two[n].double()).square().sum()) for n in names)) ** 0.5
