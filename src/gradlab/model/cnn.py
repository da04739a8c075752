"""Convolutional networks, written on one line."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from gradlab.component import Component, Vary
from gradlab.model.grammar import parse, resolve, spell
from gradlab.model.layers import Layer, Shape, Tensor, count, multiplications, tensors
from gradlab.model.mlp import Activation

__all__ = ["CNN"]


def _normal(text: str) -> str:
    return spell(parse(text))


class CNN(Component):
    """A network of convolutions, pooling, dropout and fully connected layers, one after the other.

    Layers are separated by commas: `conv CxK` (C channels, K x K kernels; then `pad P`, `stride S`), `pool K`
    (maximum of K x K), `drop P` (dropout), `norm` (batch normalisation, before the activation of the layer that
    it follows), a width (`512` or `dense 512`: fully connected), and `softmax` as the last word. The activation
    follows every conv and fully connected layer, except one that ends in `linear`. The fully connected output
    layer is implied, and so is flattening.

    Attributes:
        layers: The layers between input and output, kept in their normal spelling.
        activation: What follows every conv and hidden fully connected layer.
        slope: Slope of `leaky_relu` for negative values.

    Example:
        >>> net = CNN("conv 10x3, pool 2, conv 16x3, pool 2, 512, 256, 125")
        >>> net.parameters((1, 28, 28), outputs=10)
        371581
    """

    kind: Literal["cnn"] = "cnn"
    layers: Annotated[str, AfterValidator(_normal)]
    activation: Activation = "relu"
    slope: Annotated[float, Field(ge=0)] = 0.01

    primary: ClassVar[str | None] = "layers"

    def __init__(self, layers: str | None = None, /, **rest: Any) -> None:
        super().__init__(**(rest if layers is None else {"layers": layers} | rest))

    @property
    def in_process(self) -> bool:
        """Whether runs must stay in this process."""
        return False

    @property
    def drops(self) -> bool:
        """Whether training draws from the `dropout` seed."""
        return any(layer.word == "drop" for layer in parse(self.layers))

    def resolved(self, shape: Shape, outputs: int) -> tuple[Layer, ...]:
        """The layers with their shapes.

        Args:
            shape: Shape of one example: (channels, height, width) if there is a conv or pool.
            outputs: Numbers that the network gives for an example.

        Returns:
            The layers from the input on, the output layer included.

        Raises:
            ValueError: The network does not fit the examples: a kernel is larger than its input, or pooling
                leaves nothing.
        """
        return resolve(parse(self.layers), shape, outputs)

    def tensors(self, shape: Shape, outputs: int) -> list[Tensor]:
        """The trainable arrays in the order of flat weights, which is the order of construction."""
        return tensors(self.resolved(shape, outputs))

    def parameters(self, inputs: int | Shape, outputs: int) -> int:
        """Number of weights and biases for examples of a shape (or of a width, where nothing is convolved)."""
        return count(self.resolved((inputs,) if isinstance(inputs, int) else inputs, outputs))

    def multiplications(self, shape: Shape, outputs: int) -> int:
        """Multiplications in the products of weights and activations of a forward pass of one example."""
        return multiplications(self.resolved(shape, outputs))

    def label(self) -> str:
        """The layers in short, as in `cnn-10x3-pool2-16x3p1-512`."""
        text = self.layers.replace("conv ", "").replace(" pad ", "p").replace(" stride ", "s")
        return "cnn-" + text.replace(", ", "-").replace(" ", "")

    def canonical(self) -> dict[str, Any]:
        """The tree that identity hashes: networks that compute the same have the same."""
        tree = super().canonical()
        if any(isinstance(value, Vary) for value in (self.layers, self.activation, self.slope)):
            return tree
        written = parse(self.layers)
        activation = "identity" if _all_linear(self.layers) else self.activation
        if activation == "identity":
            tree["layers"] = spell([replace(layer, linear=False) for layer in written])
            tree["activation"] = activation
        if activation != "leaky_relu":
            tree.pop("slope", None)
        return tree


def _all_linear(layers: str) -> bool:
    """Whether no activation follows any layer."""
    return all(layer.linear for layer in parse(layers) if layer.word in {"conv", "dense"})
