"""The paths of a set of runs through weight space, as a study declares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from gradlab.study.instruments.base import Count, Instrument, Scope, by_difference, by_ratio
from gradlab.study.known import Known

__all__ = ["Trajectory"]


def _component(means: str) -> Known:
    return Known(means, scale="difference", axis="component")


def _row(means: str) -> Known:
    return Known(f"of each weights on the paths: {means}", shape="array")


class Trajectory(Instrument):
    """Principal components of the weights along training, over a set of runs together, beside a random walk.

    The sets are consecutive replicates of a condition: one set is one observation.

    Attributes:
        every: Weights are taken every so many epochs, the initial ones included.
        runs: Runs of a set.
        parts: "network", or names of parameter tensors.
        units: Only the first so many units of each tensor; all where not given.
        biases: Whether biases belong to the weights.
        before: Whether the initial weights are among the rows of the analysis.
    """

    kind: Literal["trajectory"] = "trajectory"
    every: Count = 3
    runs: Count = 8
    parts: str | tuple[str, ...] = "network"
    units: Count | None = None
    biases: bool = False
    before: bool = False

    scope: ClassVar[Scope] = "set"
    choosing: ClassVar[frozenset[str]] = frozenset({"at", "every", "runs"})
    gives: ClassVar[Mapping[str, Known]] = {
        "explained": _component("share of the variance of all runs together that each component explains"),
        "null": _component("the same of random walks of the same layout, their mean"),
        "own": _component(
            "share of the variance of a run by itself that each component explains, mean over runs"
        ),
        "null_own": _component("the same of random walks of the same length, their mean"),
        "explained_two": by_difference(
            "share of the variance of all runs together that two components explain"
        ),
        "null_two": by_difference("the same of random walks of the same layout, their mean"),
        "null_two_high": by_difference("their 97.5th percentile"),
        "above_null": by_difference("1 where two components explain more than that percentile"),
        "own_explained_two": by_difference(
            "share of the variance of a run by itself that two components explain"
        ),
        "own_null_two": by_difference("the same of random walks of the same length, their mean"),
        "own_null_two_high": by_difference("their 97.5th percentile"),
        "own_above_null": by_difference(
            "1 where two components of a run by itself explain more than that percentile"
        ),
        "between": by_difference("share of the variance that lies between the runs"),
        "within": by_difference("share of the variance that lies within them"),
        "off_plane": by_difference(
            "mean distance from the plane of two components, over that from the centre"
        ),
        "end_spread": by_ratio("mean distance between the ends of two runs, over that between their starts"),
        "separation": by_ratio("mean distance between the ends of two runs, over the mean length of a path"),
        "end_cosine": by_difference("mean cosine between the ends of two runs, seen from the origin"),
        "move_cosine": by_difference("mean cosine between the displacements of two runs from start to end"),
        "persistence": by_difference("mean cosine between successive steps"),
        "path_length": by_ratio("mean length of a path, the sum of its steps"),
        "start_distance": by_ratio("mean distance between the starts of two runs"),
        "end_distance": by_ratio("mean distance between the ends of two runs"),
        "path": _row("position on the plane of two components"),
        "null_path": _row("the same of one random walk of the same layout"),
        "path_run": _row("which run of the set it is"),
        "path_epoch": _row("its epoch"),
        "path_off_plane": _row("distance from the plane"),
        "loss_path": _row("loss at the weights"),
        "loss_plane": _row("loss at their projection onto the plane"),
    }

    def examine(self) -> None:
        """Refuse what sets of runs cannot be.

        Raises:
            ValueError: `at` is set (`every` says when), or no part is named.
        """
        if self.at != "last":
            raise ValueError("at is not for trajectories: every = 3 says when weights are taken")
        if not self.parts:
            raise ValueError("parts names no parameter tensor")

    def epochs(self, horizon: int) -> tuple[int, ...]:
        """The epochs whose weights are rows: 0 and every multiple up to the horizon."""
        return tuple(range(0, horizon + 1, self.every))
