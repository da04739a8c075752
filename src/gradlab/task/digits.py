"""Handwritten digits that come with scikit-learn: real data with no download."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gradlab.component import Component

__all__ = ["Digits"]


class Digits(Component):
    """Classify 1,797 handwritten digits of 8 x 8 pixels, scaled to [0, 1], in ten classes.

    The data are the test set of Alpaydin and Kaynak's *Optical Recognition of Handwritten Digits* (1998), as
    scikit-learn bundles it.

    Attributes:
        test: Share of the examples held out as the test set, drawn from the `data` seed.

    Example:
        >>> Digits().inputs, Digits().outputs, Digits().default_loss
        (64, 10, 'cross_entropy')
    """

    kind: Literal["digits"] = "digits"
    test: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @property
    def size(self) -> int:
        """Number of training examples."""
        return 1797 - round(1797 * self.test)

    @property
    def targets(self) -> str:
        """What is predicted, in words."""
        return "classes"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, as a module sees it; an MLP sees it flat."""
        return (64,)

    @property
    def inputs(self) -> int:
        """Width of the network's input."""
        return 64

    @property
    def outputs(self) -> int:
        """Width of the network's output."""
        return 10

    @property
    def default_loss(self) -> Literal["mse", "cross_entropy"]:
        """The loss where a study names none."""
        return "cross_entropy"

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses that this task's targets allow."""
        return ("cross_entropy",)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What can be measured on this task besides its loss."""
        return ("accuracy",)

    @property
    def has_test(self) -> bool:
        """Whether there is a test set."""
        return self.test > 0

    @property
    def draws(self) -> frozenset[str]:
        """The purposes for which the data draw random numbers."""
        return frozenset({"data"} if self.has_test else ())
