"""The spectral density of the Hessian, as a study declares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gradlab.study.instruments.base import Count, Instrument
from gradlab.study.known import Known

__all__ = ["Density"]


class Density(Instrument):
    """The spectral density of the Hessian by stochastic Lanczos quadrature, with a band over probes.

    Attributes:
        probes: Random starting vectors.
        steps: Lanczos steps of each.
    """

    kind: Literal["density"] = "density"
    probes: Count = 10
    steps: Annotated[int, Field(ge=2)] = 80

    gives: ClassVar[Mapping[str, Known]] = {
        "density": Known("density of eigenvalues at a value", scale="difference", axis="value"),
        "cumulative": Known("share of eigenvalues up to a value", scale="difference", axis="value"),
        "nodes": Known("nodes of the quadrature of each probe", shape="array"),
        "weights": Known("weights of these nodes", shape="array"),
    }
