"""The names that the grammar of quantities knows, with their definitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["BY_PLACE", "IN_TRAINING", "KNOWN", "OF_MINIBATCHES", "REDUCERS", "SPLITS", "THRESHOLDS", "Known"]


@dataclass(frozen=True)
class Known:
    """What the grammar knows about a recorded quantity.

    Attributes:
        means: The definition in a few words.
        splits: Names of `SPLITS` that say where and how else it may be taken (`loss.test`).
        shape: `series` (one number an epoch, or for each place along `axis`), `scalar` (one number a run; for an
            instrument one for each run, pair or set) or `array` (recorded or measured, not judged).
        worst: `high` where a large value is the bad end (losses, epochs), `low` for accuracies.
        scale: `ratio` where values are compared by their quotient, `difference` otherwise.
        performance: Whether it says how well a network learned, so that a dead network ranks worst on it.
        axis: What the places of an instrument's series are ("alpha", "rank"); empty for series over epochs.
    """

    means: str
    splits: tuple[str, ...] = ()
    shape: Literal["series", "scalar", "array"] = "series"
    worst: Literal["high", "low"] = "high"
    scale: Literal["ratio", "difference"] = "ratio"
    performance: bool = False
    axis: str = ""


SPLITS: Final[dict[str, str]] = {
    "test": "on the test set",
    "validation": "on the training examples held out for validation",
    "running": "mean over the examples of the epoch as they were trained on: in training mode, augmented, while the "
    "weights moved",
    "batch_sum": "sum over the epoch's minibatches of their mean losses, as they were trained on",
    "last_batch": "mean over the epoch's last minibatch, before its step",
    "augmented": "of a full pass over freshly augmented training examples",
    "test_training_mode": "on the test set with the network in training mode, so that dropout is active",
}
"""Where and how a quantity is taken if not by a full pass over the training set in evaluation mode."""

IN_TRAINING: Final = ("running", "batch_sum", "last_batch")
"""The splits that training itself measures, in the course of an epoch and so from epoch 1 on."""

OF_MINIBATCHES: Final = ("gradient_norm_batch", "sensitivity_batch")
"""The quantities that training takes from the last minibatch of an epoch, and so from epoch 1 on."""

_HELD_OUT = ("test", "validation")

KNOWN: Final[dict[str, Known]] = {
    "loss": Known(
        "mean loss of a full pass at the stored weights, weight decay not inside",
        tuple(SPLITS),
        performance=True,
    ),
    "accuracy": Known(
        "share of examples classified correctly",
        (*_HELD_OUT, "running", "augmented", "test_training_mode"),
        worst="low",
        scale="difference",
        performance=True,
    ),
    "loss_gap": Known("generalisation gap: test loss less training loss, full passes", scale="difference"),
    "accuracy_gap": Known(
        "generalisation gap: training accuracy less test accuracy, full passes", scale="difference"
    ),
    "tolerance_accuracy": Known(
        "share of outputs within 0.1 of the target",
        _HELD_OUT,
        worst="low",
        scale="difference",
        performance=True,
    ),
    "gradient_norm": Known("L2 norm of the gradient of the full-batch loss, weight decay not inside"),
    "gradient_norm_batch": Known("L2 norm of the last minibatch gradient of the epoch, before its step"),
    "sensitivity_batch": Known(
        "mean over parameter tensors, biases included, of the L2 norm of the tensor's gradient in the last minibatch "
        "of the epoch, before its step; the last minibatch is smaller where the batch size does not divide the examples"
    ),
    "gradient_norm_mean": Known("mean over layers of the L2 norms of the weight gradients, full batch"),
    "gradient_norm_layers": Known("L2 norm of each layer's gradient, full batch", shape="array"),
    "weight_norm": Known("L2 norm of all parameters"),
    "dead_units": Known("share of hidden units that are zero on all training inputs", scale="difference"),
    "predictions": Known("outputs on the task's grid", shape="array"),
    "centre_error": Known(
        "root mean square error of the final fit over the middle 80 % of the domain",
        shape="scalar",
        performance=True,
    ),
    "edge_error": Known(
        "root mean square error of the final fit over the outer tenth at each end of the domain",
        shape="scalar",
        performance=True,
    ),
    "epochs": Known("epochs trained when the run stopped", shape="scalar", performance=True),
    "updates": Known("optimizer steps taken when the run stopped", shape="scalar", performance=True),
    "flag_constant": Known(
        "1 where the final network predicts a constant", shape="scalar", scale="difference"
    ),
    "flag_dead": Known("1 where a layer of the final network is dead", shape="scalar", scale="difference"),
    "flag_diverged": Known("1 where the run diverged", shape="scalar", scale="difference"),
}
"""The quantities by name."""

REDUCERS: Final[dict[str, str]] = {
    "final": "the last recorded value",
    "best": "the best recorded value: the smallest loss, the largest accuracy",
    "min": "the smallest recorded value",
    "max": "the largest recorded value",
    "mean": "the mean over epochs (trapezoid rule, so that the recording schedule does not weigh in)",
    "slope": "least-squares slope against the epoch, per 1,000 epochs; decades where values are compared by ratio; "
    "per unit along another axis",
    "roughness": "standard deviation of successive differences, of log10 where values are compared by ratio; "
    "over the last half of the epochs unless a window is given",
    "argmin": "the first recorded epoch of the smallest value",
    "argmax": "the first recorded epoch of the largest value",
    "epochs_to": "the first epoch at which the threshold is passed; infinite if never",
    "at_updates": "the value at the first recorded epoch by which the run has made that many updates, or where it "
    "stopped before",
    "at_loss": "the value where the training loss first passes that loss, between recorded epochs interpolated (on "
    "logarithms where values are compared by ratio); none if it never does",
}
"""The reducers by name. On a value along another axis than epochs, read its places for epochs."""

THRESHOLDS: Final[dict[str, str]] = {
    "epochs_to": "epochs_to takes a quantity and a threshold, as epochs_to(loss, 1e-3)",
    "at_updates": "at_updates takes a quantity and a number of updates, as at_updates(gradient_norm, 2000)",
    "at_loss": "at_loss takes a quantity and a training loss, as at_loss(gradient_norm, 0.1)",
}
"""The reducers that take a number, and how they are written; they are for series over epochs."""

BY_PLACE: Final = ("argmin", "argmax")
"""The reducers whose value is a place on the axis of what they reduce."""
