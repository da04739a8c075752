"""Whether a foreign module takes what the task gives and returns what it needs, without computing anything."""

from __future__ import annotations

from gradlab.model.module import Module

__all__ = ["shape_problem"]


def shape_problem(model: Module, inputs: int, outputs: int) -> str:
    """What is wrong with a module's shapes, found by passing two examples through it on the meta device.

    Args:
        model: The module.
        inputs: Numbers in one example of the task.
        outputs: Numbers (or classes) that the task needs.

    Returns:
        The problem with both shapes, or an empty text.
    """
    import torch

    try:
        network = model.built_at(0)
    except Exception as error:  # whatever the user's own constructor raises
        return f"cannot be built: {type(error).__name__}: {error}"
    network = network.to("meta").eval()
    try:
        result = network(torch.empty(2, inputs, device="meta"))
    except Exception as error:  # whatever the user's own forward raises
        return f"does not take the task's examples, of shape [n, {inputs}]: {error}"
    shape = list(getattr(result, "shape", ()))
    if shape != [2, outputs]:
        return f"returns shape {['n', *shape[1:]]} for examples of shape [n, {inputs}]; the task needs [n, {outputs}]"
    return ""
