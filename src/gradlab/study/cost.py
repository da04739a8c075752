"""What training will cost in time and memory, estimated before anything runs."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gradlab.model.cnn import CNN
from gradlab.model.layers import Conv, Dense, Norm
from gradlab.model.mlp import MLP
from gradlab.study.recipe import GradientBelow
from gradlab.study.record import Record

if TYPE_CHECKING:
    from gradlab.model.module import Module
    from gradlab.study.plan import Plan
    from gradlab.study.spec import Spec

__all__ = [
    "Cost",
    "Work",
    "cost",
    "data_bytes",
    "epoch_seconds",
    "epoch_updates",
    "examples",
    "fused",
    "network_bytes",
    "work",
]


@dataclass(frozen=True)
class Speed:
    """How fast a backend is on one core of 2020 or later.

    Attributes:
        rate: Operations a second in updates, multiplications and additions counted apart.
        forward: The same where networks are only evaluated.
        value: Seconds for each value of an example's layers, forward and backward: what elementwise steps,
            pooling and the copies around convolutions take.
        forward_value: The same where networks are only evaluated.
        update: Seconds that any update takes.
        weight: Seconds that it takes for each weight of a fully connected network, whatever the batch.
    """

    rate: float
    forward: float
    value: float
    forward_value: float
    update: float
    weight: float = 0.0


SPEEDS = {
    "kernel": Speed(rate=4e10, forward=4e10, value=0.0, forward_value=0.0, update=1.0e-6),
    "kernel, wide": Speed(rate=7e10, forward=7e10, value=0.0, forward_value=0.0, update=5e-6, weight=5e-10),
    "kernel, images": Speed(rate=4.5e10, forward=4.5e10, value=2e-9, forward_value=1e-9, update=2e-5),
    "loop": Speed(rate=6e10, forward=4e10, value=1.2e-8, forward_value=6e-9, update=1.0e-3),
    "vmap": Speed(rate=4e12, forward=8e12, value=5e-11, forward_value=2e-11, update=1.0e-4),
}
"""Measured, each right within a factor of two; see `gradlab bench`."""

SINGLE_RATE = 2.5e9
"""Operations a second of the kernel in updates of one example each, which fill no vectors."""

WIDE = 10_000
"""Multiplications from which the kernel keeps a fully connected network's matrices, and not its values, in cache."""

SLOTS = {"sgd": 1, "adam": 2, "adamw": 2, "rmsprop": 2}
"""Arrays as large as the weights that an optimizer keeps, at most."""

COPIES = 4
"""Arrays as large as the weights besides: the gradient, and copies while a state is handed over and stored."""

FORWARD, BOTH = 2.0, 6.0
"""Operations for each multiplication of a forward pass: alone, and with the backward pass."""

KEPT = 3
"""Arrays as large as a batch's values that PyTorch holds at once: outputs, and gradients of two layers."""

LOOP_EXAMPLES = 10_000
"""Examples whose values PyTorch holds at once at most, however large a batch is."""


@dataclass(frozen=True)
class Cost:
    """An estimate, right within a factor of about two; runs that stop early cost less.

    Attributes:
        updates: Optimizer steps of all runs.
        operations: Floating-point operations of all updates and evaluations.
        seconds: Time on `workers` processes.
        workers: Processes assumed.
    """

    updates: int
    operations: float
    seconds: float
    workers: int


@dataclass(frozen=True)
class Work:
    """What a pass of one example through a network takes.

    Attributes:
        multiplications: In matrix products and convolutions, forward.
        values: Numbers that its layers hold.
        layers: Layers that multiply.
    """

    multiplications: int
    values: int
    layers: int


def work(spec: Spec) -> Work:
    """What a pass of one example through a network takes."""
    model, shape, outputs = spec.model, tuple(spec.task.shape), spec.task.outputs
    if isinstance(model, MLP | CNN):
        layers = model.resolved(shape, outputs)
        values = sum(math.prod(layer.outputs) for layer in layers if isinstance(layer, Conv | Dense | Norm))
        count = sum(isinstance(layer, Conv | Dense) for layer in layers)
        return Work(model.multiplications(shape, outputs), values, count)
    return _module_work(model, shape, outputs)


@lru_cache(maxsize=64)
def _module_work(model: Module, shape: tuple[int, ...], outputs: int) -> Work:
    """The same of a module, which is built for it, and which does not say what its layers hold: a guess."""
    found = model.multiplications(shape, outputs)
    return Work(found, math.isqrt(found) * 4, 4)


def fused(spec: Spec) -> bool:
    """Whether the fused kernel is likely to train it; what trains it for sure is the trainer's affair."""
    if not isinstance(spec.model, CNN):
        return isinstance(spec.model, MLP)
    layers = spec.model.resolved(tuple(spec.task.shape), spec.task.outputs)
    plain = all(not isinstance(layer, Norm) and getattr(layer, "stride", 1) == 1 for layer in layers)
    return plain and spec.loss == "cross_entropy" and spec.precision == "full"


def _likely_backend(spec: Spec) -> str:
    return "kernel" if fused(spec) else "loop"


def examples(spec: Spec) -> int:
    """Training examples, those held out for validation left out."""
    size = spec.task.size
    return size - max(1, round(size * spec.validation)) if spec.validation else size


def epoch_updates(spec: Spec) -> int:
    """Optimizer steps in one epoch."""
    return 1 if spec.batch_size == "full" else math.ceil(examples(spec) / spec.batch_size)


def _test_examples(spec: Spec) -> int:
    task: Any = spec.task
    if hasattr(task, "test_size"):
        return int(task.test_size or 0)
    return task.size if task.has_test else 0


def _passes(spec: Spec, record: Record, epochs: int) -> tuple[float, float]:
    """Examples that are evaluated in a whole run: forward alone, and with the gradient."""
    size, test = examples(spec), _test_examples(spec)
    held = spec.task.size - size
    names = set(record.quantities)
    if "loss_gap" in names:
        names |= {"loss", "loss.test"}
    if "accuracy_gap" in names:
        names |= {"accuracy", "accuracy.test"}
    points = len(record.points(epochs))
    forward = both = 0.0
    if names & {"gradient_norm", "gradient_norm_mean", "gradient_norm_layers"}:
        both += points * size
    elif names & {"loss", "accuracy", "tolerance_accuracy"}:
        forward += points * size
    splits = {name.partition(".")[2] for name in names} - {""}
    sizes = {"test": test, "test_training_mode": test, "validation": held, "augmented": size}
    forward += points * (sum(sizes.get(split, 0) for split in splits) + size * ("dead_units" in names))
    if isinstance(spec.stop, GradientBelow):
        both += (epochs - points) * size
    elif spec.stop is not None or record.thresholds:
        forward += (epochs - points) * size
    if spec.keep != "last":
        forward += epochs * (held if spec.keep == "best" else test)
    return forward, both


def _speed(spec: Spec, backend: str) -> Speed:
    if backend != "kernel":
        return SPEEDS[backend]
    if isinstance(spec.model, CNN):
        return SPEEDS["kernel, images"]
    return SPEEDS["kernel, wide" if work(spec).multiplications > WIDE else "kernel"]


def _operations(spec: Spec, record: Record | None, epochs: int) -> float:
    forward, both = _passes(spec, record, epochs) if record is not None else (0.0, 0.0)
    return work(spec).multiplications * (FORWARD * forward + BOTH * (both + epochs * examples(spec)))


def epoch_seconds(spec: Spec, backend: str, record: Record | None = None, epochs: int = 1) -> float:
    """Seconds that one epoch of one run takes on a core of 2020 or later.

    Args:
        spec: What is trained.
        backend: What trains it: "kernel", "loop" or, on a GPU, "vmap".
        record: What is recorded on the way; nothing if not given.
        epochs: Over how many epochs recording is averaged.

    Returns:
        The time, right within a factor of a few.
    """
    found, speed = work(spec), _speed(spec, backend)
    size, updates = examples(spec), epoch_updates(spec)
    rate = SINGLE_RATE if backend == "kernel" and spec.batch_size == 1 else speed.rate
    overhead = speed.update * max(1.0, found.layers / 4) + speed.weight * found.multiplications
    seconds = size * (BOTH * found.multiplications / rate + found.values * speed.value) + updates * overhead
    if record is not None:
        forward, both = _passes(spec, record, epochs)
        seconds += both / epochs * (BOTH * found.multiplications / speed.rate + found.values * speed.value)
        alone = FORWARD * found.multiplications / speed.forward + found.values * speed.forward_value
        seconds += forward / epochs * alone
    return seconds


def data_bytes(spec: Spec) -> int:
    """Bytes of a run's data."""
    each = 4 if len(spec.task.shape) == 3 else 8
    return (spec.task.size + _test_examples(spec)) * math.prod(spec.task.shape) * each


def network_bytes(spec: Spec, parameters: int, backend: str) -> int:
    """Bytes that a run needs while it is trained, its data aside.

    Args:
        spec: What is trained.
        parameters: Trainable values.
        backend: What trains it.

    Returns:
        The state with its copies, and the values that its layers hold for a batch.
    """
    size = 4 if spec.dtype == "float32" else 8
    kept = 1 if spec.keep == "last" else 2
    state = parameters * size * (kept + SLOTS.get(spec.optimizer.kind, 2) + COPIES)
    if backend == "kernel":
        return state
    count = examples(spec)
    batch = min(count if spec.batch_size == "full" else spec.batch_size, count, LOOP_EXAMPLES)
    return state + KEPT * batch * work(spec).values * size


def cost(plan: Plan, workers: int | None = None, backend: Callable[[Spec], str] | None = None) -> Cost:
    """Estimate the cost of all runs of a plan, those that are already stored included.

    Args:
        plan: The plan.
        workers: Processes; one for each core if not given.
        backend: Tells what trains a specification; guessed from the model if not given.

    Returns:
        The estimate.
    """
    workers = workers or os.cpu_count() or 1
    pick = backend or _likely_backend
    updates, operations, seconds = 0, 0.0, 0.0
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for run in plan.runs:
        spec = plan[run.condition].spec
        updates += run.epochs * epoch_updates(spec)
        if (run.condition, run.epochs) not in found:
            each = epoch_seconds(spec, pick(spec), plan.record, run.epochs)
            found[run.condition, run.epochs] = (
                run.epochs * each,
                _operations(spec, plan.record, run.epochs),
            )
        taken, done = found[run.condition, run.epochs]
        seconds += taken
        operations += done
    return Cost(updates, operations, seconds / min(workers, max(1, len(plan.runs))), workers)
