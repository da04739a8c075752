r"""How strongly a network's outputs answer to its inputs.

With the Jacobian \(J = \partial f / \partial x\) of one example, the measure is the mean over examples of the Frobenius
norm \(\lVert J(x) \rVert_F\), of class probabilities (Novak et al. 2018) and of logits. Saturated probabilities hardly
move, so that the first shrinks as the training loss falls; the second does not. Up to 20 outputs it is exact, by one
backward pass an output; beyond, \(\lVert J \rVert_F^2\) is estimated by \(K \lVert J^\top v \rVert^2\) for directions
\(v\) uniform on the unit sphere (Hoffman et al. 2019).
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import Loss, Objective
from gradlab.measure.perturbed import Counter, classes
from gradlab.measure.pieces import pieces
from gradlab.randomness import generator

__all__ = ["gives_probabilities", "jacobian", "jacobian_of", "jacobian_values"]

_EXACT: Final = 20
"""Outputs up to which the Jacobian is exact unless it is said otherwise."""
_PROBES: Final = 10
"""Random directions an example beyond that."""
_BYTES: Final = 2**24
"""Memory for the Jacobians of examples that are looked at together; more of them run slower, out of cache."""
_ONE: Final = 1e-4
"""How far outputs may be from adding up to one and still be probabilities."""


def jacobian(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    probes: int | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Measurement:
    """The mean norm of the Jacobian of a network's outputs by its inputs; give it test points.

    Dropout is off. A network that ends in a softmax is recognised by what it gives: its outputs are the
    probabilities, and its logits are what goes into that softmax.

    Args:
        network: Any module; it is copied and not changed.
        loss: As in training; where targets are classes, outputs are logits unless they are probabilities already.
        x: Inputs `[n, ...]`; their scaling sets the unit.
        y: Targets.
        probes: Random directions an example; None for the exact norm up to 20 outputs and 10 beyond.
        seed: Of the directions.
        dtype: The type of weights and arithmetic.

    Returns:
        `jacobian` (mean Frobenius norm: of probabilities where targets are classes, of outputs elsewhere),
        `jacobian_squared` (mean of its square), and for classes `jacobian_logits`, and `margin` where it is exact: the
        median over examples of the nearest class boundary's distance in the input, to first order, negative where the
        example is given another class.

    Raises:
        MeasureError: The inputs are not continuous, or fewer than two probes are asked for.

    Example:
        >>> line = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(line.weight, 3.0)
        >>> found = jacobian(line, "mse", np.zeros((4, 2)), np.zeros((4, 1)))
        >>> round(float(found["jacobian"]) ** 2, 6)
        18.0
    """
    return jacobian_of(Objective(network, loss, x, y, dtype=dtype), probes=probes, seed=seed)[0]


def jacobian_of(objective: Objective, *, probes: int | None = None, seed: int = 0) -> list[Measurement]:
    """`jacobian` of each network of an objective; all meet the same directions."""
    found: list[Measurement] = []
    for each in objective.alone():
        counter = Counter(each.examples)
        values, remarks = jacobian_values(each, probes, seed, counter)
        found.append(
            Measurement("jacobian", values, each.settings | {"seed": seed}, counter.gradients, tuple(remarks))
        )
    return found


def gives_probabilities(outputs: torch.Tensor) -> bool:
    """Whether outputs `[n, K]` are probabilities of K classes: none negative, and adding up to one.

    Example:
        >>> gives_probabilities(torch.tensor([[0.25, 0.75]])), gives_probabilities(torch.tensor([[2.0, -1.0]]))
        (True, False)
    """
    if outputs.dim() < 2 or outputs.shape[-1] < 2:
        return False
    return bool((outputs >= 0).all()) and bool(((outputs.sum(dim=-1) - 1).abs() < _ONE).all())


def jacobian_values(
    objective: Objective, probes: int | None, seed: int, counter: Counter
) -> tuple[dict[str, Value], list[str]]:
    """The values of `jacobian` for one network, and remarks on them.

    Args:
        objective: Of one network.
        probes: As there.
        seed: As there.
        counter: Told what it cost.

    Returns:
        Values by name, and what a reader should know.

    Raises:
        MeasureError: The inputs are not continuous, or fewer than two probes are asked for.
    """
    if not objective.x.is_floating_point():
        raise MeasureError("the inputs are not numbers of a continuous kind: there is no Jacobian by them")
    with torch.no_grad():
        first = _rows(objective.outputs(objective.weights, objective.x[:64]))
    outputs, remarks = first.shape[1], list[str]()
    sorted_out, kind = objective, "outputs"
    if classes(objective) and outputs > 1 and objective.y.dim() == 1:
        kind = "probabilities"
        if gives_probabilities(first):
            before = _before_softmax(objective)
            kind = "probabilities alone" if before is None else kind
            sorted_out = before or objective
            remarks.append(
                "the network's outputs are probabilities already; "
                + (
                    "its logits are out of reach"
                    if before is None
                    else "its logits are what its softmax is given"
                )
            )
    if probes is not None and probes < 2:
        raise MeasureError("the error of a random estimate needs at least two probes")
    if probes is None and outputs <= _EXACT:
        values = _exact(sorted_out, kind, outputs)
        counter.backward(objective.examples, outputs)
    else:
        count = probes or _PROBES
        values = _random(sorted_out, kind, outputs, count, seed)
        counter.backward(objective.examples, count * (2 if kind == "probabilities" else 1))
    return values, remarks


def _exact(objective: Objective, kind: str, outputs: int) -> dict[str, Value]:
    """By one backward pass an output."""
    norms, logits, margins = list[torch.Tensor](), list[torch.Tensor](), list[torch.Tensor]()
    for rows in _pieces(objective, outputs):
        given, found = _forward(objective, rows)
        eye = torch.eye(outputs, dtype=found.dtype).unsqueeze(1).expand(outputs, *found.shape)
        j = torch.autograd.grad(found, given, eye, is_grads_batched=True)[0].flatten(2).transpose(0, 1)
        if kind != "probabilities":
            norms.append(j.flatten(1).norm(dim=1))
            continue
        z, gram = found.detach(), j @ j.transpose(1, 2)  # K x K for each example: all else follows from it
        p = z.softmax(dim=1)
        by_logits = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]  # of probabilities, symmetric
        logits.append(j.flatten(1).norm(dim=1))
        norms.append(((by_logits @ gram) * by_logits).sum(dim=(1, 2)).clamp_min(0).sqrt())
        margins.append(_margins(z, gram, objective.y[rows]))
    values = _named(kind, norms, logits)
    if margins:
        values["margin"] = Value(
            float(torch.cat(margins).median()),
            "median over examples of the distance in the input to the nearest class boundary, to first order; "
            "negative where the example is given another class",
        )
    return values


def _named(kind: str, norms: list[torch.Tensor], logits: list[torch.Tensor]) -> dict[str, Value]:
    of, every = kind.removesuffix(" alone"), torch.cat(norms)
    values = {
        "jacobian": Value(
            float(every.mean()),
            f"mean over examples of the Frobenius norm of the Jacobian of {of} by the input",
        ),
        "jacobian_squared": Value(
            float(every.square().mean()),
            f"mean over examples of the squared Frobenius norm of the Jacobian of {of} by the input",
        ),
    }
    if logits:
        values["jacobian_logits"] = Value(
            float(torch.cat(logits).mean()),
            "mean over examples of the Frobenius norm of the Jacobian of logits by the input",
        )
    return values


def _random(objective: Objective, kind: str, outputs: int, probes: int, seed: int) -> dict[str, Value]:
    """By random directions, different ones for each example, so that their errors average out."""
    names = ("jacobian", "jacobian_logits") if kind == "probabilities" else ("jacobian",)
    draws: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    for rows in _pieces(objective, probes):
        given, found = _forward(objective, rows)
        normal = generator(seed, "probe", "jacobian", index=rows.start).standard_normal((
            probes,
            *found.shape,
        ))
        v = torch.from_numpy(normal).to(found.dtype)
        v = v / v.norm(dim=-1, keepdim=True)
        p = found.detach().softmax(dim=1)
        for name, of in draws.items():
            saturated = kind == "probabilities" and name == "jacobian"
            along = p * (v - (p * v).sum(dim=-1, keepdim=True)) if saturated else v
            j = torch.autograd.grad(found, given, along, is_grads_batched=True, retain_graph=True)[0]
            of.append(outputs * j.flatten(2).square().sum(dim=2))
    values: dict[str, Value] = {}
    for name, parts in draws.items():
        of = "logits" if name == "jacobian_logits" else kind.removesuffix(" alone")
        squares = torch.cat(parts, dim=1).double().numpy()
        value, error = _root(squares)
        means = (
            f"mean over examples of the Frobenius norm of the Jacobian of {of} by the input, by random probes"
        )
        values[name] = Value(value, means, error, "standard error")
        if name == "jacobian":
            error = float(np.sqrt((squares.var(axis=0, ddof=1) / probes).sum()) / squares.shape[1])
            means = f"mean over examples of the squared Frobenius norm of the Jacobian of {of} by the input"
            values["jacobian_squared"] = Value(float(squares.mean()), means, error, "standard error")
    return values


def _root(squares: NDArray[np.float64]) -> tuple[float, float]:
    """The mean over examples of the root of the mean over probes `[probes, n]`, and its standard error.

    Leaving out each probe in turn takes most of the bias off that the root has, and gives the spread.
    """
    probes, examples = squares.shape
    whole = squares.mean(axis=0)
    without = np.sqrt(np.maximum((whole * probes - squares) / (probes - 1), 0))
    centre = without.mean(axis=0)
    value = (probes * np.sqrt(whole) - (probes - 1) * centre).mean()
    variances = (probes - 1) / probes * ((without - centre) ** 2).sum(axis=0)
    return float(value), float(np.sqrt(variances.sum()) / examples)


def _margins(z: torch.Tensor, gram: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The distance of each example to its nearest boundary with another class, to first order."""
    every, squares = torch.arange(len(z)), gram.diagonal(dim1=1, dim2=2)
    ahead = z[every, targets][:, None] - z
    slopes = (squares[every, targets][:, None] + squares - 2 * gram[every, targets]).clamp_min(0).sqrt()
    none = torch.copysign(torch.full_like(ahead, torch.inf), ahead)
    far = torch.where(slopes == 0, none, ahead / slopes)
    far[every, targets] = torch.inf
    return far.min(dim=1).values


def _forward(objective: Objective, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
    given = objective.x[rows].detach().clone().requires_grad_()
    return given, _rows(objective.outputs(objective.weights, given))


def _rows(outputs: torch.Tensor) -> torch.Tensor:
    return outputs.reshape(len(outputs), -1)


def _pieces(objective: Objective, passes: int) -> list[slice]:
    """The examples in pieces whose Jacobians fit into memory."""
    numbers = objective.x[0].numel() * passes * objective.x.element_size()
    step = max(1, min(objective.at_once, _BYTES // max(1, numbers)))
    return list(pieces(objective.examples, step))


def _before_softmax(objective: Objective) -> Objective | None:
    """The same network without the softmax module that it ends in; None where there is no such module."""
    names = [name for name, module in objective.network.named_modules() if isinstance(module, nn.Softmax)]
    if not names:
        return None
    network = objective.module()
    if isinstance(network, nn.Softmax):
        return None
    network.set_submodule(names[-1], nn.Identity())
    bare = objective.on(network)
    with torch.no_grad():
        some = objective.x[:8]
        z, p = (each.outputs(each.weights, some) for each in (bare, objective))
    return bare if torch.allclose(z.softmax(dim=-1), p, atol=1e-6) else None
