"""What the values of instruments are called in sentences and on axes, and what kind of number each is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

__all__ = ["AXES", "VALUES", "number_kind", "value_words"]

Kind = Literal["plain", "share", "accuracy", "points"]

VALUES: Final[Mapping[str, str]] = {
    "hessian.positive": "share of positive Hessian eigenvalues",
    "hessian.zero": "share of Hessian eigenvalues that are zero",
    "hessian.negative": "share of negative Hessian eigenvalues",
    "hessian.nonzero_positive": "share of positive ones among the Hessian eigenvalues that are not zero",
    "hessian.raw_positive": "share of Hessian eigenvalues above 0, rounding errors included",
    "hessian.tolerance": "zero band of the Hessian eigenvalues",
    "hessian.stable": "counts of eigenvalues stable against the zero band",
    "hessian.largest": "largest Hessian eigenvalue",
    "hessian.smallest": "smallest Hessian eigenvalue",
    "hessian.trace": "Hessian trace",
    "hessian.frobenius": "Frobenius norm of the Hessian",
    "hessian.asymmetry": "asymmetry of the Hessian",
    "hessian.eigenvalues": "Hessian eigenvalue",
    "eigenvalues.top": "eigenvalue from the top",
    "eigenvalues.bottom": "eigenvalue from the bottom",
    "eigenvalues.residual": "worst relative residual of the eigenvalues",
    "eigenvalues.converged": "eigenvalues converged",
    "eigenvalues.largest": "largest Hessian eigenvalue",
    "eigenvalues.smallest": "smallest Hessian eigenvalue",
    "density.density": "density of Hessian eigenvalues",
    "density.cumulative": "share of Hessian eigenvalues up to a value",
    "trace.trace": "Hessian trace (estimated)",
    "trace.frobenius": "Frobenius norm of the Hessian (estimated)",
    "trace.frobenius_squared": "sum of squared Hessian eigenvalues (estimated)",
    "trace.layers": "Hessian trace of a parameter tensor (estimated)",
    "trace.mean": "mean Hessian eigenvalue (estimated)",
    "critical_point.found": "critical point found and verified",
    "critical_point.minimum": "a minimum",
    "critical_point.saddle": "a saddle",
    "critical_point.degenerate": "a degenerate critical point",
    "critical_point.flat": "a point where the gradient is flat",
    "critical_point.kink": "pinned at a kink",
    "critical_point.dead": "a dead network",
    "critical_point.constant": "a constant network",
    "critical_point.index": "share of negative eigenvalues where the search ended",
    "critical_point.gradient_norm": "gradient norm where the search ended",
    "critical_point.relative_gradient": "gradient norm where the search ended, relative to its start",
    "critical_point.loss": "loss where the search ended",
    "critical_point.flatness": "flatness of the gradient where the search ended",
    "critical_point.positive": "share of positive eigenvalues where the search ended",
    "critical_point.zero": "share of eigenvalues that are zero where the search ended",
    "critical_point.negative": "share of negative eigenvalues where the search ended",
    "critical_point.steps": "steps of the search for a critical point",
    "minimal_ratio.hessian": "minimal ratio (whole Hessian, float32, no zero band)",
    "minimal_ratio.layers": "minimal ratio (layer by layer)",
    "minimal_ratio.small_weights": "minimal ratio (small weights)",
    "minimal_ratio.inertia": "minimal ratio (float64, with a zero band)",
    "minimal_ratio.zero": "share of eigenvalues in the zero band",
    "minimal_ratio.negative": "share of eigenvalues below the zero band",
    "minimal_ratio.inertia_nonzero": "share of positive ones among the eigenvalues outside the zero band",
    "minimal_ratio.stable": "counts of eigenvalues stable against the zero band",
    "minimal_ratio.gradient_norm": "mean layer-wise gradient norm",
    "minimal_ratio.layer_gradient_norm": "mean gradient norm of the weight matrices",
    "minimal_ratio.zero_gradient": "gradient exactly zero",
    "minimal_ratio.at_critical": "taken at a verified critical point",
    "trajectory.explained": "share of the variance on a component",
    "trajectory.null": "share of the variance on a component, random walks",
    "trajectory.own": "share of a run's own variance on a component",
    "trajectory.null_own": "share of a walk's own variance on a component, random walks",
    "trajectory.explained_two": "share of the first two components",
    "trajectory.null_two": "share of the first two components in random walks",
    "trajectory.null_two_high": "97.5 % limit over random walks",
    "trajectory.above_null": "first two components above random walks",
    "trajectory.own_explained_two": "share of the first two components of a run by itself",
    "trajectory.own_null_two": "share of the first two components of a random walk by itself",
    "trajectory.own_null_two_high": "97.5 % limit over random walks by themselves",
    "trajectory.own_above_null": "first two components of a run by itself above random walks",
    "trajectory.between": "share of the variance between runs",
    "trajectory.within": "share of the variance within runs",
    "trajectory.off_plane": "relative distance from the plane of two components",
    "trajectory.end_spread": "distance between ends over that between starts",
    "trajectory.separation": "distance between ends over the length of a path",
    "trajectory.end_cosine": "cosine between the ends of two runs",
    "trajectory.move_cosine": "cosine between the moves of two runs",
    "trajectory.persistence": "cosine between successive steps",
    "trajectory.path_length": "length of a path",
    "trajectory.start_distance": "distance between the starts of two runs",
    "trajectory.end_distance": "distance between the ends of two runs",
    "interpolation.loss": "training loss on the line",
    "interpolation.loss.test": "test loss on the line",
    "interpolation.accuracy": "training accuracy on the line",
    "interpolation.accuracy.test": "test accuracy on the line",
    "interpolation.barrier": "training loss barrier",
    "interpolation.barrier.test": "test loss barrier",
    "interpolation.barrier_mean": "training loss barrier above the mean of the ends",
    "interpolation.barrier_mean.test": "test loss barrier above the mean of the ends",
    "interpolation.barrier_worse": "training loss barrier above the worse end",
    "interpolation.barrier_worse.test": "test loss barrier above the worse end",
    "interpolation.barrier_error": "training error barrier",
    "interpolation.barrier_error.test": "test error barrier",
    "interpolation.barrier_mean_error": "training error barrier above the mean of the ends",
    "interpolation.barrier_mean_error.test": "test error barrier above the mean of the ends",
    "interpolation.barrier_worse_error": "training error barrier above the worse end",
    "interpolation.barrier_worse_error.test": "test error barrier above the worse end",
    "interpolation.distance": "distance between the two networks",
    "interpolation.cosine": "cosine between the two networks",
    "interpolation.same_start": "same initial weights",
    "interpolation.loss_0": "training loss of the first end",
    "interpolation.loss_1": "training loss of the second end",
    "interpolation.accuracy_0": "training accuracy of the first end",
    "interpolation.accuracy_1": "training accuracy of the second end",
    "interpolation.loss_0.test": "test loss of the first end",
    "interpolation.loss_1.test": "test loss of the second end",
    "interpolation.accuracy_0.test": "test accuracy of the first end",
    "interpolation.accuracy_1.test": "test accuracy of the second end",
    "landscape.loss": "loss on a plane of random directions",
    "landscape.centre": "loss of the network itself",
    "landscape.curvature": "curvature along a random direction",
    "landscape.cosine": "cosine between the directions of a plane",
    "landscape.rise": "mean rise of the loss on a plane",
    "landscape.spread": "spread of the curvature over directions",
    "sensitivity.fixed": "mean gradient norm of the parameter tensors, fixed data",
    "sensitivity.gradient": "gradient norm, fixed data",
    "sensitivity.input_gradient": "gradient of the loss by the input",
    "sensitivity.jacobian": "Jacobian of the outputs by the input",
    "sensitivity.jacobian_logits": "Jacobian of the logits by the input",
    "sensitivity.jacobian_squared": "squared Jacobian of the outputs by the input",
    "sensitivity.margin": "distance to the nearest class boundary",
    "sensitivity.minibatch": "mean gradient norm of the parameter tensors, random minibatches",
    "sensitivity.minibatch_squared": "squared gradient norm of random minibatches",
    "sensitivity.minibatch_expected": "squared gradient norm expected of minibatches",
    "sensitivity.noise": "gradient noise of one example",
    "sensitivity.noise_scale": "gradient noise scale (examples)",
    "sharpness.keskar": "Keskar's sharpness (%)",
    "sharpness.keskar_subspace": "Keskar's sharpness in a random subspace (%)",
    "sharpness.sam": "rise of the loss in a ball (SAM)",
    "sharpness.sam_one_step": "rise of the loss in a ball (SAM, one step)",
    "sharpness.sam_average": "mean rise of the loss in a ball",
    "sharpness.adaptive": "adaptive sharpness, worst case",
    "sharpness.adaptive_average": "adaptive sharpness, average case",
    "sharpness.pac_bayes_sigma": "noise on the weights that the network bears",
    "sharpness.pac_bayes": "PAC-Bayes sharpness",
    "sharpness.pac_bayes_magnitude": "PAC-Bayes sharpness, relative to the weights",
    "sharpness.pac_bayes_magnitude_sigma": "noise relative to the weights that the network bears",
    "sharpness.worst": "sharpness by the worst relative change",
    "sharpness.worst_alpha": "worst relative change that the network bears",
    "sharpness.trace": "Hessian trace (estimated)",
    "sharpness.largest": "largest Hessian eigenvalue",
}
"""What a value of an instrument is called, by `KIND.VALUE`."""

AXES: Final[Mapping[str, str]] = {
    "alpha": "α",
    "rank": "rank",
    "component": "component",
    "batch": "minibatch size",
    "value": "eigenvalue",
    "tensor": "tensor",
    "pair": "pair of directions",
}
"""What an instrument's own axis is called."""

_SHARES: Final = {
    "hessian": ("positive", "zero", "negative", "nonzero_positive", "raw_positive"),
    "critical_point": ("index", "positive", "zero", "negative"),
    "minimal_ratio": (
        *("hessian", "layers", "small_weights", "inertia", "zero", "negative", "inertia_nonzero"),
    ),
    "trajectory": (
        *("explained", "null", "own", "null_own", "explained_two", "null_two", "null_two_high"),
        *("own_explained_two", "own_null_two", "own_null_two_high", "between", "within"),
    ),
    "density": ("cumulative",),
}


def value_words(name: str) -> str:
    """A value of an instrument in words.

    Args:
        name: As in `trajectory.explained_two`.

    Returns:
        The words; the name without underscores where there are none, and nothing if it names no instrument.

    Example:
        >>> value_words("trajectory.explained_two"), value_words("interpolation.accuracy.test")
        ('share of the first two components', 'test accuracy on the line')
    """
    return VALUES.get(name, "")


def number_kind(kind: str, value: str) -> Kind:
    """What kind of number a value is: a share, an accuracy, a difference of accuracies, or none of these.

    Example:
        >>> number_kind("interpolation", "barrier_error.test"), number_kind("trajectory", "explained_two")
        ('points', 'share')
    """
    if value in _SHARES.get(kind, ()):
        return "share"
    if kind == "interpolation" and "error" in value:
        return "points"
    return "accuracy" if kind == "interpolation" and value.startswith("accuracy") else "plain"
