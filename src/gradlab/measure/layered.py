r"""The exact Hessian of a multilayer perceptron, block of layers by block of layers, without a product per column.

With \(a_i\) the inputs of layer i (a one appended for its bias), \(z_i = W_i a_i\) and
\(\delta_i = \partial L / \partial z_i\) of one example, a block of the Hessian is, for \(i < j\),

\[ \frac{\partial^2 L}{\partial W_i^{pq} \, \partial W_j^{rs}} = a_i^q \left( S_{ij}^{pr} a_j^s + \delta_j^r
\frac{\partial a_j^s}{\partial z_i^p} \right), \qquad
S_{ij} = \left( \frac{\partial z_j}{\partial z_i} \right)^{\!\top} S_{jj}, \]

where \(S_{jj}\), the Hessian by \(z_j\), comes from the outputs backwards (Bishop 1992). The sum over
examples is two matrix products a block, so that all is about \(2 n D^2\) operations, where D products with vectors
are \(12 n D^2\) and more, in small pieces.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import nn
from torch.nn import functional

from gradlab.measure.chain import Dense, Step, dense_layers, run
from gradlab.measure.losses import squared_error
from gradlab.measure.objective import Objective
from gradlab.measure.pieces import pieces
from gradlab.measure.products import Curvature

__all__ = ["layered_hessian", "perceptron"]

_NUMBERS = 2**23
"""Numbers of the largest operand of a pass; the examples are taken in pieces that fit."""

Perceptron = tuple[list[Dense], tuple[Step, ...]]


@dataclass(frozen=True)
class _Pass:
    """What a layer has seen of some examples.

    Attributes:
        inputs: Its inputs `[n, in]`, without the one for the bias.
        extended: The same with the one, if it has a bias.
        slope: First derivative of the activations behind it, `[n, out]`.
        bend: Second derivative.
        weight: `[out, in]`.
    """

    inputs: torch.Tensor
    extended: torch.Tensor
    slope: torch.Tensor
    bend: torch.Tensor
    weight: torch.Tensor


def perceptron(objective: Objective, of: Curvature = "loss") -> Perceptron | None:
    """The layers of a network whose Hessian has this form, all of them trainable; `None` for others.

    What follows the last linear layer counts as part of the loss, which changes what Gauss-Newton means: such networks
    are others.
    """
    found = None if objective.chain is None else dense_layers(objective.chain)
    trainable = {part.name for part in objective.parts}
    if found is None or not all({layer.weight, layer.bias} - {""} <= trainable for layer in found[0]):
        return None
    rows = objective.x.dim() == 2 or (objective.chain and type(objective.chain[0].module) is nn.Flatten)
    plain = rows and objective.x.is_floating_point()
    return found if plain and not (found[1] and of == "gauss_newton") else None


def layered_hessian(
    objective: Objective, weights: torch.Tensor, network: Perceptron, of: Curvature = "loss"
) -> torch.Tensor:
    """The Hessian of the mean loss of a multilayer perceptron, without weight decay.

    Args:
        objective: Network, loss and data.
        weights: `[D]`.
        network: From `perceptron`.
        of: The Hessian of the "loss", or its "gauss_newton" part.

    Returns:
        `[D, D]`; blocks beside the diagonal are computed once and are exactly symmetric.
    """
    layers, tail = network
    tensors = objective.split(weights.detach())
    widths = [
        (tensors[layer.weight].shape[0], tensors[layer.weight].shape[1], bool(layer.bias)) for layer in layers
    ]
    ends = [0, *accumulate(out * (inputs + bias) for out, inputs, bias in widths)]
    hessian = weights.new_zeros((objective.size, objective.size))
    hidden = sum(out for out, _, _ in widths)
    columns = max([hidden * max(out for out, _, _ in widths), *_operands(widths)])
    together = max(1, min(objective.at_once, _NUMBERS // columns))
    for rows in pieces(objective.examples, together):
        passes, outputs = _forwards(layers, tensors, objective.x[rows])
        slope, bend = _ends(objective, rows, tail, outputs)
        _add(hessian, ends, passes, _backwards(passes, slope, bend, of), of)
    return _arranged(hessian, objective, layers)


def _operands(widths: Sequence[tuple[int, int, bool]]) -> list[int]:
    """Widths of the operands of the matrix products."""
    extended = [inputs + bias for _, inputs, bias in widths]
    return [a * max(b, out) for a in extended for b, (out, _, _) in zip(extended, widths, strict=True)]


def _forwards(
    layers: Sequence[Dense], tensors: Mapping[str, torch.Tensor], x: torch.Tensor
) -> tuple[list[_Pass], torch.Tensor]:
    """Through the layers, and what the last one gives."""
    passes: list[_Pass] = []
    x = x.reshape(len(x), -1)
    for layer in layers:
        weight, bias = tensors[layer.weight], tensors[layer.bias] if layer.bias else None
        extended = x if bias is None else torch.cat([x, x.new_ones((len(x), 1))], dim=1)
        before = functional.linear(x, weight, bias)
        after, slope, bend = _derivatives(before, layer.activations)
        passes.append(_Pass(x, extended, slope, bend, weight))
        x = after
    return passes, x


def _derivatives(
    z: torch.Tensor, activations: Sequence[nn.Module]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Activations and their first and second derivative, number by number, as autograd has them (0 at a kink)."""
    if not activations:
        return z, torch.ones_like(z), torch.zeros_like(z)
    at = z.detach().requires_grad_()
    value = at.clone()  # an activation may work in place
    for activation in activations:
        value = activation(value)
    slope = torch.autograd.grad(value.sum(), at, create_graph=True)[0]
    bend = torch.zeros_like(z)
    if slope.requires_grad:
        bend = torch.autograd.grad(slope.sum(), at, allow_unused=True, materialize_grads=True)[0]
    return value.detach(), slope.detach(), bend


def _ends(
    objective: Objective, rows: slice, tail: tuple[Step, ...], z: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient `[n, out]` and Hessian `[n, out, out]` by the last layer's numbers, of the mean over all examples."""
    y, share, outputs = objective.y[rows], len(z) / objective.examples, z.shape[1]
    if not tail and objective.criterion is squared_error:
        targets = y.reshape(z.shape)
        eye = torch.eye(outputs, dtype=z.dtype, device=z.device) * (2.0 * share / z.numel())
        return (z - targets) * (2.0 * share / z.numel()), eye.expand(len(z), outputs, outputs)
    at = z.detach().requires_grad_()
    loss = objective.criterion(run(tail, {}, at.clone()), y) * share
    slope = torch.zeros_like(z)
    if loss.requires_grad:
        slope = torch.autograd.grad(loss, at, create_graph=True)[0]
    if not slope.requires_grad:
        return slope, z.new_zeros((len(z), outputs, outputs))
    rest = [
        torch.autograd.grad(
            slope[:, place].sum(), at, retain_graph=True, allow_unused=True, materialize_grads=True
        )[0]
        for place in range(outputs)
    ]
    return slope.detach(), torch.stack(rest, dim=1)


def _backwards(
    passes: Sequence[_Pass], slope: torch.Tensor, bend: torch.Tensor, of: Curvature
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For each layer gradient `[n, out]` and Hessian `[n, out, out]` of the loss by what it gives before activation."""
    found: list[tuple[torch.Tensor, torch.Tensor]] = []
    for layer in reversed(passes):
        inner = layer.slope[:, :, None] * bend * layer.slope[:, None, :]
        if of == "loss":
            inner = inner + torch.diag_embed(layer.bend * slope)
        slope = slope * layer.slope
        found.append((slope, inner))
        slope = slope @ layer.weight
        half = inner @ layer.weight
        bend = half.transpose(1, 2) @ layer.weight
    return found[::-1]


def _add(
    hessian: torch.Tensor,
    ends: Sequence[int],
    passes: Sequence[_Pass],
    backs: Sequence[tuple[torch.Tensor, torch.Tensor]],
    of: Curvature,
) -> None:
    """Add what some examples contribute; layer after layer, unit after unit, a unit's bias behind its weights."""
    n = len(passes[0].inputs)
    bends = passes[0].inputs.new_zeros((
        n,
        0,
        passes[0].inputs.shape[1],
    ))  # inputs of layer j by all z before it
    hidden = [0, *accumulate(layer.weight.shape[0] for layer in passes)]
    for j, (layer, (slope, inner)) in enumerate(zip(passes, backs, strict=True)):
        mixed = (bends @ layer.weight.T) @ inner  # S for all i < j, [n, hidden before, out]
        for i, other in enumerate(passes[: j + 1]):
            place = slice(hidden[i], hidden[i + 1])
            block = _first(inner if i == j else mixed[:, place], other.extended, layer.extended)
            if of == "loss" and i < j:
                wide = layer.inputs.shape[1]
                block[..., :wide] += _second(bends[:, place], other.extended, slope)
            flat = block.reshape(ends[i + 1] - ends[i], ends[j + 1] - ends[j])
            hessian[ends[i] : ends[i + 1], ends[j] : ends[j + 1]] += flat
            if i < j:
                hessian[ends[j] : ends[j + 1], ends[i] : ends[i + 1]] += flat.T
        through = (bends @ layer.weight.T) * layer.slope[:, None, :]
        bends = torch.cat([through, torch.diag_embed(layer.slope)], dim=1)


def _first(inner: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The sum over examples of S[p, r] a[q] b[s], as [p, q, r, s]."""
    n, p, r = inner.shape
    pairs = (a[:, :, None] * b[:, None, :]).reshape(n, -1)
    return (
        (inner.reshape(n, -1).T @ pairs).view(p, r, a.shape[1], b.shape[1]).permute(0, 2, 1, 3).contiguous()
    )


def _second(bends: torch.Tensor, a: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    """The sum over examples of B[p, s] a[q] d[r], as [p, q, r, s]."""
    n, p, s = bends.shape
    pairs = (a[:, :, None] * slope[:, None, :]).reshape(n, -1)
    return (bends.reshape(n, -1).T @ pairs).view(p, s, a.shape[1], slope.shape[1]).permute(0, 2, 3, 1)


def _arranged(hessian: torch.Tensor, objective: Objective, layers: Sequence[Dense]) -> torch.Tensor:
    """From layer after layer, a unit's bias behind its weights, to the order of flat weights."""
    parts = {part.name: part for part in objective.parts}
    order: list[torch.Tensor] = []
    for layer in layers:
        weight = parts[layer.weight]
        places = torch.arange(weight.first, weight.last).view(weight.shape)
        if layer.bias:
            bias = parts[layer.bias]
            places = torch.cat([places, torch.arange(bias.first, bias.last)[:, None]], dim=1)
        order.append(places.reshape(-1))
    back = torch.argsort(torch.cat(order)).to(hessian.device)
    return hessian[back[:, None], back]
