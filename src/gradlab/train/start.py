"""The state of a fully connected network before its first epoch, the same for every backend."""

from __future__ import annotations

from typing import cast

import numpy as np

from gradlab.model.draw import default_weights, torch_stream_weights
from gradlab.model.initial import After, TorchStream
from gradlab.model.mlp import MLP
from gradlab.study.recipe import SGD, Adam, AdamW, RMSprop
from gradlab.study.spec import Spec
from gradlab.train.fleet import Member
from gradlab.train.state import State

__all__ = ["first_state", "slot_names", "warm_state"]


def slot_names(rule: SGD | Adam | AdamW | RMSprop) -> tuple[str, ...]:
    """What an optimizer keeps for each weight, under PyTorch's names."""
    if isinstance(rule, Adam | AdamW):
        return ("exp_avg", "exp_avg_sq")
    averages = ("square_avg",) if isinstance(rule, RMSprop) else ()
    return (*averages, "momentum_buffer") if rule.momentum > 0 else averages


def first_state(spec: Spec, member: Member) -> State:
    """An MLP's state before its first epoch."""
    if member.start is not None:
        return warm_state(spec, member.start)
    initial, seed = spec.initial, member.seeds["init"]
    widths = cast(MLP, spec.model).widths(spec.task.inputs, spec.task.outputs)
    if isinstance(initial, TorchStream):
        weights = torch_stream_weights(widths, initial.seed + seed, initial.position)
    else:
        weights = default_weights(widths, seed)
    weights = weights.astype(spec.dtype)
    slots = {name: np.zeros_like(weights) for name in slot_names(spec.optimizer)}
    return State(epoch=0, updates=0, weights=weights, slots=slots)


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
