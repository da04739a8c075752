"""A multilayer perceptron's outputs, loss and gradient in float64, the slow and obvious way."""

from __future__ import annotations

import itertools

import numpy as np

ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "tanh": np.tanh,
    "identity": lambda z: z,
}


def parts(widths, weights):
    """The flat vector as (weight [out, in], bias [out]) of each layer."""
    start = 0
    for fan_in, fan_out in itertools.pairwise(widths):
        weight = weights[start : start + fan_in * fan_out].reshape(fan_out, fan_in)
        start += fan_in * fan_out
        yield weight, weights[start : start + fan_out]
        start += fan_out


def layers_of(widths, weights, x, activation):
    """Every layer's values `[n, width]`, outputs last."""
    values, found = np.asarray(x, np.float64), []
    for weight, bias in parts(widths, np.asarray(weights, np.float64)):
        values = values @ weight.T + bias
        if len(found) < len(widths) - 2:
            values = ACTIVATIONS[activation](values)
        found.append(values)
    return found


def loss_of(widths, weights, x, y, activation):
    """Mean squared error, or the mean cross-entropy where y are labels."""
    outputs = layers_of(widths, weights, x, activation)[-1]
    if y.dtype.kind != "i":
        return ((outputs - y) ** 2).mean()
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -logs[np.arange(len(y)), y].mean()


def gradient_of(widths, weights, x, y, activation, step=1e-6):
    """Central differences, one weight at a time."""
    weights = np.asarray(weights, np.float64)
    gradient = np.empty_like(weights)
    for k in range(weights.size):
        losses = []
        for sign in (1, -1):
            moved = weights.copy()
            moved[k] += sign * step
            losses.append(loss_of(widths, moved, x, y, activation))
        gradient[k] = (losses[0] - losses[1]) / (2 * step)
    return gradient


def squares_of(widths, gradient):
    """Squared norms `[L, 2]` of each layer's weight and bias."""
    return np.array([[(w**2).sum(), (b**2).sum()] for w, b in parts(widths, gradient)])
