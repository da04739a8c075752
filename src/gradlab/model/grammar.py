"""The one line on which a network is written: `conv 10x3, pool 2, conv 16x3, pool 2, 512, 256, 125`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradlab.errors import nearest
from gradlab.model.layers import Conv, Dense, Drop, Layer, Norm, Pool, Shape, Softmax

__all__ = ["Written", "parse", "resolve", "spell"]

WORDS = ("conv", "pool", "drop", "norm", "dense", "softmax")
"""What a layer may be called."""
LARGEST = 1_000_000
"""No width, channel count, kernel or stride is larger."""

_FORMS = {
    "conv": "conv CxK, as in 'conv 16x3 pad 1'",
    "pool": "pool K, as in 'pool 2'",
    "drop": "drop P, as in 'drop 0.5'",
    "norm": "norm, without a number",
    "dense": "a width, as in '512' or 'dense 512'",
    "softmax": "softmax, without a number",
}
_EXAMPLES = {"pad": "conv 16x3 pad 1", "stride": "conv 16x3 stride 2", "linear": "512 linear"}
_NOTHING = "names no layer; write one, as in 'conv 16x3, pool 2, 128' (MLP() is a linear model)"
_OPTIONS = {"conv": ("pad", "stride", "linear"), "dense": ("linear",)}


@dataclass(frozen=True)
class Written:
    """One layer as it is written, before shapes are known.

    Attributes:
        word: One of `WORDS`.
        size: Channels of a conv, width of a dense layer, side of a pool's square.
        kernel: Height and width of a conv's kernels.
        pad: Zeros on each side of a conv's input.
        stride: Step of a conv.
        probability: Of a drop.
        linear: Whether no activation follows a conv or dense layer.
    """

    word: str
    size: int = 0
    kernel: int = 0
    pad: int = 0
    stride: int = 1
    probability: float = 0.0
    linear: bool = False

    def __str__(self) -> str:
        match self.word:
            case "conv":
                text = f"conv {self.size}x{self.kernel}"
                text += f" pad {self.pad}" if self.pad else ""
                text += f" stride {self.stride}" if self.stride > 1 else ""
            case "dense":
                text = str(self.size)
            case "pool":
                text = f"pool {self.size}"
            case "drop":
                text = f"drop {self.probability!r}"
            case _:
                text = self.word
        return text + (" linear" if self.linear else "")


def parse(text: str) -> tuple[Written, ...]:
    """Read a line of layers.

    Args:
        text: Layers from the input on, separated by commas.

    Returns:
        The layers; a `drop 0` drops nothing and is left out.

    Raises:
        ValueError: A layer cannot be read or cannot stand where it does; the message quotes it.

    Example:
        >>> [layer.word for layer in parse("conv 10x3, pool 2, 512")]
        ['conv', 'pool', 'dense']
    """
    if not text.strip():
        raise ValueError(_NOTHING)
    layers = [
        _layer(part.strip(), f"layer {n}, {part.strip()!r},") for n, part in enumerate(text.split(","), 1)
    ]
    for index, layer in enumerate(layers):
        before = layers[index - 1].word if index else ""
        dense = any(other.word == "dense" for other in layers[:index])
        where = f"layer {index + 1}, {str(layer)!r},"
        if layer.word in {"conv", "pool"} and dense:
            raise ValueError(
                f"{where} stands after a fully connected layer, where there are no images any more"
            )
        if layer.word == "norm" and before not in {"conv", "dense"}:
            raise ValueError(f"{where} must follow a conv or fully connected layer directly")
        if layer.word == "softmax" and index < len(layers) - 1:
            raise ValueError(f"{where} must be the last word: it is the output that the loss takes")
    kept = tuple(layer for layer in layers if layer.word != "drop" or layer.probability > 0)
    if not kept:
        raise ValueError(_NOTHING)
    return kept


def spell(layers: Sequence[Written]) -> str:
    """The normal spelling of a line of layers.

    Example:
        >>> spell(parse("conv 10x3 stride 1 pad 0,pool 2,dense 512"))
        'conv 10x3, pool 2, 512'
    """
    return ", ".join(map(str, layers))


def _layer(text: str, where: str) -> Written:
    words = text.split()
    if not words:
        raise ValueError(f"{where} is empty: there is a comma too many")
    if re.fullmatch(r"[-+]?[\d.].*", words[0]):
        words.insert(0, "dense")
    head, rest = words[0], words[1:]
    if head not in WORDS:
        if head in _EXAMPLES:
            raise ValueError(f"{where} is no layer; {head!r} is written after one, as in {_EXAMPLES[head]!r}")
        guess = nearest(head, WORDS)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise ValueError(f"{where} is not one of {', '.join(WORDS)} or a width{hint}")
    if head in {"norm", "softmax"}:
        if rest:
            raise ValueError(f"{where} does not read as {_FORMS[head]}")
        return Written(head)
    if not rest:
        raise ValueError(f"{where} lacks its size: {_FORMS[head]}")
    layer = _sized(head, rest[0], where)
    return _with_options(layer, rest[1:], where)


def _sized(head: str, size: str, where: str) -> Written:
    if head == "drop":
        try:
            probability = float(size)
        except ValueError:
            raise ValueError(f"{where} does not read as {_FORMS[head]}") from None
        if not 0 <= probability < 1:
            raise ValueError(f"{where} must have a probability of at least 0 and less than 1")
        return Written("drop", probability=probability)
    numbers = size.split("x") if head == "conv" else [size]
    if len(numbers) != (2 if head == "conv" else 1):
        raise ValueError(f"{where} does not read as {_FORMS[head]}")
    values = [_number(number, where, least=2 if head == "pool" else 1) for number in numbers]
    return Written(head, size=values[0], kernel=values[1] if head == "conv" else 0)


def _with_options(layer: Written, words: list[str], where: str) -> Written:
    options = _OPTIONS.get(layer.word, ())
    given: dict[str, int | bool] = {}
    while words:
        option = words.pop(0)
        if option not in options:
            guess = nearest(option, options)
            told = (
                f"takes {', '.join(options)}" if options else f"takes nothing more than {_FORMS[layer.word]}"
            )
            raise ValueError(
                f"{where} has {option!r}, but {told}" + (f"; did you mean {guess!r}?" if guess else "")
            )
        if option in given:
            raise ValueError(f"{where} has {option!r} twice")
        if option == "linear":
            given[option] = True
        elif not words:
            raise ValueError(f"{where} has {option!r} without a number")
        else:
            given[option] = _number(words.pop(0), where, least=0 if option == "pad" else 1)
    return replace(layer, **given)  # pyright: ignore[reportArgumentType]


def _number(text: str, where: str, least: int) -> int:
    if not re.fullmatch(r"\d+", text) or not least <= int(text) <= LARGEST:
        raise ValueError(f"{where} has {text!r} where a whole number from {least} to {LARGEST} belongs")
    return int(text)


def resolve(written: Sequence[Written], shape: Shape, outputs: int) -> tuple[Layer, ...]:
    """The network for examples of a shape: every layer with what goes in and comes out.

    The fully connected output layer is added, and the softmax, if there is one, comes after it.

    Args:
        written: The layers as written.
        shape: Shape of one example: (channels, height, width) if there is a conv or pool.
        outputs: Numbers that the network gives for an example.

    Returns:
        The layers from the input on.

    Raises:
        ValueError: The network does not fit the examples; the message says where and why.
    """
    layers: list[Layer] = []
    at = tuple(shape)
    counts: dict[str, int] = {}

    def name(word: str) -> str:
        counts[word] = counts.get(word, 0) + 1
        return f"{word}{counts[word]}"

    for index, item in enumerate(written):
        where = f"layer {index + 1}, {str(item)!r},"
        normed = index + 1 < len(written) and written[index + 1].word == "norm"
        active = not item.linear and not normed
        if item.word in {"conv", "pool"} and len(at) != 3:
            hint = f"; give them as {[1, *at]}" if len(at) == 2 else ""
            raise ValueError(
                f"{where} needs examples of shape [channels, height, width], not {list(at)}{hint}"
            )
        match item.word:
            case "conv":
                after = _convolved(item, at, where)
                layer: Layer = Conv(name("conv"), at, after, item.kernel, item.pad, item.stride, active)
            case "pool":
                if min(at[1:]) < item.size:
                    raise ValueError(f"{where} pools {at[1]} x {at[2]} places to nothing")
                layer = Pool(name("pool"), at, item.size)
            case "norm":
                layer = Norm(name("norm"), at, not written[index - 1].linear)
            case "drop":
                layer = Drop(name("drop"), at, item.probability, counts["drop"] - 1)
            case "dense":
                layer = Dense(name("fc"), (math.prod(at),), (item.size,), active)
            case _:  # the softmax is last
                break
        layers.append(layer)
        at = layer.outputs
    layers.append(Dense(name("fc"), (math.prod(at),), (outputs,), active=False))
    if written and written[-1].word == "softmax":
        layers.append(Softmax("softmax", (outputs,)))
    return tuple(layers)


def _convolved(item: Written, at: Shape, where: str) -> Shape:
    """Shape of an example after a convolution."""
    room = [side + 2 * item.pad for side in at[1:]]
    if min(room) < item.kernel:
        padded = f" with {item.pad} of padding" if item.pad else ""
        raise ValueError(
            f"{where} has a kernel of {item.kernel} x {item.kernel}, larger than its input of {at[1]} x {at[2]}"
            f"{padded}"
        )
    return (item.size, *((side - item.kernel) // item.stride + 1 for side in room))
