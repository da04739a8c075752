"""The critical point that is found from a trained network, as a study declares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from gradlab.study.instruments.base import Count, Instrument, Positive, by_difference, by_ratio
from gradlab.study.known import Known

__all__ = ["CriticalPoint"]


def _flag(means: str) -> Known:
    return by_difference(f"1 where {means}")


class CriticalPoint(Instrument):
    """The point of zero gradient that minimising the gradient's norm finds from a trained network, classified.

    Attributes:
        method: "newton_mr" or "lbfgs" on half the squared norm of the gradient; or "saddle_free", which first lowers
            the loss by Newton steps with |H| and reaches minima of smooth networks.
        tolerance: The gradient norm, relative to the first, at which the search stops.
        steps: Steps after which it gives up.
    """

    kind: Literal["critical_point"] = "critical_point"
    method: Literal["newton_mr", "lbfgs", "saddle_free"] = "newton_mr"
    tolerance: Positive = 1e-8
    steps: Count = 500

    gives: ClassVar[Mapping[str, Known]] = {
        "found": by_difference("1 where a point was found and verified to be critical", worst="low"),
        "minimum": _flag("it is a minimum"),
        "saddle": _flag("it is a saddle"),
        "degenerate": _flag("it has directions of zero curvature and none of negative"),
        "flat": _flag("the search ended where the gradient lies in the null space of the Hessian"),
        "kink": _flag("the search ended on a kink of the loss"),
        "dead": _flag("a layer of the network is dead"),
        "constant": _flag("the network predicts a constant"),
        "index": by_difference("share of negative eigenvalues at the point"),
        "gradient_norm": by_ratio("L2 norm of the gradient at the point"),
        "relative_gradient": by_ratio("the same over the norm where the search began"),
        "loss": by_ratio("loss at the point"),
        "flatness": by_ratio("norm of Hessian times gradient over the product of their norms"),
        "positive": by_difference("share of positive eigenvalues at the point, of all D"),
        "zero": by_difference("share of eigenvalues within the tolerance of 0"),
        "negative": by_difference("share of negative eigenvalues, of all D"),
        "steps": by_ratio("steps of the search"),
    }
