"""The instruments that a study can declare, one a file; measuring is done by `gradlab.measure`.

A study lists them in `measure`, a table for each kind in TOML, and its claims take their values as `KIND.VALUE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from gradlab.component import kind_of
from gradlab.study.instruments.base import UNITS as UNITS
from gradlab.study.instruments.base import Instrument as Instrument
from gradlab.study.instruments.critical_point import CriticalPoint as CriticalPoint
from gradlab.study.instruments.density import Density as Density
from gradlab.study.instruments.eigenvalues import Eigenvalues as Eigenvalues
from gradlab.study.instruments.hessian import Hessian as Hessian
from gradlab.study.instruments.interpolation import Interpolation as Interpolation
from gradlab.study.instruments.landscape import Landscape as Landscape
from gradlab.study.instruments.minimal_ratio import MinimalRatio as MinimalRatio
from gradlab.study.instruments.sensitivity import Sensitivity as Sensitivity
from gradlab.study.instruments.sharpness import Sharpness as Sharpness
from gradlab.study.instruments.table import Table
from gradlab.study.instruments.trace import Trace as Trace
from gradlab.study.instruments.trajectory import Trajectory as Trajectory

CLASSES: tuple[type[Instrument], ...] = (
    Hessian,
    Eigenvalues,
    Density,
    Trace,
    CriticalPoint,
    MinimalRatio,
    Trajectory,
    Interpolation,
    Landscape,
    Sensitivity,
    Sharpness,
)
"""Every kind of instrument."""

INSTRUMENTS: Mapping[str, type[Instrument]] = {kind_of(cls): cls for cls in CLASSES}
"""The instruments by kind."""

Measure = Annotated[Mapping[str, Instrument], Table(CLASSES)]
"""The type of the field in which a study lists its instruments."""
