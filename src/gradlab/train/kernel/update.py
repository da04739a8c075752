"""One optimizer step over the flat vector of parameters, in PyTorch's arithmetic."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradlab.train.kernel.vector import compiled

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")
SGD, ADAM, ADAMW, RMSPROP = range(4)


class Rule(NamedTuple):
    """The optimizer as compiled code sees it.

    Attributes:
        kind: index into `OPTIMIZERS`.
        momentum: of SGD and RMSprop.
        nesterov: whether SGD looks ahead.
        beta1: decay of Adam's first moment.
        beta2: decay of Adam's second moment; RMSprop's `alpha`.
        eps: added to the root of the second moment.
        weight_decay: added to the gradient (AdamW: taken from the weights).
    """

    kind: int
    momentum: float
    nesterov: bool
    beta1: float
    beta2: float
    eps: float
    weight_decay: float


@compiled
def _sgd(rule: Any, lr: Any, size: Any, weights: Any, gradient: Any, buffer: Any) -> None:
    kind = weights.dtype.type
    rate, mu, decay = kind(lr), kind(rule.momentum), kind(rule.weight_decay)
    if rule.momentum == 0.0:
        for k in range(size):
            weights[k] -= rate * (gradient[k] + decay * weights[k])
    else:
        for k in range(size):
            slope = gradient[k] + decay * weights[k]
            buffer[k] = mu * buffer[k] + slope
            weights[k] -= rate * (slope + mu * buffer[k] if rule.nesterov else buffer[k])


@compiled
def _adam(
    rule: Any, lr: Any, size: Any, left1: Any, left2: Any, weights: Any, gradient: Any, mean: Any, square: Any
) -> None:
    kind = weights.dtype.type
    coupled = kind(0.0 if rule.kind == ADAMW else rule.weight_decay)
    keep = kind(1.0 - lr * rule.weight_decay if rule.kind == ADAMW else 1.0)
    rest1, beta2, rest2 = kind(1.0 - rule.beta1), kind(rule.beta2), kind(1.0 - rule.beta2)
    rate, root, eps = kind(lr / (1.0 - left1)), kind(1.0 / np.sqrt(1.0 - left2)), kind(rule.eps)
    for k in range(size):
        weight = weights[k] * keep
        slope = gradient[k] + coupled * weight
        mean[k] += rest1 * (slope - mean[k])
        square[k] = beta2 * square[k] + rest2 * slope * slope
        weights[k] = weight - rate * mean[k] / (np.sqrt(square[k]) * root + eps)


@compiled
def _rmsprop(rule: Any, lr: Any, size: Any, weights: Any, gradient: Any, square: Any, buffer: Any) -> None:
    kind = weights.dtype.type
    rate, mu, decay, eps = kind(lr), kind(rule.momentum), kind(rule.weight_decay), kind(rule.eps)
    alpha, rest = kind(rule.beta2), kind(1.0 - rule.beta2)
    if rule.momentum == 0.0:
        for k in range(size):
            slope = gradient[k] + decay * weights[k]
            square[k] = alpha * square[k] + rest * slope * slope
            weights[k] -= rate * slope / (np.sqrt(square[k]) + eps)
    else:
        for k in range(size):
            slope = gradient[k] + decay * weights[k]
            square[k] = alpha * square[k] + rest * slope * slope
            buffer[k] = mu * buffer[k] + slope / (np.sqrt(square[k]) + eps)
            weights[k] -= rate * buffer[k]


@compiled
def step(
    rule: Any, lr: Any, size: Any, left1: Any, left2: Any, weights: Any, gradient: Any, slot1: Any, slot2: Any
) -> None:
    """Take one step in place.

    Args:
        rule: the optimizer.
        lr: this epoch's learning rate.
        size: D, the number of parameters; the arrays may be longer.
        left1: beta1 to the power of the steps taken, this one included.
        left2: beta2 likewise.
        weights: `[D]`.
        gradient: `[D]`, without weight decay.
        slot1: Adam's first moment, or the momentum of SGD and RMSprop.
        slot2: the second moment of Adam and RMSprop.
    """
    if rule.kind == SGD:
        _sgd(rule, lr, size, weights, gradient, slot1)
    elif rule.kind == RMSPROP:
        _rmsprop(rule, lr, size, weights, gradient, slot2, slot1)
    else:
        _adam(rule, lr, size, left1, left2, weights, gradient, slot1, slot2)
