"""The four minimal ratios side by side, as a study declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from gradlab.study.instruments.base import Count, Instrument, Positive, by_difference, by_ratio
from gradlab.study.known import Known

__all__ = ["MinimalRatio"]

DEFINITIONS = ("hessian", "layers", "small_weights", "inertia")


class MinimalRatio(Instrument):
    """The minimal ratio in the four definitions of the reports, each under its own name.

    Attributes:
        threshold: Below this magnitude a weight counts as near zero.
        critical: Whether the sound ratio is taken at the critical point that is found from the network.
        method: How that point is searched for, as for `critical_point`.
        tolerance: As for `critical_point`.
        steps: As for `critical_point`.
        only: The definitions to take; all where not given (networks too large for a Hessian have only some).
    """

    kind: Literal["minimal_ratio"] = "minimal_ratio"
    threshold: Positive = 1e-3
    critical: bool = False
    method: Literal["newton_mr", "lbfgs", "saddle_free"] = "newton_mr"
    tolerance: Positive = 1e-8
    steps: Count = 500
    only: tuple[Literal["hessian", "layers", "small_weights", "inertia"], ...] = ()

    gives: ClassVar[Mapping[str, Known]] = {
        "hessian": by_difference(
            "share of eigenvalues above 0 of the whole Hessian in float32, not symmetrised, without tolerance"
        ),
        "layers": by_difference(
            "mean over layers of the share of positive eigenvalues of the layer's own block"
        ),
        "small_weights": by_difference("share of weights below the threshold in magnitude"),
        "inertia": by_difference("share of eigenvalues above the zero band of the whole Hessian in float64"),
        "zero": by_difference("share of eigenvalues inside the zero band"),
        "negative": by_difference("share of eigenvalues below the zero band"),
        "inertia_nonzero": by_difference(
            "share of positive ones among the eigenvalues outside the zero band"
        ),
        "stable": by_difference(
            "1 where the counts are the same at a tenth and at ten times the tolerance", worst="low"
        ),
        "gradient_norm": by_ratio("L2 norm of the full-batch gradient, biases included"),
        "layer_gradient_norm": by_ratio(
            "mean over weight matrices of the L2 norm of the full-batch gradient"
        ),
        "zero_gradient": by_difference("1 where that mean is exactly 0"),
        "at_critical": by_difference("1 where the inertia is that of a verified critical point", worst="low"),
    }

    def examine(self) -> None:
        """Refuse a definition that is named twice.

        Raises:
            ValueError: One is.
        """
        if len(set(self.only)) < len(self.only):
            raise ValueError("only names a definition twice")
