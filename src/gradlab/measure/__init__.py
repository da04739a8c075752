"""Instruments: what can be said of a network and its gradient, each in a file named for it."""

from __future__ import annotations

from gradlab.measure.accuracy import accuracy, tolerance_accuracy
from gradlab.measure.constant import predicts_constant
from gradlab.measure.dead import dead_layer, dead_units
from gradlab.measure.gradient_norm import layer_norms, mean_weight_norm, total_norm
from gradlab.measure.weight_norm import weight_norm

__all__ = [
    "accuracy",
    "dead_layer",
    "dead_units",
    "layer_norms",
    "mean_weight_norm",
    "predicts_constant",
    "tolerance_accuracy",
    "total_norm",
    "weight_norm",
]
