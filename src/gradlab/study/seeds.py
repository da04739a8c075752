"""Seeds, one for each purpose, so that a data draw can serve a hundred initialisations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gradlab.component import Component

__all__ = ["PURPOSES", "Seeds"]

PURPOSES = ("data", "labels", "init", "order", "dropout", "probe")
Policy = Annotated[int, Field(ge=0, lt=2**63)] | Literal["shared", "varied"]


class Seeds(Component):
    """What each random draw depends on: a whole number (fixed), "shared" or "varied" over replicates.

    Shared purposes use `base` in every replicate, varied ones `base` plus the replicate's index.

    Example:
        >>> Seeds(init=7).of(replicate=2)
        {'data': 0, 'labels': 0, 'init': 7, 'order': 2, 'dropout': 2, 'probe': 0}
    """

    base: Annotated[int, Field(ge=0, lt=2**62)] = 0
    data: Policy = "shared"
    labels: Policy = "shared"
    init: Policy = "varied"
    order: Policy = "varied"
    dropout: Policy = "varied"
    probe: Policy = "shared"

    def of(self, replicate: int) -> dict[str, int]:
        """The seed of each purpose in one replicate."""
        seeds: dict[str, int] = {}
        for purpose in PURPOSES:
            policy: int | str = getattr(self, purpose)
            if isinstance(policy, int):
                seeds[purpose] = policy
            else:
                seeds[purpose] = self.base + (replicate if policy == "varied" else 0)
        return seeds

    def varied(self) -> frozenset[str]:
        """The purposes whose draw differs between replicates."""
        return frozenset(purpose for purpose in PURPOSES if getattr(self, purpose) == "varied")
