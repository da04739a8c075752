"""Claims made of claims, static facts, and sentences that no run can decide."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, SerializeAsAny, WithJsonSchema
from pydantic_core import PydanticCustomError

from gradlab.errors import Problem
from gradlab.study.facts import parse_fact
from gradlab.study.grammar import GrammarError
from gradlab.study.kinds.base import Scope, Test, placed
from gradlab.study.select import select

__all__ = ["AllOf", "AnyTest", "Fact", "Not", "Untestable"]


class Fact(Test):
    """Something static, computed from the plan: `parameters(deep) == 571`, `layers(deep) > layers(wide)`.

    Attributes:
        expression: One comparison of numbers and of facts about conditions.
    """

    kind: Literal["fact"] = "fact"
    expression: str

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        try:
            for condition in parse_fact(self.expression).conditions():
                select(condition, scope.conditions)
        except GrammarError as error:
            return [placed(error, path)]
        return []

    def __str__(self) -> str:
        return f"fact({self.expression})"


class Untestable(Test):
    """An opinion, a definition, or a 'because' without a control arm.

    Attributes:
        reason: Why no run can decide it.
    """

    kind: Literal["untestable"] = "untestable"
    reason: str

    def __str__(self) -> str:
        return f"untestable({self.reason!r})"


class AllOf(Test):
    """Every one of several claims holds (intersection-union; contradicted where one of them is).

    Attributes:
        claims: The claims.
    """

    kind: Literal["all_of"] = "all_of"
    claims: tuple[AnyTest, ...]

    def _inner(self) -> tuple[Test, ...]:
        return self.claims

    def _examined(self, scope: Scope, path: str) -> list[Problem]:
        problems = []
        if not self.claims:
            problems.append(Problem(path, "all_of()", "all_of needs at least one claim"))
        return problems

    def __str__(self) -> str:
        return f"all_of({', '.join(str(claim) for claim in self.claims)})"


class Not(Test):
    """The opposite of a claim: supported where that is contradicted.

    Attributes:
        claim: The claim.
    """

    kind: Literal["not"] = "not"
    claim: AnyTest

    def _inner(self) -> tuple[Test, ...]:
        return (self.claim,)

    def __str__(self) -> str:
        return f"not_({self.claim})"


def _any_test(value: object) -> object:
    from gradlab.study.claim_text import parse_claim

    if isinstance(value, Test):
        return value
    try:
        if isinstance(value, str):
            return parse_claim(value)
    except GrammarError as error:
        raise error.for_pydantic() from None
    raise PydanticCustomError(
        "component",
        cast(Any, "a claim is written as text"),
        {"found": type(value).__name__, "allowed": "as in less(loss, deep, than=shallow)"},
    )


AnyTest = Annotated[
    SerializeAsAny[Test],
    BeforeValidator(_any_test),
    WithJsonSchema({"type": "string", "examples": ["less(loss, deep, than=shallow)"]}),
]
"""A claim kind, given as an instance or as text."""

AllOf.model_rebuild()
Not.model_rebuild()
