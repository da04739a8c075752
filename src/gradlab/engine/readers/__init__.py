"""Readers: for each kind of declared instrument, how its settings become a call of `gradlab.measure`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradlab.engine.readers.sitting import Sitter as Sitter
from gradlab.engine.readers.sitting import Sitting as Sitting
from gradlab.engine.readers.sitting import Weights as Weights

if TYPE_CHECKING:
    from gradlab.measure.measurement import Measurement

__all__ = ["READERS", "Reader", "Sitter", "Sitting", "Weights", "read"]

FEW = 2_000
"""Networks with at most so many parameters gain by being measured together; larger ones fill the processor alone."""


@dataclass(frozen=True)
class Reader:
    """How one kind of instrument is called.

    Attributes:
        function: Module and name. Either takes an objective and the settings, and gives a measurement for each
            network; or, in `gradlab.engine.readers`, takes a sitting and gives one for each subject.
        settings: Names of the settings that are handed on.
        seeded: Whether it draws.
        together: How many networks it measures at once, where they are small.
    """

    function: str
    settings: tuple[str, ...] = ()
    seeded: bool = True
    together: int = 1

    def width(self, parameters: int) -> int:
        """How many networks of a size are measured together."""
        return self.together if parameters <= FEW else 1

    def read(self, sitting: Sitting) -> list[Measurement]:
        """One measurement for each subject of a sitting."""
        module, _, name = self.function.partition(":")
        call: Any = getattr(import_module(module), name)
        given = {name: getattr(sitting.instrument, name) for name in self.settings}
        if self.seeded:
            given["seed"] = sitting.seed
        if module.startswith(__name__):
            return call(sitting, **given)
        found: list[Measurement] = call(sitting.objective(), **given)
        return [found[slot] for slot in sitting.slots]


_OWN = "gradlab.engine.readers"

READERS: Mapping[str, Reader] = {
    "hessian": Reader("gradlab.measure.hessian:spectrum_of", ("part", "of"), seeded=False, together=4),
    "eigenvalues": Reader("gradlab.measure.lanczos:extremes_of", ("top", "bottom", "steps")),
    "density": Reader("gradlab.measure.density:density_of", ("probes", "steps")),
    "trace": Reader("gradlab.measure.trace:trace_of", ("probes", "method")),
    "critical_point": Reader(
        "gradlab.measure.critical:critical_points", ("method", "tolerance", "steps"), seeded=False
    ),
    "minimal_ratio": Reader(
        "gradlab.measure.minimal_ratio:minimal_ratios",
        ("threshold", "critical", "method", "tolerance", "steps", "only"),
        seeded=False,
    ),
    "sensitivity": Reader("gradlab.measure.sensitivity:sensitivity_of", ("sizes",)),
    "sharpness": Reader(
        "gradlab.measure.sharpness:sharpness_of", ("epsilon", "rho", "rho_adaptive", "directions")
    ),
    "interpolation": Reader(
        f"{_OWN}.interpolation:read", ("low", "high", "points", "batch_norm", "align", "path")
    ),
    "landscape": Reader(f"{_OWN}.landscape:read", ("directions", "span", "points")),
    "trajectory": Reader(f"{_OWN}.trajectory:read", ("parts", "units", "biases", "before")),
}
"""The reader of each kind of instrument."""


def read(sitting: Sitting) -> list[Measurement]:
    """Measure the subjects of a sitting.

    Args:
        sitting: Subjects, data and instrument.

    Returns:
        One measurement for each subject.

    Raises:
        MeasureError: The instrument refuses one of them, and says why.
    """
    return READERS[sitting.kind].read(sitting)
