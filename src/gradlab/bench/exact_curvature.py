"""Curvature, critical points and minimal ratios against exact answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gradlab.bench.exact import Case, Row

if TYPE_CHECKING:
    import torch

__all__ = ["rows"]

Array = np.ndarray[Any, np.dtype[Any]]

_PRODUCTS = 90


def rows(case: Case, repeats: int) -> Iterator[Row]:
    """Every value of curvature of a network whose Hessian is computed by its definition, and of planted ones.

    Args:
        case: The network.
        repeats: Seeds of what is random.

    Yields:
        The rows.
    """
    matrix = _hessian(case)
    name = f"{case.name}, {len(matrix)} parameters"
    yield from _products(case, matrix, name)
    yield from _spectra(case, matrix, name)
    yield from _random(case, matrix, name, repeats)
    yield from _points()
    yield from _ratios()


def _hessian(case: Case) -> Array:
    """All second derivatives by the definition, in plain PyTorch."""
    import torch
    from torch.func import functional_call

    named = dict(case.network.named_parameters())
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in named.values()])

    def loss(weights: torch.Tensor) -> torch.Tensor:
        pieces = weights.split([tensor.numel() for tensor in named.values()])
        given = {key: piece.view_as(named[key]) for key, piece in zip(named, pieces, strict=True)}
        return case.criterion(functional_call(case.network, given, (case.x,)), case.y)

    whole: Any = torch.autograd.functional.hessian(loss, flat)
    found = whole.numpy()
    return (found + found.T) / 2


def _gauss_newton(case: Case) -> Array:
    """2/n J'J of squared errors: the Jacobian row by row."""
    import torch

    parameters = list(case.network.parameters())
    outputs = case.network(case.x)[:, 0]
    rows = [
        torch.cat([g.reshape(-1) for g in torch.autograd.grad(each, parameters, retain_graph=True)])
        for each in outputs
    ]
    jacobian = torch.stack(rows).numpy()
    return 2 / len(jacobian) * jacobian.T @ jacobian


def _products(case: Case, matrix: Array, name: str) -> Iterator[Row]:
    import torch

    from gradlab.measure.objective import Objective
    from gradlab.measure.products import product

    data: Any = (case.network, case.loss, case.x, case.y)
    objective = Objective(*data)
    vector = np.random.default_rng(0).standard_normal(len(matrix))
    whole = {"loss": matrix, "gauss_newton": _gauss_newton(case)}
    for of, word in (("loss", "Hessian"), ("gauss_newton", "Gauss-Newton")):
        multiply = product(objective, objective.weights, of=of)  # type: ignore[arg-type]
        found, truth = multiply(torch.from_numpy(vector)).numpy(), whole[of] @ vector
        size = float(np.linalg.norm(truth))
        away = float(np.linalg.norm(found - truth))
        yield Row(f"{word} times a vector, off by", name, 0.0, away, multiply.gradients, 1e-10, size)


def _spectra(case: Case, matrix: Array, name: str) -> Iterator[Row]:
    from gradlab.measure.hessian import spectrum
    from gradlab.measure.inertia import inertia
    from gradlab.measure.lanczos import top_eigenvalues
    from gradlab.measure.objective import Objective

    data: Any = (case.network, case.loss, case.x, case.y)
    values = np.linalg.eigvalsh(matrix)
    largest = float(np.abs(values).max())
    found = spectrum(*data)
    ours = np.sort(np.asarray(found["eigenvalues"].value))
    worst = float(np.abs(ours - values).max())
    yield Row("all eigenvalues, the worst off by", name, 0.0, worst, found.gradients, 1e-10, largest)
    part = Objective(*data).parts[4]
    block = matrix[part.first : part.last, part.first : part.last]
    layer = spectrum(*data, part=part.name)
    away = float(np.abs(np.sort(np.asarray(layer["eigenvalues"].value)) - np.linalg.eigvalsh(block)).max())
    yield Row(
        f"of the block {part.name}", name, 0.0, away, layer.gradients, 1e-10, float(np.abs(block).max())
    )
    for method, word in (("eigenvalues", "eigenvalues"), ("factors", "LDL'")):
        counted = inertia(*data, method=method)  # type: ignore[arg-type]
        tau = float(counted["tolerance"])
        for sign, truth in (("positive", (values > tau).sum()), ("negative", (values < -tau).sum())):
            yield Row(
                f"inertia by {word}: {sign}", name, float(truth), float(counted[sign]), counted.gradients, 0.0
            )
    ends = top_eigenvalues(*data, k=5, bottom=2)
    top, bottom = np.asarray(ends["top"].value), np.asarray(ends["bottom"].value)
    for rank in range(5):
        cost = ends.gradients if rank == 0 else 0.0
        yield Row(f"largest eigenvalue {rank + 1}", name, values[-1 - rank], top[rank], cost, 1e-6)
    for rank in range(2):
        yield Row(
            f"smallest eigenvalue {rank + 1}", name, values[rank], bottom[rank], limit=1e-6, size=largest
        )


def _random(case: Case, matrix: Array, name: str, repeats: int) -> Iterator[Row]:
    from scipy.stats import wasserstein_distance

    from gradlab.measure.density import density
    from gradlab.measure.hutchinson import estimate
    from gradlab.measure.symmetric import dense
    from gradlab.measure.trace import trace

    data: Any = (case.network, case.loss, case.x, case.y)
    values = np.linalg.eigvalsh(matrix)
    found = density(*data, probes=10, steps=100)
    nodes, weights = np.asarray(found["nodes"].value), np.asarray(found["weights"].value)
    away = float(wasserstein_distance(nodes.ravel(), values, weights.ravel()))
    yield Row(
        "spectral density by quadrature, W1",
        name,
        0.0,
        away,
        found.gradients,
        1e-2,
        float(np.abs(values).max()),
    )
    truths = {
        "trace": matrix.trace(),
        "squared Frobenius norm": (matrix**2).sum(),
        "diagonal, one of D": matrix[7, 7],
        "trace of a layer's block": matrix[10:60, 10:60].trace(),
    }
    symmetric = dense(matrix)
    for method in ("hutchinson", "hutch++"):
        once = trace(*data, probes=_PRODUCTS, method=method)
        drawn = [
            estimate(symmetric, _PRODUCTS, method=method, parts=[(10, 60)], seed=seed)
            for seed in range(repeats)
        ]
        for place, (what, truth) in enumerate(truths.items()):
            inside = 0
            for sums in drawn:
                low, high = _estimate(sums, what).interval()
                inside += bool(low <= truth <= high)
            ours = float(once["trace"]) if place == 0 else float(_estimate(drawn[0], what).value)
            cost = once.gradients if place == 0 else 0.0
            yield Row(
                f"{what} ({method})",
                name,
                float(truth),
                ours,
                cost,
                None,
                covered=inside / repeats,
                repeats=repeats,
            )


def _estimate(sums: Any, what: str) -> Any:
    """One of the numbers that the same products estimate."""
    if what == "trace":
        return sums.trace
    if what == "squared Frobenius norm":
        return sums.squares
    whole, place = (sums.diagonal, 7) if what.startswith("diagonal") else (sums.parts, 0)
    return type(whole)(whole.value[place], whole.error[place], whole.probes)


def _points() -> Iterator[Row]:
    """A surface with a saddle at zero, and a least-squares problem with its minimum."""
    import torch
    from torch import nn

    from gradlab.measure.critical import critical_point

    class Surface(nn.Module):
        """w0^2 - w1^2 + 0.1 w0^4."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([0.3, 0.2]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, b = self.weight
            return x * (a**2 - b**2 + 0.1 * a**4)

    ones = torch.ones(1, 1)
    saddle = critical_point(Surface(), lambda outputs, _: outputs.mean(), ones, ones)
    away = float(saddle.weights.norm())
    yield Row("saddle: distance from it", "w0^2 - w1^2 + 0.1 w0^4", 0.0, away, saddle.gradients, 1e-7)
    yield Row("saddle: recognised", "w0^2 - w1^2 + 0.1 w0^4", 1.0, float(saddle["saddle"]), limit=0.0)
    yield Row("saddle: share of negative", "w0^2 - w1^2 + 0.1 w0^4", 0.5, float(saddle["index"]), limit=0.0)
    drawn = np.random.default_rng(1)
    x, y = drawn.normal(size=(30, 3)), drawn.normal(size=(30, 1))
    least = critical_point(nn.Linear(3, 1), "mse", x, y)
    truth = np.linalg.lstsq(np.hstack([x, np.ones((30, 1))]), y, rcond=None)[0][:, 0]
    away = float(np.linalg.norm(least.weights.numpy() - truth))
    size = float(np.linalg.norm(truth))
    yield Row("minimum: distance from it", "least squares", 0.0, away, least.gradients, 1e-7, size)
    yield Row("minimum: recognised", "least squares", 1.0, float(least["minimum"]), limit=0.0)


def _ratios() -> Iterator[Row]:
    """A linear network at zero: 8 weights, of which 4 directions go up and 4 down, and no layer curves at all."""
    import torch
    from torch import nn

    from gradlab.measure.minimal_ratio import minimal_ratio

    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    x, y = np.eye(2), np.diag([2.0, 1.0])
    found = minimal_ratio(network, "mse", x, y)
    name = "linear 2-2-2 at zero"
    truths = {"inertia": 0.5, "negative": 0.5, "zero": 0.0, "layers": 0.0, "small_weights": 1.0}
    for place, (value, truth) in enumerate(truths.items()):
        cost = found.gradients if place == 0 else 0.0
        yield Row(f"minimal ratio: {value}", name, truth, float(found[value]), cost, 0.0)
