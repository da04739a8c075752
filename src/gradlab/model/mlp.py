"""Fully connected networks."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from gradlab.component import Component
from gradlab.model.layers import Dense, Shape, Tensor, multiplications, tensors

__all__ = ["MLP", "Activation"]

Activation = Literal["relu", "leaky_relu", "tanh", "identity"]


class MLP(Component):
    """A fully connected network with biases; the output layer is linear.

    Attributes:
        hidden: Widths of the hidden layers from the input on; none makes a linear model.
        activation: What follows every hidden layer.
        slope: Slope of `leaky_relu` for negative values.

    Example:
        >>> deep = MLP(5, 10, 10, 10, 10, 10, 5)
        >>> deep.widths(inputs=1, outputs=1)
        (1, 5, 10, 10, 10, 10, 10, 5, 1)
        >>> deep.parameters(inputs=1, outputs=1)
        571
    """

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...] = ()
    activation: Activation = "relu"
    slope: Annotated[float, Field(ge=0)] = 0.01

    primary: ClassVar[str | None] = "hidden"

    def __init__(self, *hidden: int, **rest: Any) -> None:
        super().__init__(**({"hidden": hidden} | rest if hidden else rest))

    @classmethod
    def of_size(
        cls,
        parameters: int,
        depth: int,
        *,
        inputs: int = 1,
        outputs: int = 1,
        activation: Activation = "relu",
        slope: float = 0.01,
    ) -> MLP:
        """The network of `depth` hidden layers whose number of parameters comes nearest to a budget.

        Args:
            parameters: The budget, biases included.
            depth: Number of hidden layers.
            inputs: Width of the input.
            outputs: Width of the output.
            activation: What follows every hidden layer.
            slope: Slope of `leaky_relu` for negative values.

        Returns:
            A network within 1 % of the budget, its hidden layers as equal in width as that allows.

        Example:
            >>> MLP.of_size(571, depth=1).hidden
            (190,)
        """
        from gradlab.model.size import equal_size

        return equal_size(
            parameters, depth, inputs=inputs, outputs=outputs, activation=activation, slope=slope
        )

    @property
    def in_process(self) -> bool:
        """Whether runs must stay in this process."""
        return False

    @property
    def drops(self) -> bool:
        """Whether training draws from the `dropout` seed."""
        return False

    def widths(self, inputs: int, outputs: int) -> tuple[int, ...]:
        """All widths, input and output included."""
        return (inputs, *self.hidden, outputs)

    def resolved(self, shape: Shape, outputs: int) -> tuple[Dense, ...]:
        """The layers from the input on, for examples of a shape, which are taken flat."""
        widths = self.widths(math.prod(shape), outputs)
        last = len(widths) - 1
        return tuple(
            Dense(f"fc{k}", (before,), (after,), active=k < last)
            for k, (before, after) in enumerate(pairwise(widths), 1)
        )

    def tensors(self, shape: Shape, outputs: int) -> list[Tensor]:
        """The trainable arrays in the order of flat weights, which is the order of construction."""
        return tensors(self.resolved(shape, outputs))

    def parameters(self, inputs: int | Shape, outputs: int) -> int:
        """Number of weights and biases for examples of a width or shape."""
        widths = self.widths(inputs if isinstance(inputs, int) else math.prod(inputs), outputs)
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))

    def multiplications(self, shape: Shape, outputs: int) -> int:
        """Multiplications in the products of weights and activations of a forward pass of one example."""
        return multiplications(self.resolved(shape, outputs))

    def label(self) -> str:
        """The hidden widths, as in `mlp-5-10-5`; `linear` where there are none."""
        return "-".join(["mlp", *map(str, self.hidden)]) if self.hidden else "linear"
