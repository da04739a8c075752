r"""How much Gaussian noise the weights bear: the sharpness of PAC-Bayes bounds (Neyshabur et al. 2017).

\(\sigma\) is the largest standard deviation such that weights \(w + u\), \(u \sim N(0, \sigma^2)\), have on average
at most 0.1 more training error than \(w\); the measure is the inverse variance \(1 / \sigma^2\) (Jiang et al. 2020).
In the magnitude-aware form \(u_i\) has variance \(\sigma^2 |w_i|^2 + \epsilon^2\). The worst-case twin is
\(1 / \alpha^2\), for the largest \(\alpha\) such that no \(u\) with \(|u_i| \le \alpha\) costs more.

The same noise is used at every \(\sigma\), scaled, so that the rise is one function of \(\sigma\) and a bracketing
search finds where it crosses the threshold. Where targets are numbers there is no error rate; then the share of their
variance that is not explained takes its place.
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.ascent import ascend
from gradlab.measure.constant import constant_loss
from gradlab.measure.crossing import Threshold, crossing
from gradlab.measure.folding import folded
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import Loss, Objective
from gradlab.measure.perturbed import (
    Counter,
    at_weights,
    classes,
    normal_rows,
    refuse_infinite,
    wrong_share,
)

__all__ = ["Criterion", "pac_bayes", "pac_bayes_of", "pac_bayes_values"]

Criterion = Literal["auto", "error", "unexplained", "loss"]
"""What may rise: the error rate; the loss over that of the best constant; the loss over the network's own."""

_STEPS: Final = 10
"""Of a search for the worst weights."""


def pac_bayes(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    rise: float = 0.1,
    criterion: Criterion = "auto",
    samples: int = 20,
    epsilon: float = 1e-3,
    start: nn.Module | None = None,
    worst: bool = True,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Measurement:
    """The noise on its weights that a network bears before its training error rises by a tenth.

    BatchNorm is folded into the layer before it, as a scale that is undone at once would make any noise bearable;
    where that cannot be done the network is refused.

    Args:
        network: Any module; it is copied and not changed.
        loss: As in training.
        x: Training inputs `[n, ...]`, without augmentation.
        y: Targets.
        rise: How much worse it may get.
        criterion: "error" where targets are classes and "unexplained" elsewhere, unless it is said otherwise.
        samples: Draws of noise, the same at every scale.
        epsilon: Standard deviation of the noise that the magnitude-aware form adds for weights of zero.
        start: The network before training, for the bound.
        worst: Whether to look for the worst case, which is the dearest part.
        seed: Of the noise.
        dtype: The type of weights and arithmetic.

    Returns:
        `pac_bayes_sigma` (a standard deviation), `pac_bayes` (1 / sigma^2), `pac_bayes_magnitude_sigma` and
        `pac_bayes_magnitude` (likewise), `worst_alpha` and `worst` (1 / alpha^2), and with `start` `bound`:
        |w - w0|^2 / (4 sigma^2) + log(n / sigma) + 10 (Jiang et al. 2020).

    Raises:
        MeasureError: BatchNorm cannot be folded, the criterion is not one for these targets, or fewer than two samples
            are asked for.

    Example:
        >>> line = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(line.weight, 1.0)
        >>> x = np.array([[-1.0], [1.0]])
        >>> found = pac_bayes(line, "mse", x, x, samples=400, worst=False)
        >>> bool(abs(float(found["pac_bayes"]) - 10) < 3)  # the loss rises by sigma^2, a tenth of the variance
        True
    """
    objective = Objective(network, loss, x, y, dtype=dtype)
    return pac_bayes_of(
        objective,
        rise=rise,
        criterion=criterion,
        samples=samples,
        epsilon=epsilon,
        starts=None if start is None else [start],
        worst=worst,
        seed=seed,
    )[0]


def pac_bayes_of(
    objective: Objective,
    *,
    rise: float = 0.1,
    criterion: Criterion = "auto",
    samples: int = 20,
    epsilon: float = 1e-3,
    starts: list[nn.Module] | None = None,
    worst: bool = True,
    seed: int = 0,
) -> list[Measurement]:
    """`pac_bayes` of each network of an objective; `starts` are the networks before training, one for each."""
    found: list[Measurement] = []
    for place, each in enumerate(objective.alone()):
        counter = Counter(each.examples)
        values, remarks = pac_bayes_values(
            each,
            rise=rise,
            criterion=criterion,
            samples=samples,
            epsilon=epsilon,
            start=None if starts is None else starts[place],
            worst=worst,
            seed=seed,
            counter=counter,
        )
        settings = each.settings | {
            "rise": rise,
            "criterion": _criterion(each, criterion),
            "samples": samples,
            "epsilon": epsilon,
            "seed": seed,
        }
        found.append(Measurement("pac_bayes", values, settings, counter.gradients, tuple(remarks)))
    return found


def pac_bayes_values(
    objective: Objective,
    *,
    rise: float,
    criterion: Criterion,
    samples: int,
    epsilon: float,
    start: nn.Module | None,
    worst: bool,
    seed: int,
    counter: Counter,
) -> tuple[dict[str, Value], list[str]]:
    """The values of `pac_bayes` for one network, and remarks on them."""
    if samples < 2:
        raise MeasureError("the error of a mean over noise needs at least two samples")
    what = _criterion(objective, criterion)
    if not (rise > 0 and epsilon >= 0):
        raise MeasureError("the rise must be positive, and epsilon not negative")
    refuse_infinite(objective)
    plain, remarks = objective, list[str]()
    network, count = folded(objective.module())
    if count:
        plain = objective.on(network)
        remarks.append(
            f"noise is on the weights after folding {count} BatchNorm layers into the layers before them"
        )
    weights, noise = plain.weights, normal_rows(samples, plain, seed, "pac_bayes")
    harm, base = _harm(plain, what, counter)
    unit = float(weights.square().mean().sqrt()) or 1.0

    def isotropic(sigma: float) -> torch.Tensor:
        return harm(weights + sigma * noise) - base

    def by_magnitude(sigma: float) -> torch.Tensor:
        return harm(weights + (sigma**2 * weights.square() + epsilon**2).sqrt() * noise) - base

    found = crossing(isotropic, rise, unit)
    aware = crossing(by_magnitude, rise, 1.0)
    named = f"of the {what} rate" if what == "error" else f"of the {what} share"
    if what == "loss":
        named = "of the loss over its own value"
    values = _pair(
        "pac_bayes_sigma", "pac_bayes", found, f"standard deviation of noise with a rise of {rise:g} {named}"
    )
    values |= _pair(
        "pac_bayes_magnitude_sigma",
        "pac_bayes_magnitude",
        aware,
        f"standard deviation, over each weight's magnitude, of noise with a rise of {rise:g} {named}",
    )
    if aware.at == 0:
        remarks.append(
            f"noise of {epsilon:g} on every weight is too much already: the magnitude-aware form has no scale"
        )
    if worst:
        alpha = _worst(plain, harm, base, rise, found.at if 0 < found.at < np.inf else unit, counter)
        means = f"largest change of each weight, found by ascent, without a rise of {rise:g} {named}: an upper bound"
        values["worst_alpha"] = Value(alpha, means)
        values["worst"] = Value(_inverse_square(alpha), "1 / worst_alpha^2")
    if start is not None:
        values["bound"] = _bound(plain, folded(start)[0], found)
    return values, remarks


def _criterion(objective: Objective, criterion: Criterion) -> str:
    if criterion == "auto":
        return "error" if classes(objective) else "unexplained"
    if criterion not in {"error", "unexplained", "loss"}:
        raise MeasureError(f"no criterion is called {criterion!r}; allowed: auto, error, unexplained, loss")
    if criterion == "error" and not classes(objective):
        raise MeasureError("the targets are not classes: there is no error rate; use criterion='unexplained'")
    return criterion


def _harm(
    objective: Objective, what: str, counter: Counter
) -> tuple[Callable[[torch.Tensor], torch.Tensor], torch.Tensor]:
    """How bad networks of weights `[P, D]` are, `[P]`, and how bad this one is."""
    if what == "error":
        return lambda points: wrong_share(objective, points, counter), wrong_share(
            objective, objective.weights[None]
        )
    value = float(objective.value(objective.weights))
    unit = constant_loss(objective.y.numpy()) if what == "unexplained" else value
    if not unit > 0:
        raise MeasureError("the loss to compare a rise with is zero; use criterion='unexplained'")
    return lambda points: at_weights(objective, points, counter=counter)[0] / unit, torch.tensor([
        value / unit
    ])


def _pair(sigma: str, inverse: str, found: Threshold, means: str) -> dict[str, Value]:
    relative = 2 * found.error / found.at if found.at else float("nan")
    return {
        sigma: Value(found.at, means, found.error, "standard error"),
        inverse: Value(
            _inverse_square(found.at),
            f"1 / {sigma}^2",
            _inverse_square(found.at) * relative,
            "standard error",
        ),
    }


def _inverse_square(scale: float) -> float:
    return 1 / scale**2 if scale else float("inf")


def _worst(
    objective: Objective,
    harm: Callable[[torch.Tensor], torch.Tensor],
    base: torch.Tensor,
    rise: float,
    guess: float,
    counter: Counter,
) -> float:
    """The largest bound on each weight's change within which ascent on the loss finds no rise beyond the threshold."""
    centre = objective.weights

    def losses(u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return at_weights(objective, centre + u, gradient=True, counter=counter)

    slope = losses(torch.zeros_like(centre)[None])[1]

    def rises(alpha: float) -> torch.Tensor:
        _, u = ascend(losses, alpha * slope.sign(), alpha, "linf", _STEPS)
        return harm(centre + u) - base

    return crossing(rises, rise, guess).at


def _bound(objective: Objective, start: nn.Module, found: Threshold) -> Value:
    """The bound's form of the measure; what lies between the networks is taken after folding."""
    first = Objective(
        start, objective.criterion, objective.x[:1], objective.y[:1], dtype=objective.dtype
    ).weights
    if first.shape != objective.weights.shape:
        raise MeasureError("the network before training has another architecture")
    far = float((objective.weights - first).square().sum())
    value = (
        far / (4 * found.at**2) + float(np.log(objective.examples / found.at)) + 10
        if found.at
        else float("inf")
    )
    return Value(value, "|w - w0|^2 / (4 sigma^2) + log(n / sigma) + 10")
