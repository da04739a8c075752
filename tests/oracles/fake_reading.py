"""Stand-ins for instruments: the weights of each subject, or what goes wrong with some of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np

from gradlab.errors import MeasureError
from gradlab.measure.measurement import Measurement, Value


def weights(sitting):
    """Every weight of every member, as they are."""
    found = []
    for sitter in sitting.sitters:
        each = [shot.weights.astype(float) for member in sitter.members for shot in member]
        rows = np.concatenate(each)
        places = np.arange(float(len(rows)))
        found.append(
            Measurement(
                sitting.kind, {"weights": Value(rows, "weights", axis="row", places=places)}, {}, 2.0, ()
            )
        )
    return found


def _second(sitting):
    """Whether one of the subjects has a second weight below 0."""
    return any(sitter.only.weights[1] < 0 for sitter in sitting.sitters)


def refusing(sitting):
    """Refuses networks whose second weight is negative."""
    if _second(sitting):
        raise MeasureError("the second weight is negative")
    return weights(sitting)


def failing(sitting):
    """Raises an error on networks whose second weight is negative."""
    if _second(sitting):
        raise ZeroDivisionError("the second weight is negative")
    return weights(sitting)


def dying(sitting):
    """Kills its process on networks whose second weight is negative."""
    if _second(sitting):
        os.kill(os.getpid(), signal.SIGKILL)
    return weights(sitting)


def dying_once(sitting):
    """Kills its process, once, the first time that it is called."""
    mark = Path(os.environ["GRADLAB_TEST_MARK"])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return weights(sitting)


class Interrupting:
    """Sends its own process a signal in the n-th call."""

    def __init__(self, call):
        self.left = call

    def __call__(self, sitting):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return weights(sitting)
