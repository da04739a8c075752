"""Measures of sharpness, as a study declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from gradlab.study.instruments.base import Count, Instrument, Positive, by_difference, by_ratio
from gradlab.study.known import Known

__all__ = ["Sharpness"]


class Sharpness(Instrument):
    """How the loss rises around a network, in the measures of the literature, each under its own name.

    Attributes:
        epsilon: Half the side of Keskar's box, relative to 1 + |w|.
        rho: Radius of the ball of SAM.
        rho_adaptive: Radius of adaptive sharpness, as a share of the weights.
        directions: Random directions of the average cases, and dimension of Keskar's subspace.
    """

    kind: Literal["sharpness"] = "sharpness"
    epsilon: Positive = 1e-3
    rho: Positive = 0.05
    rho_adaptive: Positive = 0.5
    directions: Count = 100

    gives: ClassVar[Mapping[str, Known]] = {
        "keskar": by_ratio("Keskar's sharpness in the full space, in per cent"),
        "keskar_subspace": by_ratio("Keskar's sharpness in a random subspace, in per cent"),
        "sam": by_ratio("largest rise of the loss in a ball of radius rho, by several steps of ascent"),
        "sam_one_step": by_ratio("rise of the loss after SAM's one step of length rho"),
        "sam_average": by_ratio("mean rise of the loss over random steps of length rho"),
        "adaptive": by_ratio("largest rise of the loss over steps in proportion to the weights"),
        "adaptive_average": by_ratio("mean rise of the loss over random steps in proportion to the weights"),
        "pac_bayes_sigma": by_ratio(
            "standard deviation of Gaussian noise on the weights that costs the named loss", worst="low"
        ),
        "pac_bayes": by_ratio("1 / sigma^2"),
        "pac_bayes_magnitude": by_ratio("1 / sigma^2 with noise in proportion to the weights"),
        "pac_bayes_magnitude_sigma": by_ratio(
            "standard deviation of noise in proportion to the weights that costs the same", worst="low"
        ),
        "worst": by_ratio("1 / alpha^2"),
        "worst_alpha": by_ratio(
            "largest relative change of all weights that keeps the loss within the limit"
        ),
        "trace": by_difference("trace of the Hessian, estimated"),
        "largest": by_ratio("largest eigenvalue of the Hessian"),
    }
