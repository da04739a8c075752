"""Paths of sets of runs through weight space, with the loss on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gradlab.engine.readers.sitting import Sitting
    from gradlab.measure.measurement import Measurement

__all__ = ["read"]


def read(sitting: Sitting, **settings: Any) -> list[Measurement]:
    """The trajectory of each set of a sitting."""
    from gradlab.measure.trajectory import trajectory

    found: list[Measurement] = []
    for sitter in sitting.sitters:
        weights = np.stack([[shot.weights for shot in member] for member in sitter.members])
        objective = sitting.objective([sitter])
        epochs = [shot.epoch for shot in sitter.members[0]]
        found.append(trajectory(weights, objective.parts, epochs=epochs, loss=objective, **settings))
    return found
