"""The straight line between two networks, as a study declares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gradlab.study.instruments.base import Instrument, Scope, by_difference, by_ratio
from gradlab.study.known import Known

__all__ = ["Interpolation"]

LevelName = Annotated[str, Field(min_length=1)]


def _loss(means: str) -> Known:
    return Known(means, axis="alpha")


def _accuracy(means: str) -> Known:
    return Known(means, worst="low", scale="difference", axis="alpha")


class Interpolation(Instrument):
    """Loss and accuracy along the line (1 - alpha) w0 + alpha w1 between two networks, and the barrier on it.

    Attributes:
        between: Two levels of one factor, whose runs of equal replicate are the pairs; or "replicates": replicates
            0 and 1, 2 and 3, ... of each condition.
        low: The smallest alpha.
        high: The largest alpha.
        points: How many alphas; 0 and 1 are always among them.
        batch_norm: What becomes of running statistics between the ends: "recompute" takes them anew on training
            data at each alpha, "interpolate" takes the mean of the ends', "batch" those of each batch.
        align: Whether the second network's units are first permuted to match the first's, by weights or activations.
        path: A straight line, or a quadratic Bezier curve trained for low loss.

    Example:
        >>> Interpolation(between=("b64", "b1024")).between
        ('b64', 'b1024')
    """

    kind: Literal["interpolation"] = "interpolation"
    between: Literal["replicates"] | tuple[LevelName, LevelName] = "replicates"
    low: float = -1.0
    high: float = 2.0
    points: Annotated[int, Field(ge=2)] = 31
    batch_norm: Literal["recompute", "interpolate", "batch"] = "recompute"
    align: Literal["none", "weights", "activations"] = "none"
    path: Literal["line", "bezier"] = "line"

    scope: ClassVar[Scope] = "pair"
    choosing: ClassVar[frozenset[str]] = frozenset({"at", "between"})
    gives: ClassVar[Mapping[str, Known]] = {
        "loss": _loss("training loss along the line"),
        "loss.test": _loss("test loss along the line"),
        "accuracy": _accuracy("training accuracy along the line"),
        "accuracy.test": _accuracy("test accuracy along the line"),
        "barrier": by_difference(
            "largest training loss on [0, 1] above the straight line between the ends' (Entezari 2022)"
        ),
        "barrier.test": by_difference(
            "largest test loss on [0, 1] above the straight line between the ends' (Entezari 2022)"
        ),
        "barrier_mean": by_difference(
            "largest training loss on [0, 1] above the mean of the ends' (Frankle 2020)"
        ),
        "barrier_mean.test": by_difference(
            "largest test loss on [0, 1] above the mean of the ends' (Frankle 2020)"
        ),
        "barrier_worse": by_difference("largest training loss on [0, 1] above that of the worse end"),
        "barrier_worse.test": by_difference("largest test loss on [0, 1] above that of the worse end"),
        "barrier_error": by_difference(
            "largest training error on [0, 1] above the straight line between the ends'"
        ),
        "barrier_error.test": by_difference(
            "largest test error on [0, 1] above the straight line between the ends'"
        ),
        "barrier_mean_error": by_difference("largest training error on [0, 1] above the mean of the ends'"),
        "barrier_mean_error.test": by_difference("largest test error on [0, 1] above the mean of the ends'"),
        "barrier_worse_error": by_difference("largest training error on [0, 1] above that of the worse end"),
        "barrier_worse_error.test": by_difference("largest test error on [0, 1] above that of the worse end"),
        "distance": by_ratio("L2 distance of the two weight vectors"),
        "cosine": by_difference("cosine of the angle between them, seen from the origin"),
        "same_start": by_difference("1 where the two began at the same initial weights"),
        "loss_0": by_ratio("training loss of the first end"),
        "accuracy_0": by_difference("training accuracy of the first end", worst="low"),
        "loss_1": by_ratio("training loss of the second end"),
        "accuracy_1": by_difference("training accuracy of the second end", worst="low"),
        "loss_0.test": by_ratio("test loss of the first end"),
        "accuracy_0.test": by_difference("test accuracy of the first end", worst="low"),
        "loss_1.test": by_ratio("test loss of the second end"),
        "accuracy_1.test": by_difference("test accuracy of the second end", worst="low"),
    }

    def examine(self) -> None:
        """Refuse lines without both ends, and several epochs.

        Raises:
            ValueError: 0 or 1 lies outside, the two levels are one, or `at` names several epochs.
        """
        if self.low > 0 or self.high < 1:
            raise ValueError(
                f"alphas from {self.low:g} to {self.high:g} leave out an end: low <= 0, high >= 1"
            )
        if isinstance(self.between, tuple) and self.between[0] == self.between[1]:
            raise ValueError(f"between names {self.between[0]!r} twice")
        if self.at != "last" and not isinstance(self.at, int):
            raise ValueError("pairs are measured at one epoch")
