"""What determines a run's weights, and the identity that follows from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gradlab.component import Component
from gradlab.model import Initial, Model
from gradlab.model.initial import Default
from gradlab.study.recipe import Constant, Optimizer, Schedule, Stop
from gradlab.task import Task

__all__ = ["Spec"]


class Spec(Component):
    """Everything that determines the weights of a run, seeds aside; no field is a factor any more.

    Attributes:
        task: What is learned.
        model: The architecture; its input and output sizes follow from the task.
        optimizer: The update rule.
        schedule: The learning rate over epochs.
        batch_size: Examples an update; "full" is one update an epoch; the last partial batch is kept.
        shuffle: Whether each epoch visits the examples in a new order.
        loss: "mse" is the mean over all elements, "cross_entropy" the mean over examples of integer classes.
        objective: What the optimizer descends on; "sum_of_outputs" is the quirk of report 004.
        stop: When a run ends before its last epoch.
        reset_optimizer: "epoch" re-creates the optimizer before each epoch (the quirk of report 002).
        keep: Which weights are the result: "last", "best" (lowest validation loss) or the quirk "test-best".
        initial: Where the first weights come from.
        dtype: The floating-point type of weights and arithmetic.
        precision: "bfloat16" multiplies and convolves in bfloat16 while weights stay float32 (autocast): faster
            where the processor has such units, slower elsewhere, and less exact everywhere.
        validation: The share of the training examples that is held out for validation.
    """

    task: Task
    model: Model
    optimizer: Optimizer
    schedule: Schedule = Constant()
    batch_size: Annotated[int, Field(ge=1)] | Literal["full"] = "full"
    shuffle: bool = True
    loss: Literal["mse", "cross_entropy"]
    objective: Literal["loss", "sum_of_outputs"] = "loss"
    stop: Stop | None = None
    reset_optimizer: Literal["never", "epoch"] = "never"
    keep: Literal["last", "best", "test-best"] = "last"
    initial: Initial = Default()
    dtype: Literal["float32", "float64"] = "float32"
    precision: Literal["full", "bfloat16"] = "full"
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
