"""Spoilt labels and inputs, as declarations: what a network can fit though there is nothing to learn."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from gradlab.component import Component, Vary, one_of

__all__ = [
    "CORRUPTIONS",
    "Corruption",
    "GaussianInputs",
    "RandomLabels",
    "RandomPixels",
    "ShuffledPixels",
    "WrongLabels",
]

Fraction = Annotated[float, Field(ge=0, le=1)]


class _Labels(Component):
    """Training labels replaced at random; every test label stays true.

    Attributes:
        fraction: Probability with which each label is replaced. Draws are nested: the labels that a smaller
            fraction replaces are replaced by a larger one too, and by the same ones.
    """

    fraction: Fraction = 1.0

    primary: ClassVar[str | None] = "fraction"

    def __init__(self, fraction: Any = None, /, **rest: Any) -> None:
        super().__init__(**(rest if fraction is None else {"fraction": fraction} | rest))

    def label(self) -> str:
        """The kind, with the fraction where it is not 1."""
        whole = isinstance(self.fraction, Vary) or self.fraction == 1
        return super().label() if whole else f"{super().label()} {self.fraction:g}"

    @property
    def draws(self) -> frozenset[str]:
        """The purposes for which random numbers are drawn."""
        return frozenset({"labels"} if isinstance(self.fraction, Vary) or self.fraction > 0 else ())


class RandomLabels(_Labels):
    """Labels drawn uniformly from all K classes, so that one in K stays true (Zhang et al. 2017).

    Attributes:
        fraction: Probability with which each training label is replaced. Draws are nested: the labels that a
            smaller fraction replaces are replaced by a larger one too, and by the same ones.

    Example:
        >>> RandomLabels(0.5).canonical()
        {'fraction': 0.5, 'kind': 'random_labels'}
    """

    kind: Literal["random_labels"] = "random_labels"


class WrongLabels(_Labels):
    """Labels drawn uniformly from the K - 1 wrong classes (Nakkiran et al. 2020): none that is drawn is true.

    Attributes:
        fraction: Probability with which each training label is replaced, nested as in `RandomLabels`.
    """

    kind: Literal["wrong_labels"] = "wrong_labels"


class _Inputs(Component):
    """Inputs without their structure, in the training and the test set; labels stay true."""

    @property
    def draws(self) -> frozenset[str]:
        """The purposes for which random numbers are drawn."""
        return frozenset({"data"})


class ShuffledPixels(_Inputs):
    """The pixels of every image in one random order, the same for all; channels stay together."""

    kind: Literal["shuffled_pixels"] = "shuffled_pixels"


class RandomPixels(_Inputs):
    """The pixels of every image in a random order of its own; channels stay together."""

    kind: Literal["random_pixels"] = "random_pixels"


class GaussianInputs(_Inputs):
    """Gaussian noise in place of every image, with each channel's mean and variance over the training images."""

    kind: Literal["gaussian_inputs"] = "gaussian_inputs"


CORRUPTIONS = (RandomLabels, WrongLabels, ShuffledPixels, RandomPixels, GaussianInputs)
"""Every way to spoil a task."""

Corruption = Annotated[
    RandomLabels | WrongLabels | ShuffledPixels | RandomPixels | GaussianInputs, one_of(*CORRUPTIONS)
]
