r"""How sharp a minimum is, by every measure that goes by the name, on one network and the same data.

| value | what may move | what is reported |
|---|---|---|
| `keskar` | each weight by \(\varepsilon (|w_i| + 1)\) | largest rise of the loss, per cent of \(1 + L\) |
| `keskar_subspace` | the same box in the span of random directions | the same |
| `sam` | weights within \(\rho\) (Euclidean) | largest rise of the loss |
| `sam_one_step` | weights by \(\rho\) up the gradient | the rise |
| `sam_average` | weights by \(\rho\) in a random direction | mean rise |
| `adaptive`, `adaptive_average` | weight i by \(|w_i| u_i\), u within \(\rho\) | largest and mean rise |
| `pac_bayes` | weights by Gaussian noise | \(1 / \sigma^2\) at a rise of 0.1 in error |
| `trace`, `largest` | | of the Hessian |

What searches find (`keskar`, `sam`, `adaptive`) are lower bounds. All but the adaptive ones and the magnitude-aware
form of PAC-Bayes change when the layers of a ReLU network are rescaled without changing its function (Dinh et al.
2017); `gradlab.measure.rescaling` shows it. Adaptive sharpness compares networks only on normalised logits
(Andriushchenko et al. 2023).
"""

# torch is typed only in part.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from gradlab.errors import MeasureError
from gradlab.measure.ascent import (
    Norm,
    average_rise,
    normalised,
    one_step,
    scale_of,
    spread_rise,
    worst_rise,
)
from gradlab.measure.keskar import keskar_sharpness
from gradlab.measure.lanczos import extremes_of
from gradlab.measure.measurement import Measurement, Value
from gradlab.measure.objective import Loss, Objective
from gradlab.measure.pac_bayes import pac_bayes_values
from gradlab.measure.perturbed import Counter
from gradlab.measure.trace import trace_of

__all__ = ["sharpness", "sharpness_of"]


def sharpness(
    network: nn.Module,
    loss: Loss,
    x: NDArray[Any] | torch.Tensor,
    y: NDArray[Any] | torch.Tensor,
    *,
    dtype: torch.dtype = torch.float64,
    **settings: Any,
) -> Measurement:
    """Every measure of sharpness of a network, on its training data without augmentation.

    Args:
        network: Any module; it is copied and not changed.
        loss: As in training.
        x: Training inputs `[n, ...]`.
        y: Targets.
        dtype: The type of weights and arithmetic; in float32 a small rise is lost in the rounding of the loss.
        **settings: As of `sharpness_of`.

    Returns:
        What `sharpness_of` says.

    Raises:
        MeasureError: What is asked cannot be measured.

    Example:
        >>> import numpy as np
        >>> line = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(line.weight, 2.0)
        >>> x = np.array([[-1.0], [1.0]])
        >>> found = sharpness(line, "mse", x, 2 * x, rho=0.1, rho_adaptive=0.1)
        >>> round(float(found["sam"]), 9), round(float(found["adaptive"]), 9)  # rho^2, and (rho |w|)^2
        (0.01, 0.04)
    """
    return sharpness_of(Objective(network, loss, x, y, dtype=dtype), **settings)[0]


def sharpness_of(
    objective: Objective,
    *,
    epsilon: float = 1e-3,
    rho: float = 0.05,
    rho_adaptive: float = 0.5,
    directions: int = 100,
    norm: Norm = "l2",
    steps: int = 20,
    restarts: int = 3,
    samples: int = 50,
    minibatch: int | None = None,
    normalise_logits: bool = False,
    noise: int = 20,
    worst: bool = True,
    curvature: bool = True,
    seed: int = 0,
) -> list[Measurement]:
    """Every measure of sharpness of each network of an objective.

    Args:
        objective: One network or several, with loss and data.
        epsilon: Size of Keskar's box; the paper has 1e-3 and 5e-4.
        rho: How far SAM goes.
        rho_adaptive: How far the adaptive kind goes, as a share of the weights; Kwon et al. (2021) have 0.5.
        directions: Columns of Keskar's random subspace.
        norm: Of the perturbation in the worst case of SAM and the adaptive kind: "l2" or "linf".
        steps: Steps of their searches.
        restarts: Searches.
        samples: Pairs of random directions of the average case.
        minibatch: m; adds `sam_minibatch`, the mean over minibatches of m examples of one step on each (m-sharpness).
        normalise_logits: Whether SAM and adaptive sharpness are taken of centred logits of length 1.
        noise: Draws of noise of PAC-Bayes.
        worst: Whether the worst-case twin of PAC-Bayes is looked for.
        curvature: Whether `trace` and `largest` are taken.
        seed: Of everything random; the same for each network.

    Returns:
        For each network the values of the table above, `pac_bayes_sigma`, `pac_bayes_magnitude` and, with `worst`,
        `worst_alpha`.

    Raises:
        MeasureError: A length is not positive, or fewer than two samples are asked for.
    """
    if not all(each > 0 for each in (epsilon, rho, rho_adaptive)):
        raise MeasureError("epsilon and rho are lengths: they must be positive")
    if norm not in {"l2", "linf"}:
        raise MeasureError(f"no norm is called {norm!r}; allowed: l2, linf")
    if min(directions, steps, restarts) < 1:
        raise MeasureError("directions, steps and restarts are 1 at least")
    if min(samples, noise) < 2:
        raise MeasureError("the error of a mean over random directions needs at least two of them")
    found: list[Measurement] = []
    for each in objective.alone():
        counter, remarks = Counter(each.examples), list[str]()
        values = _keskar(each, epsilon, directions, seed, counter, remarks)
        logits = normalised(each) if normalise_logits else each
        for adaptive, radius in ((False, rho), (True, rho_adaptive)):
            values |= _rises(logits, adaptive, radius, norm, steps, restarts, samples, seed, counter)
        if minibatch is not None:
            mean, error = spread_rise(
                logits, scale_of(each, adaptive=False), rho, minibatch, norm=norm, seed=seed, counter=counter
            )
            means = f"mean over minibatches of {minibatch} of the rise of its loss after one step of length {rho:g}"
            values["sam_minibatch"] = Value(mean, means, error, "standard error")
        bears, more = _noise(each, noise, worst, seed, counter)
        values |= bears
        remarks += more
        cost = counter.gradients
        if curvature:
            for name, measured in (
                ("trace", trace_of(each, seed=seed)[0]),
                ("largest", extremes_of(each, 1, 0, seed=seed)[0]),
            ):
                values[name] = measured[name]
                cost += measured.gradients
                remarks += [remark for remark in measured.warnings if "counted" not in remark]
        settings = each.settings | {
            "epsilon": epsilon,
            "rho": rho,
            "rho_adaptive": rho_adaptive,
            "norm": norm,
            "directions": directions,
            "steps": steps,
            "restarts": restarts,
            "samples": samples,
            "noise": noise,
            "logits": "normalised" if normalise_logits else "as they are",
            "seed": seed,
        }
        found.append(Measurement("sharpness", values, settings, cost, tuple(remarks)))
    return found


def _keskar(
    objective: Objective, epsilon: float, directions: int, seed: int, counter: Counter, remarks: list[str]
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, columns, where in (
        ("keskar", None, "in the full space"),
        (
            "keskar_subspace",
            min(directions, objective.size),
            f"in the span of {directions} random directions",
        ),
    ):
        box = keskar_sharpness(objective, epsilon, directions=columns, seed=seed, counter=counter)
        means = (
            f"largest rise of the loss in a box of {epsilon:g} {where}, per cent of 1 + loss; a lower bound"
        )
        values[name] = Value(box.sharpness, means)
        if box.sharpness <= box.floor:
            remarks.append(f"{name} is at the floor that rounding sets ({box.floor:.1e}): not told from zero")
    return values


def _rises(
    objective: Objective,
    adaptive: bool,
    rho: float,
    norm: Norm,
    steps: int,
    restarts: int,
    samples: int,
    seed: int,
    counter: Counter,
) -> dict[str, Value]:
    """Worst and average case of one kind."""
    scale = scale_of(objective, adaptive=adaptive)
    name, by = ("adaptive", "times each weight's magnitude ") if adaptive else ("sam", "")
    size = f"{rho:g} {by}({norm})"
    worst = worst_rise(
        objective, scale, rho, norm=norm, steps=steps, restarts=restarts, seed=seed, counter=counter
    )
    mean, error = average_rise(objective, scale, rho, samples=samples, seed=seed, counter=counter)
    values = {
        name: Value(worst, f"largest rise of the loss found by ascent within {size}; a lower bound"),
        f"{name}_average": Value(
            mean, f"mean rise of the loss over a sphere of {rho:g} {by}".rstrip(), error, "standard error"
        ),
    }
    if not adaptive:
        rise = one_step(objective, scale, rho, counter)
        values["sam_one_step"] = Value(
            rise, f"rise of the loss after a step of length {rho:g} up the gradient"
        )
    return values


def _noise(
    objective: Objective, samples: int, worst: bool, seed: int, counter: Counter
) -> tuple[dict[str, Value], list[str]]:
    """PAC-Bayes, or NaN and the cause where it is refused."""
    try:
        return pac_bayes_values(
            objective,
            rise=0.1,
            criterion="auto",
            samples=samples,
            epsilon=1e-3,
            start=None,
            worst=worst,
            seed=seed,
            counter=counter,
        )
    except MeasureError as refusal:
        names = ("pac_bayes_sigma", "pac_bayes", "pac_bayes_magnitude_sigma", "pac_bayes_magnitude")
        names += ("worst_alpha", "worst") if worst else ()
        missing = {name: Value(float("nan"), "not measured: see the warning") for name in names}
        return missing, [f"PAC-Bayes sharpness was not measured: {refusal}"]
