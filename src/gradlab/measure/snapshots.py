"""Networks in the course of training as rows of flat weights, and the loss of such rows."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective, Part

__all__ = ["flat_runs", "has_statistics", "losses_of"]


def flat_runs(
    runs: Sequence[Sequence[nn.Module | Mapping[str, torch.Tensor]]],
) -> tuple[NDArray[Any], tuple[Part, ...]]:
    """Snapshots of several runs as one table of weights.

    Of a module its trainable parameters count, of a state dict all floating-point tensors but the running statistics
    of normalisations.

    Args:
        runs: For each run its modules or state dicts, in order of time.

    Returns:
        Weights `[runs, points, D]` in the widest type among them, and where each tensor lies.

    Raises:
        MeasureError: Runs of different length, or networks of different shape.

    Example:
        >>> table, layout = flat_runs([[nn.Linear(2, 1), nn.Linear(2, 1)]])
        >>> table.shape, [part.name for part in layout]
        ((1, 2, 3), ['weight', 'bias'])
    """
    if not runs or not runs[0] or any(len(run) != len(runs[0]) for run in runs):
        raise MeasureError(
            f"runs need equally many snapshots, one at least: got {[len(run) for run in runs]}"
        )
    tensors = [[_tensors(snapshot) for snapshot in run] for run in runs]
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors[0][0].items()}
    for index, run in enumerate(tensors):
        for point, each in enumerate(run):
            if {name: tuple(tensor.shape) for name, tensor in each.items()} != shapes:
                raise MeasureError(f"snapshot {point} of run {index} is of another network than the first")
    layout: list[Part] = []
    first = 0
    for name, tensor in tensors[0][0].items():
        layout.append(Part(name, first, first + tensor.numel(), tuple(tensor.shape), tensor.dim() < 2))
        first += tensor.numel()
    rows = [
        [torch.cat([each[name].reshape(-1) for name in shapes]).cpu().numpy() for each in run]
        for run in tensors
    ]
    return np.stack([np.stack(run) for run in rows]), tuple(layout)


def losses_of(loss: Objective | Callable[[NDArray[np.float64]], Any]) -> Callable[[NDArray[np.float64]], Any]:
    """A loss as a function of rows of flat weights `[m, D]`.

    Args:
        loss: An objective of one network, or such a function.

    Returns:
        The function; it gives float64 `[m]`.
    """
    if isinstance(loss, Objective):
        objective = loss
        return lambda rows: objective.value(torch.from_numpy(rows).to(objective.dtype)).double().numpy()
    function = loss
    return lambda rows: np.asarray(function(rows), np.float64)


def has_statistics(loss: Objective | Callable[[NDArray[np.float64]], Any]) -> bool:
    """Whether an objective holds buffers, such as running statistics, that are right for one set of weights only."""
    return isinstance(loss, Objective) and any(b.is_floating_point() for b in loss.network.buffers())


def _tensors(snapshot: nn.Module | Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    if isinstance(snapshot, nn.Module):
        return {name: p.detach() for name, p in snapshot.named_parameters() if p.requires_grad}
    return {
        name: tensor.detach()
        for name, tensor in snapshot.items()
        if tensor.is_floating_point() and not name.endswith(("running_mean", "running_var"))
    }
