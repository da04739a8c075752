"""Whether a foreign module takes what the task gives and returns what it needs, without computing anything."""

from __future__ import annotations

from gradlab.model.module import Module

__all__ = ["shape_problem"]


def shape_problem(model: Module, inputs: int | tuple[int, ...], outputs: int) -> str:
    """What is wrong with a module's shapes, found by passing two examples through it on the meta device.

    Args:
        model: The module.
        inputs: Shape of one example of the task, or how many numbers are in it.
        outputs: Numbers (or classes) that the task needs.

    Returns:
        The problem with both shapes, or an empty text.
    """
    import torch

    shape = (inputs,) if isinstance(inputs, int) else inputs
    examples = f"examples of shape {['n', *shape]}".replace("'", "")
    try:
        network = model.built_at(0)
    except Exception as error:  # whatever the user's own constructor raises
        return f"cannot be built: {type(error).__name__}: {error}"
    network = network.to("meta").eval()
    try:
        result = network(torch.empty(2, *shape, device="meta"))
    except Exception as error:  # whatever the user's own forward raises
        return f"does not take the task's {examples}: {error}"
    returned = list(getattr(result, "shape", ()))
    if returned != [2, outputs]:
        found = ", ".join(["n", *map(str, returned[1:])])
        return f"returns shape [{found}] for {examples}; the task needs [n, {outputs}]"
    return ""
