"""How a network is trained: optimizers, schedules, stopping rules and where the initial weights come from.

All formulas are PyTorch's: `weight_decay` of SGD, Adam and RMSprop is coupled (added to the gradient),
that of AdamW is decoupled; `eps` stands outside the square root.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gradlab.component import Component, Vary, one_of

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "STOPS",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "GradientBelow",
    "LossBelow",
    "LossSettled",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "Stalled",
    "Step",
    "Stop",
]

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class SGD(Component):
    """Stochastic gradient descent with optional (Nesterov) momentum.

    Example:
        >>> SGD(lr=0.1, momentum=0.9).canonical()
        {'kind': 'sgd', 'lr': 0.1, 'momentum': 0.9}
    """

    kind: Literal["sgd"] = "sgd"
    lr: Positive
    momentum: Fraction = 0.0
    nesterov: bool = False
    weight_decay: NonNegative = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov is True and not isinstance(self.momentum, Vary) and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class Adam(Component):
    """Adam (Kingma and Ba, 2015) with coupled weight decay.

    Example:
        >>> Adam(lr=1e-3).canonical()
        {'kind': 'adam', 'lr': 0.001}
    """

    kind: Literal["adam"] = "adam"
    lr: Positive
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.0


class AdamW(Component):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

    kind: Literal["adamw"] = "adamw"
    lr: Positive
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    eps: Positive = 1e-8
    weight_decay: NonNegative = 0.01


class RMSprop(Component):
    """RMSprop, not centred, with optional momentum."""

    kind: Literal["rmsprop"] = "rmsprop"
    lr: Positive
    alpha: Fraction = 0.99
    eps: Positive = 1e-8
    momentum: Fraction = 0.0
    weight_decay: NonNegative = 0.0


class Constant(Component):
    """The learning rate stays as it is."""

    kind: Literal["constant"] = "constant"


class Step(Component):
    """The learning rate is multiplied by `gamma` after every `every` epochs."""

    kind: Literal["step"] = "step"
    every: Count
    gamma: Positive = 0.1
    primary: ClassVar[str | None] = "every"

    def __init__(self, every: int | None = None, **rest: Any) -> None:
        super().__init__(**(rest if every is None else {"every": every} | rest))


class Cosine(Component):
    """The learning rate falls along half a cosine from its value to `final` times it, over all epochs.

    With this schedule the number of epochs is part of a run's identity.
    """

    kind: Literal["cosine"] = "cosine"
    final: NonNegative = 0.0


class LossSettled(Component):
    """Stop once the loss is under `below` and its last `times` changes are each under `change`.

    The loss is the full-pass training loss after each epoch; the rule is silent up to epoch `after`.
    This is the rule of report 000.
    """

    kind: Literal["loss_settled"] = "loss_settled"
    below: Positive = 1e-3
    change: Positive = 1e-5
    times: Count = 2
    after: Annotated[int, Field(ge=0)] = 5


class Stalled(Component):
    """Stop when the loss improved by less than `improvement` over the last `every` epochs, or rose.

    Checked only at multiples of `every`, against the loss `every` epochs before, from epoch `start` on:
    the first comparison is that of `start + every` with `start`. This is the rule of report 004.
    """

    kind: Literal["stalled"] = "stalled"
    every: Count = 100
    start: Annotated[int, Field(ge=0)] = 900
    improvement: NonNegative = 1e-6


class GradientBelow(Component):
    """Stop once the total L2 norm of the full-batch gradient is under `norm`."""

    kind: Literal["gradient_below"] = "gradient_below"
    norm: Positive
    primary: ClassVar[str | None] = "norm"

    def __init__(self, norm: float | None = None, **rest: Any) -> None:
        super().__init__(**(rest if norm is None else {"norm": norm} | rest))


class LossBelow(Component):
    """Stop once the full-pass training loss is under `value`."""

    kind: Literal["loss_below"] = "loss_below"
    value: Positive
    primary: ClassVar[str | None] = "value"

    def __init__(self, value: float | None = None, **rest: Any) -> None:
        super().__init__(**(rest if value is None else {"value": value} | rest))


OPTIMIZERS = (SGD, Adam, AdamW, RMSprop)
"""Every kind of optimizer."""
SCHEDULES = (Constant, Step, Cosine)
"""Every kind of schedule."""
STOPS = (LossSettled, Stalled, GradientBelow, LossBelow)
"""Every kind of stopping rule."""

Optimizer = Annotated[SGD | Adam | AdamW | RMSprop, one_of(*OPTIMIZERS)]
Schedule = Annotated[Constant | Step | Cosine, one_of(*SCHEDULES)]
Stop = Annotated[LossSettled | Stalled | GradientBelow | LossBelow, one_of(*STOPS)]
