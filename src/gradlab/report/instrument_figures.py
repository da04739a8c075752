"""The figures of what instruments measured: for each kind of instrument, what draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from gradlab.report import measured
from gradlab.report.figures.figure import Figure
from gradlab.report.interpolation_figures import interpolation_figures
from gradlab.report.landscape_figures import landscape_figures
from gradlab.report.ratio_figures import critical_figures, ratio_figures
from gradlab.report.sensitivity_figures import sensitivity_figures
from gradlab.report.spectrum_figures import density_figures, hessian_figures, number_figures
from gradlab.report.trajectory_figures import trajectory_figures
from gradlab.report.view import ResultView

__all__ = ["DRAWN", "instrument_figures"]

DRAWN: Final[Mapping[str, Callable[[ResultView], list[Figure]]]] = {
    "trajectory": trajectory_figures,
    "interpolation": interpolation_figures,
    "minimal_ratio": ratio_figures,
    "critical_point": critical_figures,
    "sensitivity": sensitivity_figures,
    "landscape": landscape_figures,
    "hessian": hessian_figures,
    "density": density_figures,
    "eigenvalues": number_figures("eigenvalues", ("largest", "smallest")),
    "trace": number_figures("trace", ("trace",)),
    "sharpness": number_figures("sharpness", ("sam", "adaptive", "keskar", "pac_bayes")),
}
"""What draws each kind of instrument."""


def instrument_figures(result: ResultView) -> list[Figure]:
    """The figures of all instruments of a study, in the order in which it declares them."""
    return [figure for kind in measured.declared(result) if kind in DRAWN for figure in DRAWN[kind](result)]
