"""Facts about the plan itself: computed, not tested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradlab.errors import StudyError
from gradlab.judge.data import Data
from gradlab.judge.finding import Finding
from gradlab.judge.words import digits
from gradlab.model.cnn import CNN
from gradlab.model.layers import Conv, Dense
from gradlab.study.facts import Reference, parse_fact
from gradlab.study.kinds import Fact
from gradlab.study.select import select

__all__ = ["fact", "look_up"]


def fact(test: Fact, data: Data) -> list[Finding]:
    """The finding on a static fact.

    Args:
        test: The claim.
        data: The plan.

    Returns:
        One finding, `supported` or `contradicted`.
    """
    expression = parse_fact(test.expression)
    values = {
        side: look_up(data, side)
        for side in (expression.left, expression.right)
        if isinstance(side, Reference)
    }
    holds = expression.holds(values.__getitem__)
    said = ", ".join(
        f"{side.name} of {side.condition}: {int(value) if value == int(value) else digits(value)}"
        for side, value in values.items()
    )
    return [
        Finding(
            evidence=None,
            test="fact",
            null="computed from the plan, no test",
            sentence=said,
            fixed="supported" if holds else "contradicted",
        )
    ]


def look_up(data: Data, reference: Reference) -> float:
    """The value of a setting.

    Args:
        data: The plan.
        reference: `parameters`, `layers`, `epochs`, or a key path of the specification, of one condition.

    Returns:
        The number; `full` batches and missing values are not numbers.

    Raises:
        StudyError: There is no such number.
    """
    condition = data.condition(select(reference.condition, data.conditions).names[0])
    if reference.name in {"parameters", "epochs"}:
        return float(getattr(condition, reference.name))
    if reference.name in {"layers", "hidden_layers"}:
        hidden: Sequence[int] | None = getattr(condition.spec.model, "hidden", None)
        if hidden is not None:
            return float(len(hidden) + (reference.name == "layers"))
        if isinstance(condition.spec.model, CNN):
            layers = condition.spec.model.resolved(condition.spec.task.shape, condition.spec.task.outputs)
            weighted = sum(isinstance(layer, Conv | Dense) for layer in layers)
            return float(weighted - (reference.name == "hidden_layers"))
    value: Any = condition.spec
    for part in reference.name.split("."):
        value = getattr(value, part, None)
    if isinstance(value, bool | int | float):
        return float(value)
    raise StudyError(f"{reference.name}({reference.condition}) is not a number of the plan")
