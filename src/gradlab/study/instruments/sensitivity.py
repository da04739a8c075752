"""Four sensitivities, named apart, as a study declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from gradlab.study.instruments.base import Count, Instrument, by_ratio
from gradlab.study.known import Known

__all__ = ["Sensitivity"]


class Sensitivity(Instrument):
    """How gradients and outputs of a network answer to its weights and inputs, all on the same data.

    Attributes:
        sizes: Sizes of random minibatches for the gradient's norm and noise; none where empty.
    """

    kind: Literal["sensitivity"] = "sensitivity"
    sizes: tuple[Count, ...] = ()

    gives: ClassVar[Mapping[str, Known]] = {
        "fixed": by_ratio(
            "mean over parameter tensors of the L2 norm of the tensor's gradient on the fixed data"
        ),
        "gradient": by_ratio("L2 norm of the whole gradient on the fixed data"),
        "input_gradient": by_ratio(
            "mean over examples of the L2 norm of the gradient of the loss by the input"
        ),
        "jacobian": by_ratio(
            "mean over examples of the Frobenius norm of the Jacobian of the probabilities by the input (of the "
            "outputs, for regression)"
        ),
        "jacobian_logits": by_ratio("the same of the logits"),
        "jacobian_squared": by_ratio(
            "mean over examples of the squared Frobenius norm of the Jacobian of the probabilities"
        ),
        "margin": by_ratio(
            "median distance to the nearest class boundary in the input, to first order", worst="low"
        ),
        "minibatch": Known(
            "mean over random minibatches of a size of the mean over tensors of the gradient's L2 norm",
            axis="batch",
        ),
        "minibatch_squared": Known(
            "mean over random minibatches of a size of the squared L2 norm of the gradient", axis="batch"
        ),
        "minibatch_expected": Known(
            "what the squared norm is expected to be at a size, from the noise", axis="batch"
        ),
        "noise": by_ratio("trace of the covariance of one example's gradient"),
        "noise_scale": by_ratio("the noise over the squared norm of the whole gradient, in examples"),
    }

    def examine(self) -> None:
        """Refuse sizes that are named twice.

        Raises:
            ValueError: One is.
        """
        if len(set(self.sizes)) < len(self.sizes):
            raise ValueError("sizes names a size twice")
