"""The exact Hessian and its spectrum, as a study declares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gradlab.study.instruments.base import Instrument, by_difference, by_ratio
from gradlab.study.known import Known

__all__ = ["Hessian"]


class Hessian(Instrument):
    """The exact Hessian of the mean loss in float64, symmetrised, with its spectrum and inertia.

    Attributes:
        part: "network", or the name of one parameter tensor.
        of: The Hessian of the loss, or its generalised Gauss-Newton part, which has no negative eigenvalues.

    Example:
        >>> Hessian(part="2.weight").canonical()
        {'kind': 'hessian', 'part': '2.weight'}
    """

    kind: Literal["hessian"] = "hessian"
    part: Annotated[str, Field(min_length=1)] = "network"
    of: Literal["loss", "gauss_newton"] = "loss"

    gives: ClassVar[Mapping[str, Known]] = {
        "positive": by_difference("share of eigenvalues above the tolerance, of all D"),
        "zero": by_difference("share of eigenvalues within the tolerance of 0"),
        "negative": by_difference("share of eigenvalues below minus the tolerance"),
        "nonzero_positive": by_difference("share of positive ones among the eigenvalues that are not zero"),
        "raw_positive": by_difference("share of eigenvalues above 0, without tolerance"),
        "tolerance": by_ratio("half the width of the band in which an eigenvalue counts as zero"),
        "stable": by_difference(
            "1 where the counts are the same at a tenth and at ten times the tolerance", worst="low"
        ),
        "largest": by_ratio("the largest eigenvalue"),
        "smallest": by_difference("the smallest eigenvalue", worst="low"),
        "trace": by_difference("sum of the eigenvalues"),
        "frobenius": by_ratio("Frobenius norm"),
        "asymmetry": by_ratio(
            "largest difference across the diagonal before symmetrising, relative to the largest entry"
        ),
        "eigenvalues": Known(
            "all eigenvalues, the largest first", shape="series", scale="difference", axis="rank"
        ),
    }
