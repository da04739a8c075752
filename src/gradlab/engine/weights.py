"""Weights of a lab's runs for other programs: by name, as a network, or as a file that PyTorch loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from gradlab.errors import Problem, UsageError
from gradlab.model import Module
from gradlab.model.layers import tensors
from gradlab.store.foreign import write_weights
from gradlab.study.spec import Spec
from gradlab.train.network import build_network, load

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from gradlab.store.lab import Lab
    from gradlab.train.state import State

__all__ = ["named_weights", "network_of", "save_weights"]


def network_of(spec: Spec, state: State) -> nn.Module:
    """A run's network with the weights that are its result, in evaluation mode.

    Args:
        spec: What was trained.
        state: Where it stands.

    Returns:
        The `torch.nn.Module`.
    """
    import torch

    model, (weights, buffers) = spec.model, state.result()
    dtype = torch.float32 if spec.dtype == "float32" else torch.float64
    if isinstance(model, Module):
        network = model.built_at(0).to(dtype)
    else:
        network = build_network(model, spec.task.shape, spec.task.outputs, dtype)
    return load(network, weights, buffers).eval()


def named_weights(spec: Spec, state: State) -> dict[str, NDArray[Any]]:
    """The weights that are a run's result as a state dict of arrays, in the network's order.

    Args:
        spec: What was trained.
        state: Where it stands.

    Returns:
        `conv1.weight` and so on; a norm's running statistics among them.
    """
    if isinstance(spec.model, Module):
        return {name: tensor.numpy() for name, tensor in network_of(spec, state).state_dict().items()}
    weights, buffers = state.result()
    arrays: dict[str, NDArray[Any]] = {}
    first = 0
    for tensor in tensors(spec.model.resolved(spec.task.shape, spec.task.outputs)):
        arrays[tensor.name] = np.ascontiguousarray(weights[first : first + tensor.size].reshape(tensor.shape))
        first += tensor.size
        layer = tensor.name.removesuffix("bias")
        if layer != tensor.name:
            arrays |= {name: array for name, array in buffers.items() if name.startswith(layer)}
    return arrays


def save_weights(lab: Lab, run: str, path: Path, epoch: int | None = None) -> dict[str, Any]:
    """Write the weights of one stored run by name.

    Args:
        lab: An open lab.
        run: The run's id, or an unambiguous beginning of it.
        path: Where to write: `.safetensors`, `.pt` or `.pth`.
        epoch: One of its stored epochs; the last if not given.

    Returns:
        What was written: run, epoch, file, number of values, and the model.

    Raises:
        UsageError: The lab has no such run, or what it stored does not say how the weights are named.
        WeightsError: The file cannot be written.
    """
    found = _run(lab, run)
    row = lab.describe([found])[0]
    spec = _stored_spec(found, row["spec"])
    state = lab.load_state(found, epoch)
    kept = state.best[1] if state.best is not None else state.epoch
    arrays = named_weights(spec, state)
    about = {"run": found, "epoch": kept, "model": spec.model.tree(), "task": spec.task.tree()}
    write_weights(arrays, path, about)
    values = sum(array.size for name, array in arrays.items() if name not in state.buffers)
    return {"run": found, "epoch": kept, "file": str(path), "model": spec.model.label(), "parameters": values}


def _run(lab: Lab, beginning: str) -> str:
    ids = [run for run in lab.ids() if run.startswith(beginning)]
    if len(ids) != 1:
        told = "begins the ids of several runs" if ids else "is no run of this lab"
        raise UsageError([Problem("run", beginning, told, "an id that `gradlab runs` lists")])
    return ids[0]


def _stored_spec(run: str, tree: dict[str, Any]) -> Spec:
    """The specification of a run from what the lab keeps of it: enough, unless content is known by hash only."""
    kinds: Sequence[str] = (tree["model"].get("kind", ""), tree["task"].get("kind", ""))
    try:
        return Spec.model_validate(tree)
    except ValidationError:
        what = "the source of a module" if kinds[0] == "module" else f"the data of the task {kinds[1]!r}"
        raise UsageError([
            Problem(
                "run",
                run,
                f"cannot be named without {what}, which the lab knows by hash only",
                "result.network(condition, replicate) in Python",
            )
        ]) from None
