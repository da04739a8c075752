"""What a plan will cost, estimated before anything runs."""

from __future__ import annotations

import os
from dataclasses import dataclass

from gradlab.model.mlp import MLP
from gradlab.study.plan import Plan
from gradlab.study.spec import Spec

__all__ = ["Cost", "cost"]

KERNEL_FLOPS = 40e9
"""Arithmetic rate of the fused kernel on small networks, multiply and add counted apart."""
KERNEL_UPDATE = 1.2e-6
"""Seconds that any fused update takes."""
LOOP_FLOPS = 20e9
"""Arithmetic rate of the PyTorch loop."""
LOOP_UPDATE = 1.0e-3
"""Seconds that any PyTorch update of a small network takes."""


@dataclass(frozen=True)
class Cost:
    """An estimate, right within a factor of about two; runs that stop early cost less.

    Attributes:
        updates: Optimizer steps of all runs.
        flops: Floating-point operations of all updates.
        seconds: Time on `workers` processes.
        workers: Processes assumed.
    """

    updates: int
    flops: float
    seconds: float
    workers: int


def cost(plan: Plan, workers: int | None = None) -> Cost:
    """Estimate the cost of all runs of a plan, those that are already stored included.

    Args:
        plan: The plan.
        workers: Processes; one for each core if not given.

    Returns:
        The estimate.
    """
    workers = workers or os.cpu_count() or 1
    updates, flops, seconds = 0, 0.0, 0.0
    for run in plan.runs:
        condition = plan[run.condition]
        size = round(condition.spec.task.size * (1 - condition.spec.validation))
        batch = size if condition.spec.batch_size == "full" else min(condition.spec.batch_size, size)
        steps = -(-size // batch) * run.epochs
        work = 6.0 * condition.parameters * size * run.epochs
        updates += steps
        flops += work
        fused = fits_kernel(condition.spec)
        rate, overhead = (KERNEL_FLOPS, KERNEL_UPDATE) if fused else (LOOP_FLOPS, LOOP_UPDATE)
        if batch < 16:  # too few examples to fill the vector units
            rate /= 16 / batch
        seconds += steps * overhead + work / rate
    return Cost(updates, flops, seconds / min(workers, max(1, len(plan.runs))), workers)


def fits_kernel(spec: Spec) -> bool:
    """Whether the fused kernel can train a spec."""
    return isinstance(spec.model, MLP)
