"""What a foreign module does with a task's examples: whether its shapes fit, and a fingerprint of its behaviour."""

from __future__ import annotations

import hashlib
import math

from gradlab.model.module import Module

__all__ = ["behaviour", "shape_problem"]


def behaviour(model: Module, shape: tuple[int, ...]) -> str:
    """A fingerprint of what a module computes, which its own source and weights need not show.

    Activations in a closure, a dropout rate, a helper imported from elsewhere: none of them is in the state. So
    the module, as it is after `torch.manual_seed(0)`, is asked for its outputs on fixed examples, in training
    and in evaluation mode, to three significant digits.

    Args:
        model: The module.
        shape: Shape of one example.

    Returns:
        20 hexadecimal digits.
    """
    import torch

    examples = torch.sin(torch.arange(8 * math.prod(shape), dtype=torch.float32)).reshape(8, *shape) * 2
    words: list[str] = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network = model.built_at(0)
        for training in (True, False):
            torch.manual_seed(1)
            outputs = network.train(training)(examples)
            words += [f"{float(value):.2e}" for value in outputs.reshape(-1)]
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:20]


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
