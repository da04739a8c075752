"""The face of the kernel for images: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradlab.model.layers import Conv, Dense
from gradlab.train.kernel.denormals import flushed
from gradlab.train.kernel.image_epochs import run_images
from gradlab.train.kernel.image_pass import Images, Masks
from gradlab.train.kernel.image_plan import ImageNet, make_net
from gradlab.train.kernel.image_program import ImageProgram
from gradlab.train.kernel.update import OPTIMIZERS, Rule

__all__ = ["Augmented", "Dropped", "Epoch", "ImageKernel", "compile_images"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Dropped:
    """Dropout at an address.

    Attributes:
        key: the run's 64-bit key.
        epoch: completed epochs.
        step: index of the first batch.
    """

    key: int
    epoch: int
    step: int = 0


@dataclass(frozen=True)
class Augmented:
    """How an epoch's images are varied.

    Attributes:
        moves: `int8[n, 3]`: pixels down and across from the corner of the padded image, and mirrored or not.
        padding: pixels added on each side.
        reflect: whether they mirror the image, or are zeros.
    """

    moves: Array
    padding: int
    reflect: bool


@dataclass(frozen=True)
class Epoch:
    """What an epoch of training gives besides the weights.

    Attributes:
        running: `float64[4]`: mean loss over the examples as they were trained on, share classified correctly, sum
            of the batches' mean losses, mean loss of the last batch.
        squares: `float64[L, 2]`, squared norms of the last batch's gradient of each layer's weight and bias.
        updates: steps taken by the optimizer.
        finite: whether every loss and weight is.
    """

    running: Array
    squares: Array
    updates: int
    finite: bool


class ImageKernel:
    """Trains and evaluates one network; holds the scratch that this takes.

    Args:
        program: network and optimizer.
        dtype: float32 or float64, of all arithmetic.
        batch: most examples in a batch of training.
    """

    def __init__(self, program: ImageProgram, dtype: Any, batch: int) -> None:
        self.program = program
        self._dtype = np.dtype(dtype)
        self._net = self._planned(batch)
        self._wide: ImageNet | None = None
        self._plain: ImageNet | None = None
        self._rule = _rule(program)

    def train(
        self,
        x: Array,
        y: Array,
        *,
        batch: int,
        order: Array | None,
        lr: float,
        weights: Array,
        slots: dict[str, Array],
        updates: int,
        dropped: Dropped | None = None,
        augmented: Augmented | None = None,
    ) -> Epoch:
        """Train for one epoch, in place.

        Args:
            x: `[n, channels, height, width]`, contiguous.
            y: `int64[n]`, labels.
            batch: examples a step; the last step takes what is left.
            order: `int32[n]`, the order of examples; None is the natural one.
            lr: the learning rate.
            weights: `[D]`, changed in place.
            slots: the optimizer's state, changed in place.
            updates: steps taken by the optimizer so far.
            dropped: the address of dropout; None for none.
            augmented: how images are varied; None for not at all.

        Returns:
            What was seen on the way.
        """
        first = slots.get("exp_avg", slots.get("momentum_buffer", weights[:0]))
        second = slots.get("exp_avg_sq", slots.get("square_avg", weights[:0]))
        gradient, running = np.empty_like(weights), np.empty(4)
        squares = np.empty((self.layers, 2))
        places = np.zeros(0, np.int32) if order is None else np.require(order, np.int32, ("C", "W"))
        with flushed():
            finite = run_images(
                self._net, self._rule, self._examples(x, y, augmented), batch, places, float(lr), weights, first,
                second, updates, _masks(dropped), gradient, squares, running, weights[:0], _NO_UNITS, True,
            )  # fmt: skip
        steps = -(-len(x) // batch)
        return Epoch(running, squares, updates + steps, bool(finite))

    def evaluate(
        self, weights: Array, x: Array, y: Array, *, gradient: bool = False, outputs: bool = False,
        batch: int | None = None, dropped: Dropped | None = None,
    ) -> tuple[float, Array, Array]:  # fmt: skip
        """A pass over examples without training.

        Args:
            weights: `[D]`.
            x: `[n, channels, height, width]`.
            y: labels `[n]`.
            gradient: whether to compute the gradient of the mean loss.
            outputs: whether to return the outputs.
            batch: examples that share masks of dropout; None is all of them.
            dropped: the address of dropout; None for none.

        Returns:
            The mean loss, the gradient `[D]` (empty if not wanted), the outputs `[n, out]` (no rows if not wanted).
        """
        if self._wide is None:
            self._wide = self._planned(_WIDEST)
        slope = np.empty(self.program.parameters if gradient else 0, self._dtype)
        width = self._wide.outputs
        found = np.empty(len(x) * width if outputs else 0, self._dtype)
        loss = self._pass(self._wide, weights, x, y, batch or len(x), dropped, slope, found, _NO_UNITS)
        return loss, slope, found.reshape(-1, width)

    @property
    def layers(self) -> int:
        """L, the number of layers with weights."""
        return len(self._net.bounds)

    def squares(self, gradient: Array) -> Array:
        """Squared norms `float64[L, 2]` of the parts of a gradient: each layer's weight and bias."""
        wide = gradient.astype(np.float64)
        parts = [[wide[a:b] @ wide[a:b], wide[b:c] @ wide[b:c]] for a, b, c in self._net.bounds]
        return np.array(parts)

    def alive(self, weights: Array, x: Array) -> list[Array]:
        """Which rectified units are above zero on some examples.

        Args:
            weights: `[D]`.
            x: `[n, channels, height, width]`.

        Returns:
            A mask `bool[units]` for each rectified layer.
        """
        if self.program.activation != "relu":
            return []
        if self._plain is None:
            self._plain = self._planned(_WIDEST, fused=False)
        sizes = [
            int(np.prod(layer.outputs))
            for layer in self.program.layers
            if isinstance(layer, Conv | Dense) and layer.active
        ]
        if not sizes:
            return []
        seen = np.zeros(sum(sizes) + 1, np.uint8)
        none = weights[:0]
        y = np.zeros(len(x), np.int64)
        self._pass(self._plain, weights, x, y, len(x), None, none, none, seen)
        return [part.astype(bool) for part in np.split(seen[:-1], np.cumsum(sizes)[:-1])]

    def _pass(
        self, net: ImageNet, weights: Array, x: Array, y: Array, batch: int, dropped: Dropped | None, gradient: Array,
        outputs: Array, seen: Array,
    ) -> float:  # fmt: skip
        running = np.empty(4)
        none, weights = weights[:0], np.require(weights, self._dtype, ("C", "W"))
        with flushed():
            run_images(
                net, self._rule, self._examples(x, y, None), batch, np.zeros(0, np.int32), 0.0, weights, none, none, 0,
                _masks(dropped), gradient, np.empty((0, 2)), running, outputs, seen, False,
            )  # fmt: skip
        return float(running[0])

    def _examples(self, x: Array, y: Array, augmented: Augmented | None) -> Images:
        # Read-only views whatever they were: another kind of array would be compiled for anew.
        images = np.asarray(np.ascontiguousarray(x, self._dtype)).reshape(-1).view()
        labels = np.asarray(np.ascontiguousarray(y, np.int64)).view()
        moves = np.zeros((0, 3), np.int8)
        if augmented is not None:
            moves = np.ascontiguousarray(augmented.moves, np.int8).view()
        for array in (images, labels, moves):
            array.flags.writeable = False
        padding, reflect = (augmented.padding, augmented.reflect) if augmented else (0, False)
        return Images(images, labels, moves, padding, reflect, len(x))

    def _planned(self, batch: int, *, fused: bool = True) -> ImageNet:
        program = self.program
        return make_net(program.layers, program.activation, program.slope, self._dtype, batch, fused=fused)


def compile_images(dtype: Any) -> None:
    """Compile for one dtype, or load what an earlier process compiled, so that workers start warm.

    Args:
        dtype: float32 or float64.
    """
    layers = (Dense("fc1", (1,), (2,), active=False),)
    program = ImageProgram(layers)
    x, y, weights = np.zeros((2, 1), dtype), np.zeros(2, np.int64), np.zeros(program.parameters, dtype)
    kernel = ImageKernel(program, dtype, 2)
    slots = {name: np.zeros_like(weights) for name in program.slots}
    kernel.train(x, y, batch=2, order=None, lr=0.0, weights=weights, slots=slots, updates=0)


_NO_UNITS = np.zeros(0, np.uint8)
_WIDEST = 4096


def _masks(dropped: Dropped | None) -> Masks:
    if dropped is None:
        return Masks(False, np.uint64(0), 0, 0)
    return Masks(True, np.uint64(dropped.key), dropped.epoch, dropped.step)


def _rule(program: ImageProgram) -> Rule:
    rmsprop = program.optimizer == "rmsprop"
    return Rule(
        kind=OPTIMIZERS.index(program.optimizer),
        momentum=float(program.momentum),
        nesterov=bool(program.nesterov),
        beta1=float(program.beta1),
        beta2=float(program.alpha if rmsprop else program.beta2),
        eps=float(program.eps),
        weight_decay=float(program.weight_decay),
    )
