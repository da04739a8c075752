"""What is learned: data, the loss and metrics that suit them. Declarations only; data are built by `data`."""

from __future__ import annotations

from typing import Annotated

from gradlab.component import one_of
from gradlab.task.arrays import Arrays
from gradlab.task.digits import Digits
from gradlab.task.function import Function, Grid

__all__ = ["TASKS", "Arrays", "Digits", "Function", "Grid", "Task"]

TASKS = (Function, Digits, Arrays)
"""Every kind of task."""

Task = Annotated[Function | Digits | Arrays, one_of(*TASKS)]
