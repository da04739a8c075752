"""The trace of the Hessian, as a study declares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from gradlab.study.instruments.base import Count, Instrument, by_difference, by_ratio
from gradlab.study.known import Known

__all__ = ["Trace"]


class Trace(Instrument):
    """The trace and the Frobenius norm of the Hessian from random probes, with their standard errors.

    Attributes:
        probes: Random vectors.
        method: "hutchinson", or "hutch++", which takes the largest part out first.
    """

    kind: Literal["trace"] = "trace"
    probes: Count = 100
    method: Literal["hutch++", "hutchinson"] = "hutch++"

    gives: ClassVar[Mapping[str, Known]] = {
        "trace": by_difference("sum of the eigenvalues, estimated"),
        "frobenius": by_ratio("Frobenius norm, estimated"),
        "frobenius_squared": by_ratio("sum of the squared eigenvalues, estimated without bias"),
        "layers": Known(
            "trace of the block of each parameter tensor, estimated", scale="difference", axis="tensor"
        ),
        "mean": by_difference("mean eigenvalue: the trace over D, estimated"),
    }
