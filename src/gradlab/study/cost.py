"""What training will cost, estimated before anything runs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradlab.model.mlp import MLP

if TYPE_CHECKING:
    from gradlab.study.plan import Plan
    from gradlab.study.spec import Spec

__all__ = ["Cost", "cost", "epoch_operations", "epoch_seconds", "epoch_updates"]

KERNEL_RATE = 4e10
"""Operations a second of the fused kernel on small networks, multiplications and additions counted apart."""
KERNEL_SINGLE_RATE = 2.5e9
"""The same for updates of one example each, which fill no vectors."""
KERNEL_UPDATE = 1.0e-6
"""Seconds that any fused update takes."""
LOOP_RATE = 1e10
"""Operations a second of the PyTorch loop."""
LOOP_UPDATE = 1.0e-3
"""Seconds that any PyTorch update of a small network takes."""


@dataclass(frozen=True)
class Cost:
    """An estimate, right within a factor of about two; runs that stop early cost less.

    Attributes:
        updates: Optimizer steps of all runs.
        operations: Floating-point operations of all updates.
        seconds: Time on `workers` processes.
        workers: Processes assumed.
    """

    updates: int
    operations: float
    seconds: float
    workers: int


def epoch_updates(spec: Spec, examples: int) -> int:
    """Optimizer steps in one epoch."""
    return 1 if spec.batch_size == "full" else math.ceil(examples / spec.batch_size)


def epoch_operations(parameters: int, examples: int) -> float:
    """Operations of one epoch: forward and backward pass take six for each parameter and example."""
    return 6.0 * parameters * examples


def epoch_seconds(spec: Spec, parameters: int, examples: int, *, fused: bool) -> float:
    """Seconds that one epoch of one run takes on a core of 2020 or later.

    Args:
        spec: What is trained.
        parameters: Trainable values.
        examples: Training examples.
        fused: Whether the kernel trains it, and not the loop.

    Returns:
        The time, right within a factor of a few.
    """
    operations, updates = epoch_operations(parameters, examples), epoch_updates(spec, examples)
    if not fused:
        return operations / LOOP_RATE + updates * LOOP_UPDATE
    rate = KERNEL_SINGLE_RATE if spec.batch_size == 1 else KERNEL_RATE
    return operations / rate + updates * KERNEL_UPDATE


def cost(plan: Plan, workers: int | None = None) -> Cost:
    """Estimate the cost of all runs of a plan, those that are already stored included.

    Args:
        plan: The plan.
        workers: Processes; one for each core if not given.

    Returns:
        The estimate.
    """
    workers = workers or os.cpu_count() or 1
    updates, operations, seconds = 0, 0.0, 0.0
    for run in plan.runs:
        condition = plan[run.condition]
        spec, parameters = condition.spec, condition.parameters
        examples = round(spec.task.size * (1 - spec.validation))
        updates += run.epochs * epoch_updates(spec, examples)
        operations += run.epochs * epoch_operations(parameters, examples)
        fused = isinstance(spec.model, MLP)
        seconds += run.epochs * epoch_seconds(spec, parameters, examples, fused=fused)
    return Cost(updates, operations, seconds / min(workers, max(1, len(plan.runs))), workers)
