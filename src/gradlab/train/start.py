"""The state of a declared network before its first epoch, the same for every backend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gradlab.model.cnn import CNN
from gradlab.model.draw import default_weights, torch_stream_weights
from gradlab.model.initial import After, TorchStream
from gradlab.model.layers import Layer, Norm, tensors
from gradlab.model.mlp import MLP
from gradlab.study.recipe import SGD, Adam, AdamW, RMSprop
from gradlab.study.spec import Spec
from gradlab.train.fleet import Member
from gradlab.train.state import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["first_buffers", "first_state", "slot_names", "warm_state"]


def slot_names(rule: SGD | Adam | AdamW | RMSprop) -> tuple[str, ...]:
    """What an optimizer keeps for each weight, under PyTorch's names."""
    if isinstance(rule, Adam | AdamW):
        return ("exp_avg", "exp_avg_sq")
    averages = ("square_avg",) if isinstance(rule, RMSprop) else ()
    return (*averages, "momentum_buffer") if rule.momentum > 0 else averages


def first_state(spec: Spec, member: Member) -> State:
    """The state of an MLP or CNN before its first epoch."""
    if member.start is not None:
        return warm_state(spec, member.start)
    initial, seed = spec.initial, member.seeds["init"]
    layers = cast("MLP | CNN", spec.model).resolved(spec.task.shape, spec.task.outputs)
    if isinstance(initial, TorchStream):
        weights = torch_stream_weights(tensors(layers), initial.seed + seed, initial.position)
    else:
        weights = default_weights(tensors(layers), seed)
    weights = weights.astype(spec.dtype)
    slots = {name: np.zeros_like(weights) for name in slot_names(spec.optimizer)}
    buffers = first_buffers(layers, spec.dtype)
    return State(epoch=0, updates=0, weights=weights, slots=slots, buffers=buffers)


def first_buffers(layers: Iterable[Layer], dtype: str) -> dict[str, NDArray[Any]]:
    """What norms keep besides weights, under PyTorch's names, before they have seen a batch."""
    buffers: dict[str, NDArray[Any]] = {}
    for layer in layers:
        if isinstance(layer, Norm):
            buffers[f"{layer.name}.running_mean"] = np.zeros(layer.inputs[0], dtype)
            buffers[f"{layer.name}.running_var"] = np.ones(layer.inputs[0], dtype)
            buffers[f"{layer.name}.num_batches_tracked"] = np.zeros((), np.int64)
    return buffers


def warm_state(spec: Spec, start: State) -> State:
    """The state from which a run goes on where another ended.

    Raises:
        ValueError: The optimizer's state is wanted and belongs to another kind of optimizer.
    """
    keep = isinstance(spec.initial, After) and spec.initial.optimizer_state
    wanted = slot_names(spec.optimizer)
    if keep and sorted(start.slots) != sorted(wanted):
        has = ", ".join(start.slots) or "nothing"
        raise ValueError(
            f"the optimizer state to start from has {has}, and {spec.optimizer.kind} needs "
            f"{', '.join(wanted) or 'nothing'}: start with optimizer_state = false"
        )
    state = start.at_start(optimizer_state=keep)
    if not keep:
        state.slots = {name: np.zeros_like(state.weights) for name in wanted}
    return state
