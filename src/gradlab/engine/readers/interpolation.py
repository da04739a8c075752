"""Lines between the two networks of a pair, on training and test data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradlab.engine.readers.sitting import Sitting
    from gradlab.measure.measurement import Measurement

__all__ = ["read"]


def read(sitting: Sitting, **settings: Any) -> list[Measurement]:
    """The interpolation of each pair of a sitting, in the type in which they were trained."""
    from gradlab.measure.interpolation import interpolation

    x, y = sitting.examples()
    data = sitting.data
    found: list[Measurement] = []
    for sitter in sitting.sitters:
        one, two = (sitting.network(member[0]) for member in sitter.members)
        found.append(
            interpolation(
                one,
                two,
                sitting.spec.loss,
                x,
                y,
                x_test=data.test_x,
                y_test=data.test_y,
                same_start=sitter.same_start,
                **settings,
            )
        )
    return found
