"""What has to hold before a network can be measured; where it does not, the cause."""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gradlab.errors import MeasureError

if TYPE_CHECKING:
    from gradlab.measure.objective import Objective

__all__ = ["examine", "private_copy", "same_architecture"]

_FEW = 64


def same_architecture(networks: Sequence[nn.Module], dtype: torch.dtype) -> None:
    """Whether networks can be looked at together, in arithmetic of real numbers.

    Raises:
        MeasureError: There are none, they differ in more than weights and buffers, or weights are complex.
    """
    if not networks:
        raise MeasureError("no networks were given: nothing to measure")
    for network in networks:
        if not isinstance(network, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise MeasureError(f"a network is a torch.nn.Module, not a {type(network).__name__}")
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise MeasureError(f"arithmetic is in real numbers, not {dtype}; take torch.float64 or torch.float32")
    for parameter in [p for network in networks for p in network.parameters()]:
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise MeasureError(
                "the network has a lazy layer without weights yet: call it on some inputs first"
            )
    first = _plan(networks[0])
    for place, network in enumerate(networks):
        for name, parameter in network.named_parameters():
            if parameter.is_complex():
                raise MeasureError(
                    f"{name} is complex: eigenvalues and signs of curvature are defined for real weights; "
                    "give its real and imaginary part as parameters of their own"
                )
        if place and _plan(network) != first:
            raise MeasureError(
                f"the networks are not of one architecture: number {place} differs from number 0 in a layer, "
                "a shape or in what is frozen"
            )


def private_copy(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy of a network in evaluation mode and of a type.

    Raises:
        MeasureError: It holds what cannot be copied.
    """
    try:
        found = copy.deepcopy(network).to(dtype).eval()
    except (RuntimeError, TypeError) as error:
        raise MeasureError(
            f"the network cannot be copied: {error}; a tensor that it keeps from a forward pass, or an old "
            "weight_norm, is part of a graph: detach it, or use torch.nn.utils.parametrizations"
        ) from error
    for module in found.modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag):
            module.sparse = False  # the same gradient in another form, which has no second derivative
    return found


def examine(objective: Objective, networks: Sequence[nn.Module] = ()) -> None:
    """Refuse what no instrument could be right on; torch's global generator is left as it was.

    Args:
        objective: What is to be measured.
        networks: Those of the user, on whose weights the loss must not depend behind the objective's back.

    Raises:
        MeasureError: The cause.
    """
    if not objective.examples:
        raise MeasureError("the data holds no examples: nothing to measure")
    if len(objective.y) != objective.examples:
        raise MeasureError(f"there are {objective.examples} inputs, but {len(objective.y)} targets")
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            _examine(objective, networks)
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError, KeyError) as error:
        if "random operation" in str(error):
            raise MeasureError(_RANDOM) from error
        raise MeasureError(f"network and loss cannot be evaluated on this data: {error}") from error


_RANDOM = (
    "the loss is not deterministic: two passes over the same examples differ, though the network is in evaluation "
    "mode; take what draws random numbers out of it"
)


def _examine(objective: Objective, networks: Sequence[nn.Module]) -> None:
    count = min(objective.examples, _FEW)
    # from all over the data, which may be sorted by class
    few = torch.arange(count, device=objective.x.device) * objective.examples // count
    weights, x = objective.weights.clone(), objective.x[few]
    outputs = objective.outputs(weights, x)
    if not _same(x, objective.x[few]) or not _same(weights, objective.weights):
        raise MeasureError(
            "the network changes its inputs or weights in place (inplace=True in the first layer, or max_norm, for "
            "instance): it would be another one at every pass"
        )
    # a vmapped or hand-written module may return anything
    if not isinstance(outputs, torch.Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise MeasureError(
            f"the network gives a {type(outputs).__name__}, not one tensor: wrap it in a module that does"
        )
    first, second = objective.loss(weights, few), objective.loss(weights, few)
    if not isinstance(first, torch.Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise MeasureError(
            f"the loss gives a {type(first).__name__}, not a tensor: it takes outputs and targets, "
            "nn.CrossEntropyLoss() for instance, and does not call item()"
        )
    if first.shape != weights.shape[:-1]:
        raise MeasureError(
            f"the loss gives {_shape(first)} and not one number: it has to be a mean over examples (reduction='mean')"
        )
    if not _same(first, second):
        raise MeasureError(_RANDOM)
    _differentiable(objective, outputs if weights.dim() == 1 else outputs[0], objective.y[few], networks)
    if count < 2:
        return
    at = (count + 1) // 3 or 1
    halves = [slice(0, at), slice(at, count)]
    rounding = float(torch.finfo(objective.dtype).eps)
    close = 1e-8 if objective.dtype == torch.float64 else max(1e-3, 16 * rounding)
    apart = torch.cat([objective.outputs(weights, x[half]) for half in halves], dim=weights.dim() - 1)
    scale = float(outputs.nan_to_num(posinf=0, neginf=0).abs().max())
    if not torch.allclose(apart, outputs, rtol=close, atol=close * scale, equal_nan=True):
        raise MeasureError(
            "the network mixes examples: its output for one depends on which others are in the batch, though it is in "
            "evaluation mode (a normalisation without running statistics, for instance)"
        )
    losses = [objective.loss(weights, few[half]) for half in halves]
    shares = [(half.stop - half.start) / count for half in halves]
    mean = losses[0] * shares[0] + losses[1] * shares[1]
    near = max(1e-4, 16 * rounding)
    if not torch.allclose(first, mean, rtol=near, atol=1e-12, equal_nan=True):
        if torch.allclose(first, losses[0] + losses[1], rtol=near, equal_nan=True):
            raise MeasureError(
                "the loss is not a mean over examples but their sum, which grows with the data: use reduction='mean'"
            )
        raise MeasureError(
            "the loss is not a mean over examples: the losses of two parts of a batch do not average to that of "
            "the whole; use reduction='mean', no statistics of the batch, and no weights of classes that are divided "
            "by their sum over the batch"
        )


def _differentiable(
    objective: Objective, outputs: torch.Tensor, targets: torch.Tensor, networks: Sequence[nn.Module]
) -> None:
    """Whether the loss has a gradient by the outputs, and none by weights that it reaches in another way."""
    with torch.enable_grad():
        at = outputs.detach().requires_grad_()
        if not objective.criterion(at, targets).requires_grad and not _same(
            objective.criterion(at, targets), objective.criterion(1.0 - 2.0 * at, targets)
        ):
            raise MeasureError(
                "the loss has no gradient by the outputs: it is detached, or made of steps (an error rate)"
            )
        loss = objective.criterion(outputs.detach(), targets)
    own = {id(parameter) for network in networks for parameter in network.parameters()}
    seen: set[Any] = set()
    rest: list[Any] = [loss.grad_fn]
    while rest:
        node = rest.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if id(getattr(node, "variable", None)) in own:
            raise MeasureError(
                "the loss reaches the network's weights by itself (a penalty, for instance), where no derivative "
                "follows it: give the loss of the outputs alone, and weight_decay= where it is one"
            )
        rest += [before for before, _ in node.next_functions]


def _same(one: torch.Tensor, two: torch.Tensor) -> bool:
    return torch.equal(one.nan_to_num(), two.nan_to_num())


def _plan(network: nn.Module) -> tuple[object, ...]:
    """What networks have to share: layers with their settings, shapes, and what is frozen."""
    layers = tuple((name, type(module), module.extra_repr()) for name, module in network.named_modules())
    return layers, tuple((name, p.shape, p.requires_grad) for name, p in network.named_parameters())


def _shape(tensor: torch.Tensor) -> str:
    return str(list(tensor.shape))
