"""Outermost eigenvalues of the Hessian by Lanczos, as a study declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gradlab.study.instruments.base import Count, Instrument, by_difference, by_ratio
from gradlab.study.known import Known

__all__ = ["Eigenvalues"]


class Eigenvalues(Instrument):
    """The largest and the smallest eigenvalues of the Hessian, by Lanczos with full re-orthogonalisation.

    Attributes:
        top: How many of the largest.
        bottom: How many of the smallest.
        steps: Lanczos steps; as many as convergence takes where not given.
    """

    kind: Literal["eigenvalues"] = "eigenvalues"
    top: Annotated[int, Field(ge=0)] = 5
    bottom: Annotated[int, Field(ge=0)] = 1
    steps: Count | None = None

    gives: ClassVar[Mapping[str, Known]] = {
        "top": Known("the largest eigenvalues, the largest first", scale="difference", axis="rank"),
        "bottom": Known("the smallest eigenvalues, the smallest first", scale="difference", axis="rank"),
        "residual": by_ratio("the worst residual of a pair, relative to the largest eigenvalue"),
        "converged": by_difference("1 where every pair is within the tolerance", worst="low"),
        "largest": by_ratio("the largest eigenvalue"),
        "smallest": by_difference("the smallest eigenvalue", worst="low"),
    }

    def examine(self) -> None:
        """Refuse to look for nothing.

        Raises:
            ValueError: Neither end is asked for, or there are fewer steps than eigenvalues.
        """
        if self.top + self.bottom == 0:
            raise ValueError("top and bottom are both 0: nothing would be measured")
        if self.steps is not None and self.steps < self.top + self.bottom:
            raise ValueError(f"{self.steps} steps give at most {self.steps} eigenvalues")
