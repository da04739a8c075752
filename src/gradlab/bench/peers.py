"""Estimates of curvature against the exact spectrum: ours, PyHessian's, curvlinops' and hessian-eigenthings'.

Two networks in float64, small enough for their Hessian to be computed by its definition: `reg`, a tanh network of 571
parameters that learns sin(5 pi x) / (5 pi x), and `cls`, a ReLU network 20-40-30-10 that learns ten Gaussian classes.
Each tool is used as its defaults have it, with as much work as the others where that can be set. Rows say how far each
is from the exact answer, which is 0 in every one.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from gradlab.bench.exact import Case, classes, regression

__all__ = ["CHECKS", "PEERS", "measure", "table"]

Array = np.ndarray[Any, np.dtype[Any]]

PEERS = {
    "PyHessian": ("pyhessian", "pyhessian"),
    "curvlinops": ("curvlinops", "curvlinops-for-pytorch"),
    "hessian-eigenthings": ("hessian_eigenthings", "hessian-eigenthings"),
}
"""Tools by name: module and distribution."""

CHECKS = {
    "five largest eigenvalues": "the worst, over the largest",
    "trace": "relative",
    "spectrum by quadrature": "Wasserstein-1 over the largest",
    "copies of the largest eigenvalue": "nodes of a probe beyond one",
}
"""What is compared, and in what unit."""

_PRODUCTS, _PROBES, _STEPS = 99, 10, 100


def measure(updates: int = 1500) -> list[dict[str, Any]]:
    """Errors of all.

    Args:
        updates: Of training before the networks are looked at.

    Returns:
        A row for each network, check and peer: `name`, `unit`, `ours`, `peer` (package and version), `theirs`: None
        where the package is not installed, cannot do it, or fails; then `failure` says so. The row of the trace has
        `stated`, the standard error that we give with it, in the same unit.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the peers' own
            for make in (regression, classes):
                case = make(updates)
                ours = _ours(case)
                for peer in PEERS:
                    rows += _rows(case, ours, peer)
    finally:
        torch.set_num_threads(threads)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows of `measure` as lines of text.

    >>> row = {"name": "reg: trace", "unit": "relative", "ours": 0.01, "peer": "other 1.0", "theirs": 0.114}
    >>> print(table([row, row | {"theirs": None, "failure": "not installed"}]))
    reg: trace (relative): 0.01, other 1.0 0.114
    reg: trace (relative): 0.01, other 1.0 not installed
    """
    return "\n".join(
        f"{row['name']} ({row['unit']}): {row['ours']:.2g}"
        + (f" (stated {row['stated']:.2g})" if "stated" in row else "")
        + f", {row['peer']} "
        + (row["failure"] if row["theirs"] is None else f"{row['theirs']:.3g}")
        for row in rows
    )


def _rows(case: Case, ours: Mapping[str, float], peer: str) -> list[dict[str, Any]]:
    module, distribution = PEERS[peer]
    there = find_spec(module) is not None
    label = f"{peer} {version(distribution)}" if there else peer
    rows: list[dict[str, Any]] = []
    for name, unit in CHECKS.items():
        row = {
            "name": f"{case.name}: {name}",
            "unit": unit,
            "ours": ours[name],
            "peer": label,
            "theirs": None,
        }
        if name == "trace":
            row["stated"] = ours["stated"]
        work = _THEIRS[peer].get(name)
        if not there:
            row["failure"] = "is not installed"
        elif work is None:
            row["failure"] = "does not do it"
        else:
            try:
                row["theirs"] = work(case)
            except Exception as error:  # whatever a peer does on today's versions belongs into its row
                row["failure"] = f"fails: {type(error).__name__}: {str(error)[:70]}"
        rows.append(row)
    return rows


def _ours(case: Case) -> dict[str, float]:
    from gradlab.measure.density import density
    from gradlab.measure.lanczos import top_eigenvalues
    from gradlab.measure.trace import trace

    data: Any = (case.network, case.loss, case.x, case.y)
    spectrum = density(*data, probes=_PROBES, steps=_STEPS)
    nodes, weights = np.asarray(spectrum["nodes"].value), np.asarray(spectrum["weights"].value)
    found = trace(*data, probes=_PRODUCTS)
    size = abs(case.eigenvalues.sum())
    return {
        "five largest eigenvalues": _top(case, np.asarray(top_eigenvalues(*data, k=5)["top"].value)),
        "trace": abs(float(found["trace"]) - case.eigenvalues.sum()) / size,
        "stated": float(np.asarray(found["trace"].error)) / size,
        "spectrum by quadrature": _distance(case, nodes, weights),
        "copies of the largest eigenvalue": _copies(case, nodes),
    }


def _top(case: Case, values: Array) -> float:
    exact = case.eigenvalues[::-1][: len(values)]
    return float(np.abs(np.sort(values)[::-1] - exact).max() / exact[0])


def _trace(case: Case, value: float) -> float:
    return abs(value - case.eigenvalues.sum()) / abs(case.eigenvalues.sum())


def _distance(case: Case, nodes: Array, weights: Array) -> float:
    from scipy.stats import wasserstein_distance

    found = wasserstein_distance(nodes.ravel(), case.eigenvalues, weights.ravel())
    return float(found / np.abs(case.eigenvalues).max())


def _copies(case: Case, nodes: Array) -> float:
    largest = case.eigenvalues[-1]
    return float((np.abs(nodes - largest) < 1e-6 * largest).sum(axis=1).max() - 1)


def _pyhessian(case: Case) -> Any:
    hessian = import_module("pyhessian").hessian
    return hessian(copy.deepcopy(case.network), case.criterion, data=(case.x, case.y), cuda=False)


def _pyhessian_nodes(case: Case) -> tuple[Array, Array]:
    nodes, weights = _pyhessian(case).density(iter=_STEPS, n_v=_PROBES)
    return np.real(np.array(nodes)), np.real(np.array(weights))


def _curvlinops(case: Case) -> Any:
    operator = import_module("curvlinops").HessianLinearOperator
    return operator(case.network, case.criterion, _named(case), [(case.x, case.y)])


def _named(case: Case) -> Any:
    """A list of parameters until release 3.0, by name since."""
    parameters = dict(case.network.named_parameters())
    return parameters if version("curvlinops-for-pytorch") >= "3.1" else list(parameters.values())


def _curvlinops_nodes(case: Case) -> tuple[Array, Array]:
    lanczos = import_module("curvlinops.papyan2020traces.spectrum").fast_lanczos
    found = [lanczos(_curvlinops(case), _STEPS) for _ in range(_PROBES)]
    return np.array([v.numpy() for v, _ in found]), np.array([u[0].numpy() ** 2 for _, u in found])


def _eigenthings(case: Case) -> Any:
    package = import_module("hessian_eigenthings")
    return package.HessianOperator(
        copy.deepcopy(case.network), [(case.x, case.y)], package.supervised_loss(case.criterion)
    )


def _eigenthings_top(case: Case) -> float:
    found = import_module("hessian_eigenthings").lanczos(_eigenthings(case), k=5, which="LA", seed=0)
    return _top(case, found.eigenvalues.numpy())


def _eigenthings_trace(case: Case) -> float:
    found = import_module("hessian_eigenthings").trace(_eigenthings(case), num_matvecs=_PRODUCTS, seed=0)
    return _trace(case, float(getattr(found, "estimate", getattr(found, "trace", np.nan))))


def _eigenthings_nodes(case: Case) -> tuple[Array, Array]:
    estimate = import_module("hessian_eigenthings").spectral_density
    found = estimate(_eigenthings(case), num_runs=_PROBES, lanczos_steps=_STEPS, seed=0)
    return found.raw_eigenvalues.numpy(), found.raw_weights.numpy()


def _curvlinops_trace(case: Case) -> float:
    return _trace(case, float(import_module("curvlinops").hutchpp_trace(_curvlinops(case), _PRODUCTS)))


_THEIRS: dict[str, dict[str, Callable[[Case], float]]] = {
    "PyHessian": {
        "five largest eigenvalues": lambda case: _top(
            case, np.array(_pyhessian(case).eigenvalues(top_n=5)[0])
        ),
        "trace": lambda case: _trace(case, float(np.mean(_pyhessian(case).trace()))),
        "spectrum by quadrature": lambda case: _distance(case, *_pyhessian_nodes(case)),
        "copies of the largest eigenvalue": lambda case: _copies(case, _pyhessian_nodes(case)[0]),
    },
    "curvlinops": {
        "trace": _curvlinops_trace,
        "spectrum by quadrature": lambda case: _distance(case, *_curvlinops_nodes(case)),
        "copies of the largest eigenvalue": lambda case: _copies(case, _curvlinops_nodes(case)[0]),
    },
    "hessian-eigenthings": {
        "five largest eigenvalues": _eigenthings_top,
        "trace": _eigenthings_trace,
        "spectrum by quadrature": lambda case: _distance(case, *_eigenthings_nodes(case)),
        "copies of the largest eigenvalue": lambda case: _copies(case, _eigenthings_nodes(case)[0]),
    },
}
