"""Instruments: what can be said of a network, its loss and its gradient, each in a file named for it.

`gradlab.measure.spectrum(network, loss, x, y)` and its like take any `torch.nn.Module` and give a `Measurement`. Names
are imported when they are first used, so that importing this room does not import torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradlab.measure.accuracy import accuracy as accuracy
    from gradlab.measure.accuracy import tolerance_accuracy as tolerance_accuracy
    from gradlab.measure.against_gap import AgainstGap as AgainstGap
    from gradlab.measure.against_gap import against_gap as against_gap
    from gradlab.measure.alignment import align as align
    from gradlab.measure.barrier import barrier as barrier
    from gradlab.measure.bezier import bezier as bezier
    from gradlab.measure.constant import predicts_constant as predicts_constant
    from gradlab.measure.critical import critical_point as critical_point
    from gradlab.measure.data import examples_of as examples_of
    from gradlab.measure.dead import dead_layer as dead_layer
    from gradlab.measure.dead import dead_units as dead_units
    from gradlab.measure.density import density as density
    from gradlab.measure.gradient_norm import layer_norms as layer_norms
    from gradlab.measure.gradient_norm import mean_weight_norm as mean_weight_norm
    from gradlab.measure.gradient_norm import total_norm as total_norm
    from gradlab.measure.hessian import hessian_matrix as hessian_matrix
    from gradlab.measure.hessian import spectrum as spectrum
    from gradlab.measure.inertia import inertia as inertia
    from gradlab.measure.interpolation import interpolation as interpolation
    from gradlab.measure.jacobian import jacobian as jacobian
    from gradlab.measure.lanczos import top_eigenvalues as top_eigenvalues
    from gradlab.measure.landscape import landscape as landscape
    from gradlab.measure.measurement import Measurement as Measurement
    from gradlab.measure.measurement import Value as Value
    from gradlab.measure.minimal_ratio import minimal_ratio as minimal_ratio
    from gradlab.measure.objective import Objective as Objective
    from gradlab.measure.pac_bayes import pac_bayes as pac_bayes
    from gradlab.measure.products import product as product
    from gradlab.measure.sensitivity import sensitivity as sensitivity
    from gradlab.measure.sharpness import sharpness as sharpness
    from gradlab.measure.trace import trace as trace
    from gradlab.measure.trajectory import trajectory as trajectory
    from gradlab.measure.walk import random_walk_share as random_walk_share
    from gradlab.measure.weight_norm import weight_norm as weight_norm

_HOMES = {
    "accuracy": "accuracy tolerance_accuracy",
    "against_gap": "AgainstGap against_gap",
    "alignment": "align",
    "barrier": "barrier",
    "bezier": "bezier",
    "constant": "predicts_constant",
    "critical": "critical_point",
    "data": "examples_of",
    "dead": "dead_layer dead_units",
    "density": "density",
    "gradient_norm": "layer_norms mean_weight_norm total_norm",
    "hessian": "hessian_matrix spectrum",
    "inertia": "inertia",
    "interpolation": "interpolation",
    "jacobian": "jacobian",
    "lanczos": "top_eigenvalues",
    "landscape": "landscape",
    "measurement": "Measurement Value",
    "minimal_ratio": "minimal_ratio",
    "objective": "Objective",
    "pac_bayes": "pac_bayes",
    "products": "product",
    "sensitivity": "sensitivity",
    "sharpness": "sharpness",
    "trace": "trace",
    "trajectory": "trajectory",
    "walk": "random_walk_share",
    "weight_norm": "weight_norm",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = list(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]


class _Room(ModuleType):
    """A package in which `density` is the instrument, and not the file that it lies in, whichever came first."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Room


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
