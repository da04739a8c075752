r"""The largest rise of the loss near given weights: SAM and adaptive sharpness, worst case and average case.

Weights are moved by \(c \circ u\) with \(\lVert u \rVert \le \rho\): \(c = 1\) for SAM (Foret et al. 2021) and \(c =
|w|\), number by number, for the adaptive kind (Kwon et al. 2021), which does not see how the scale of a function is
spread over the layers of a network that is positively homogeneous. All steps and projections are taken in \(u\), so
that this holds for the search too. What a search finds is a lower bound of the maximum.

To second order about a minimum with Hessian \(H\), \(C\) the diagonal matrix of \(c\) and \(D\) weights, the worst case
is \(\rho^2 \lambda_{\max}(CHC) / 2\) and the average over the sphere \(\lVert u \rVert_2 = \rho\) is
\(\rho^2 \operatorname{tr}(CHC) / (2D)\).
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Literal

import torch

from gradlab.errors import MeasureError
from gradlab.measure.objective import Objective
from gradlab.measure.perturbed import Counter, at_weights, by_examples, normal_rows
from gradlab.randomness import generator

__all__ = [
    "Norm",
    "ascend",
    "average_rise",
    "normalised",
    "one_step",
    "scale_of",
    "spread_rise",
    "worst_rise",
]

Norm = Literal["l2", "linf"]
"""How far u may go: its Euclidean length, or its largest entry."""

Rises = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
"""Takes u `[R, D]` and gives losses `[R]` and their gradients by u `[R, D]`."""


def scale_of(objective: Objective, *, adaptive: bool) -> torch.Tensor:
    """The scale c of each weight, `[D]`: 1, or its magnitude."""
    return objective.weights.abs() if adaptive else torch.ones_like(objective.weights)


def normalised(objective: Objective) -> Objective:
    """The same objective on logits that are centred and of length 1, example by example (Andriushchenko et al. 2023).

    Sharpness grows with the scale of logits, which networks of one error rate may have at will.
    """
    other = copy.copy(objective)
    criterion = objective.criterion

    def of_unit_logits(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        centred = outputs - outputs.mean(dim=-1, keepdim=True)
        return criterion(centred / centred.norm(dim=-1, keepdim=True).clamp_min(1e-10), targets)

    other.criterion = of_unit_logits
    return other


def one_step(objective: Objective, scale: torch.Tensor, rho: float, counter: Counter) -> float:
    """The rise of the loss after one step of length rho up the gradient: the approximation that SAM trains by.

    It may be negative where the loss curves down; where there is no gradient it is zero.
    """
    value, slope = at_weights(objective, objective.weights[None], gradient=True, counter=counter)
    u = _furthest(slope * scale, rho, "l2")
    risen, _ = at_weights(objective, objective.weights + scale * u, counter=counter)
    return float(risen - value)


def worst_rise(
    objective: Objective,
    scale: torch.Tensor,
    rho: float,
    *,
    norm: Norm = "l2",
    steps: int = 20,
    restarts: int = 3,
    seed: int = 0,
    counter: Counter,
) -> float:
    """The largest rise of the loss that projected ascent finds within rho.

    Args:
        objective: Of one network.
        scale: c, `[D]`.
        rho: How far.
        norm: Of u.
        steps: Steps of each search.
        restarts: Searches; the first begins up the gradient, the others at random.
        seed: Of those.
        counter: Told what it cost.

    Returns:
        At least zero.
    """
    centre = objective.weights

    def rises(u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        losses, slopes = at_weights(objective, centre + scale * u, gradient=True, counter=counter)
        return losses, slopes * scale

    start = torch.zeros_like(centre)[None]
    value, slope = rises(start)
    first = _furthest(slope, rho, norm)
    random = _furthest(normal_rows(restarts - 1, objective, seed, "sharpness.start"), rho, norm)
    best, _ = ascend(rises, torch.cat([first, random]), rho, norm, steps)
    return max(0.0, float(best.max() - value))


def spread_rise(
    objective: Objective,
    scale: torch.Tensor,
    rho: float,
    size: int,
    *,
    pieces: int = 50,
    steps: int = 1,
    norm: Norm = "l2",
    seed: int = 0,
    counter: Counter,
) -> tuple[float, float]:
    """m-sharpness: the mean over minibatches of `size` of the largest rise of each one's own loss (Foret et al. 2021).

    Args:
        objective: Of one network.
        scale: c, `[D]`.
        rho: How far.
        size: Examples of a minibatch, m.
        pieces: Minibatches at most; they are disjoint.
        steps: Steps of each search, which begins up the gradient.
        norm: Of u.
        seed: Of the minibatches.
        counter: Told what it cost.

    Returns:
        The mean and its standard error.

    Raises:
        MeasureError: There are not two minibatches of that size.
    """
    count = min(pieces, objective.examples // size)
    if count < 2:
        raise MeasureError(f"there are not two minibatches of {size} among {objective.examples} examples")
    order = generator(seed, "probe", "sharpness.minibatch").permutation(objective.examples)[: count * size]
    rows, centre = torch.from_numpy(order.reshape(count, size)), objective.weights

    def rises(u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        losses, slopes = by_examples(objective, centre + scale * u, rows)
        counter.backward(rows.numel())
        return losses, slopes * scale

    values, slopes = rises(torch.zeros(count, objective.size, dtype=objective.dtype))
    best, _ = ascend(rises, _furthest(slopes, rho, norm), rho, norm, steps - 1)
    found = best - values
    return float(found.mean()), float(found.std()) / count**0.5


def average_rise(
    objective: Objective,
    scale: torch.Tensor,
    rho: float,
    *,
    samples: int = 50,
    seed: int = 0,
    counter: Counter,
) -> tuple[float, float]:
    r"""The mean rise of the loss over u uniform on the sphere of radius rho.

    Directions come in pairs \(\\pm u\), which takes the gradient out of the error.

    Args:
        objective: Of one network.
        scale: c, `[D]`.
        rho: How far.
        samples: Pairs of directions.
        seed: Of the directions.
        counter: Told what it cost.

    Returns:
        The mean and its standard error.
    """
    u = _furthest(normal_rows(samples, objective, seed, "sharpness.average"), rho, "l2") * scale
    centre = objective.weights
    value, _ = at_weights(objective, centre[None], counter=counter)
    up, _ = at_weights(objective, centre + u, counter=counter)
    down, _ = at_weights(objective, centre - u, counter=counter)
    rises = (up + down) / 2 - value
    return float(rises.mean()), float(rises.std()) / samples**0.5


def ascend(
    rises: Rises, start: torch.Tensor, rho: float, norm: Norm, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Several searches for the largest loss within rho, side by side.

    A step goes up the gradient and back onto the ball. It is taken where the loss rises; where it does not, the next
    one is a quarter as long. A long step lands where the gradient points to, as the power iteration does on a
    quadratic.

    Args:
        rises: The losses and their gradients.
        start: u `[R, D]`.
        rho: How far.
        norm: Of u.
        steps: Steps.

    Returns:
        The largest loss of each search `[R]`, and where it is `[R, D]`.
    """
    u = start
    value, slope = rises(u)
    length = torch.full_like(value, 8 * rho)
    for _ in range(steps):
        trial = _within(u + length[:, None] * _furthest(slope, 1.0, norm), rho, norm)
        there, slope_there = rises(trial)
        better = there > value
        u = torch.where(better[:, None], trial, u)
        slope = torch.where(better[:, None], slope_there, slope)
        value = torch.where(better, there, value)
        length = torch.where(better, length, length / 4)
    return value, u


def _furthest(direction: torch.Tensor, rho: float, norm: Norm) -> torch.Tensor:
    """The point of the ball that lies furthest along a direction; its centre where there is none."""
    if norm == "linf":
        return rho * direction.sign()
    length = direction.norm(dim=-1, keepdim=True)
    return torch.where(
        length > 0, rho * direction / length.clamp_min(torch.finfo(length.dtype).tiny), direction
    )


def _within(u: torch.Tensor, rho: float, norm: Norm) -> torch.Tensor:
    """The nearest point of the ball."""
    if norm == "linf":
        return u.clamp(-rho, rho)
    return u * (rho / u.norm(dim=-1, keepdim=True).clamp_min(1e-300)).clamp_max(1.0)
