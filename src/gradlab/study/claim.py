"""One claim of a study: whose words, judged by which test, and how it was reported."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from gradlab.component import Component
from gradlab.errors import Problem
from gradlab.study.kinds import AnyTest, Scope, Test
from gradlab.study.quantity import Quantity

__all__ = ["Claim"]


class Claim(Component):
    """One claim of a study: the words, and what they are tested by.

    Attributes:
        id: Identity in a report, such as `S002-1`; may be empty.
        says: The claim in the words of whoever made it; empty for the test's own words.
        test: The verdict of record ('done right').
        as_reported: The same question asked as a report asked it, where that differs.
        note: What a reader should know about the translation.
    """

    kind: Literal["claim"] = "claim"
    id: str = ""
    says: str = ""
    test: AnyTest
    as_reported: AnyTest | None = None
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        return {"test": value} if isinstance(value, str | Test) else value

    def tree(self) -> dict[str, Any]:
        """The claim as a table of texts, as TOML would hold it."""
        texts = {"id": self.id, "says": self.says, "test": str(self.test), "note": self.note}
        if self.as_reported is not None:
            texts["as_reported"] = str(self.as_reported)
        return {key: text for key, text in texts.items() if text}

    def canonical(self) -> dict[str, Any]:
        """The same as `tree`: a claim has one normal spelling."""
        return self.tree()

    @property
    def key(self) -> str:
        """What the claim is known by in a study: its id, or else its test."""
        return self.id or str(self.test)

    @property
    def words(self) -> str:
        """What is claimed, in the claim's own words or else the test's."""
        return self.says or str(self.test)

    def tests(self) -> tuple[Test, ...]:
        """The verdict of record and, if there is one, the reading as reported."""
        return (self.test,) if self.as_reported is None else (self.test, self.as_reported)

    def quantities(self) -> tuple[Quantity, ...]:
        """Every quantity that either reading needs."""
        return tuple(dict.fromkeys(q for test in self.tests() for q in test.quantities()))

    def thresholds(self) -> tuple[float, ...]:
        """Thresholds of the training loss whose first passage must be tracked at every epoch."""
        return tuple(sorted({value for test in self.tests() for value in test.thresholds()}))

    def check(self, scope: Scope, path: str = "claims") -> list[Problem]:
        """Everything that makes the claim impossible in this study.

        Args:
            scope: What the study has.
            path: Key path for the problems.

        Returns:
            All problems at once, each with the nearest spelling.
        """
        problems = self.test.check(scope, path)
        if self.as_reported is not None:
            problems += self.as_reported.check(scope, f"{path}.as_reported")
        return problems

    def __str__(self) -> str:
        return str(self.test)
