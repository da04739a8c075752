"""A network on the splits of a task: weights copied in, losses summed up."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn
from torch.nn import functional

from gradlab.engine.matching import match
from gradlab.errors import Problem, UsageError
from gradlab.measure.accuracy import accuracy
from gradlab.model import CNN, MLP, Module
from gradlab.store.foreign import ForeignWeights
from gradlab.study.seeds import PURPOSES
from gradlab.task.data import build_data
from gradlab.train.network import build_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Numbers", "built", "loaded", "scored"]

Numbers = tuple[int, float, float | None]
"""Examples, mean loss, and accuracy where something is classified."""

_DTYPES: Final = {"float32": torch.float32, "float64": torch.float64}
_CHUNK: Final = 512
"""Examples in one pass, so that the activations of a wide convolution stay within a gigabyte."""


def built(model: Any, task: Any) -> tuple[nn.Module, str]:
    """The network with any weights, and its name; a user's own module is copied."""
    if isinstance(model, MLP | CNN):
        try:
            return build_network(model, task.shape, task.outputs), model.label()
        except ValueError as error:
            raise UsageError([Problem("model", model.label(), str(error))]) from None
    if isinstance(model, Module):
        try:
            return model.built_at(0), model.label()
        except Exception as error:  # whatever the user's own constructor raises
            told = f"cannot be built: {type(error).__name__}: {error}"
            raise UsageError([Problem("model", model.label(), told)]) from None
    if isinstance(model, nn.Module):
        return copy.deepcopy(model), type(model).__name__
    allowed = "a declared model, a torch.nn.Module, or a class that builds one"
    raise UsageError([Problem("model", repr(model)[:60], "is no model", allowed)])


def loaded(network: nn.Module, given: ForeignWeights) -> str:
    """Copy the arrays into the network; returns how they were matched."""
    own = network.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in given.tensors.items()}
    found = match(shapes, {name: tuple(tensor.shape) for name, tensor in own.items()}, ordered=given.ordered)
    wide = any(tensor.dtype == torch.float64 for tensor in given.tensors.values())
    if wide:  # so that nothing is rounded before the type of the evaluation is chosen
        network.double()
    network.load_state_dict(
        {name: given.tensors[theirs] for name, theirs in found.names.items()}, strict=False
    )
    return found.how


def scored(
    network: nn.Module, task: Any, splits: Sequence[str], loss: str, dtype: str, seed: int
) -> tuple[dict[str, Numbers], list[str]]:
    """Loss and accuracy on some splits, in evaluation mode.

    Args:
        network: With its weights; left in the type of the evaluation.
        task: What is evaluated on.
        splits: Of "train" and "test"; one that the task does not have is left out.
        loss: "cross_entropy" or "mse".
        dtype: In which outputs are computed.
        seed: Of what the task draws.

    Returns:
        Numbers by split, and notes on what was seen.

    Raises:
        UsageError: The network does not take the task's examples, or returns another shape.
    """
    network.to(_DTYPES[dtype]).eval()
    data = build_data(task, dict.fromkeys(PURPOSES, seed))
    sets = {"train": (data.x, data.y), "test": (data.test_x, data.test_y)}
    found: dict[str, Numbers] = {}
    shares = False
    for name in splits:
        x, y = sets[name]
        if x is not None and y is not None:
            found[name], shares = _score(network, x, y, loss, task.outputs)
    note = "the outputs are shares of one already, and the loss takes them for logits"
    return found, [note] if shares and loss == "cross_entropy" else []


def _score(
    network: nn.Module, x: NDArray[Any], y: NDArray[Any], loss: str, outputs: int
) -> tuple[Numbers, bool]:
    """The network's numbers, and whether its outputs are shares of one."""
    dtype = next((p.dtype for p in network.parameters()), torch.float32)
    total, right, shares = 0.0, 0.0, True
    for first in range(0, len(x), _CHUNK):
        inputs = torch.tensor(x[first : first + _CHUNK], dtype=dtype)
        targets = torch.tensor(y[first : first + _CHUNK])
        with torch.no_grad():
            found = _outputs(network, inputs, outputs).double()
        if loss == "cross_entropy":
            total += float(functional.cross_entropy(found, targets, reduction="sum"))
            right += accuracy(found.numpy(), targets.numpy()) * len(targets)
            sums = found.sum(dim=1)
            shares = shares and bool((found >= 0).all()) and bool(((sums - 1).abs() < 1e-4).all())
        else:
            total += float(functional.mse_loss(found, targets.double(), reduction="sum")) / outputs
    share = right / len(x) if loss == "cross_entropy" else None
    return (len(x), total / len(x), share), shares


def _outputs(network: nn.Module, inputs: torch.Tensor, outputs: int) -> torch.Tensor:
    shape = ["n", *inputs.shape[1:]]
    examples = f"examples of shape {shape}".replace("'", "")
    try:
        found: Any = network(inputs)
    except Exception as error:  # whatever the user's own forward raises
        told = f"does not take the task's {examples}: {error}"
        raise UsageError([Problem("model", type(network).__name__, told)]) from None
    returned = list(getattr(found, "shape", ()))
    if returned != [len(inputs), outputs]:
        what = f"shape {['n', *returned[1:]]}".replace("'", "") if returned else f"a {type(found).__name__}"
        told = f"returns {what} for {examples}; the task needs [n, {outputs}]"
        raise UsageError([Problem("model", type(network).__name__, told)])
    return found
