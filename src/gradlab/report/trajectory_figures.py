"""The figures of trajectories: where the runs of a set go, and what two components say beside random walks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradlab.report import measured, source
from gradlab.report.axes import Node, Size
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.panels import arranged, headed, width_of
from gradlab.report.figures.trajectories import Paths, Variance, plane, variance
from gradlab.report.frame import Tables
from gradlab.report.instrument_view import MeasuredView
from gradlab.report.numbers import count, plural
from gradlab.report.palette import Style, styles
from gradlab.report.scales import scale_of
from gradlab.report.view import ResultView
from gradlab.report.words import capital, listed

__all__ = ["trajectory_figures"]

Floats = NDArray[np.float64]
_MOST = 4
"""So many conditions have their paths drawn."""


@dataclass(frozen=True)
class _Sets:
    """The sets of one group that were measured."""

    group: str
    found: list[MeasuredView]

    def typical(self) -> int:
        """The set whose share of two components is the median one."""
        shares = measured.scalars(self.found, "explained_two")
        known = np.flatnonzero(np.isfinite(shares))
        order = known[np.argsort(shares[known], kind="stable")]
        return int(order[(len(order) - 1) // 2]) if len(order) else 0

    def paths(self) -> Paths | None:
        one = self.found[self.typical()]
        places, run, epoch = (measured.array(one, name) for name in ("path", "path_run", "path_epoch"))
        if (
            places.ndim != 2
            or places.shape[1] < 2
            or not np.isfinite(places).any()
            or len(run) != len(places)
        ):
            return None
        shares = measured.array(one, "explained")
        pair = (float(shares[0]), float(shares[1])) if len(shares) > 1 else (float("nan"), float("nan"))
        return Paths(places[:, :2], run, epoch, pair)

    def variance(self, name: str, null: str) -> Variance | None:
        """Shares of all sets with the walks of the typical one."""
        rows = [measured.array(each, name) for each in self.found]
        value = self.found[self.typical()].get(null)
        if value is None or not any(np.isfinite(row).any() for row in rows):
            return None
        mean = np.asarray(value.value, np.float64)
        band = np.asarray(value.error if value.error is not None else [mean, mean], np.float64)
        many = min(len(mean), *(len(row) for row in rows if len(row)))
        table = np.array([row[:many] if len(row) else np.full(many, np.nan) for row in rows])
        return Variance(self.group, table, mean[:many], band[:, :many])


def trajectory_figures(result: ResultView) -> list[Figure]:
    """The paths of a set of runs together, then each run by itself."""
    groups = [
        _Sets(group, found)
        for group in measured.groups(result, "trajectory")
        if (found := measured.last(result, "trajectory", group))
    ]
    shown = [each for each in groups if each.paths() is not None and each.variance("explained", "null")]
    if not shown:
        missing = "No set of runs has a path to draw."
        return [Figure("trajectory", "Paths through weight space", "", missing=missing)]
    own = [each for each in shown if each.variance("own", "null_own")]
    figures = [_figure(result, shown, together=True)]
    return [*figures, _figure(result, own, together=False)] if own else figures


def _figure(result: ResultView, shown: Sequence[_Sets], *, together: bool) -> Figure:
    looks = source.looks(result)
    drawn = shown[:_MOST]

    def draw(size: Size, tables: Tables) -> Node:
        columns = 2 if size.name == "wide" else 1
        width = width_of(size, columns)
        height = 300 if size.name == "wide" else 230
        panels: list[Node] = []
        for each in drawn:
            paths, shares = (
                each.paths(),
                each.variance(*(("explained", "null") if together else ("own", "null_own"))),
            )
            if paths is None or shares is None:
                continue
            runs = len(np.unique(paths.run))
            own: list[Style] = list(styles([f"run {k + 1}" for k in range(runs)]).values())
            colours = own if len(shown) == 1 else [looks[each.group]]
            left = plane(
                paths if together else paths.moved(), colours, size, tables, width=width, height=height
            )
            right = variance(shares, looks[each.group], size, tables, width=width, height=height)
            if len(shown) > 1:
                name = f"{looks[each.group].symbol} {each.group}"
                left, right = (headed(part, name, size, looks[each.group].label) for part in (left, right))
            panels += [left, right]
        return arranged(panels, columns)

    return Figure(
        "trajectory" if together else "trajectory-own",
        _title(shown, together=together),
        _subtitle(shown, drawn, together=together),
        draw=draw,
    )


def _title(shown: Sequence[_Sets], *, together: bool) -> str:
    """The share of two components beside random walks of the same shape."""
    prefix = "" if together else "own_"
    write = scale_of("trajectory.explained_two").write
    said: list[str] = []
    for each in shown[:_MOST]:
        share, null, above = (
            measured.scalars(each.found, prefix + name)
            for name in ("explained_two", "null_two", "above_null")
        )
        whose = f" with {each.group}" if len(shown) > 1 else ""
        n, hits = int(np.isfinite(above).sum()), int(np.nansum(above))
        walks = write(float(np.nanmedian(null)))
        share_text = write(float(np.nanmedian(share)))
        if hits == n:
            than = f"more than random walks of the same shape ({walks})"
        elif hits == 0:
            than = f"no more than random walks of the same shape ({walks})"
        else:
            than = (
                f"more than random walks of the same shape ({walks}) in {count(hits)} of {plural(n, 'set')}"
            )
        said.append(f"{share_text}{whose}, {than}")
    head = "two components carry" if together else "of one run by itself two components carry"
    return capital(f"{head} {'; '.join(said)}")


def _subtitle(shown: Sequence[_Sets], drawn: Sequence[_Sets], *, together: bool) -> str:
    one = drawn[0]
    paths = one.paths()
    runs = len(np.unique(paths.run)) if paths is not None else 0
    sets = len(one.found)
    which = "the set" if sets == 1 else f"the set of median share among {count(sets)}"
    colour = "a colour each" if len(shown) == 1 else "in the condition's colour"
    paths_said = f"Paths: {plural(runs, 'run')} of {which}, {colour}"
    paths_said += "" if together else ", each from its own start on the same plane"
    shares = "Shares by component: "
    shares += "all runs of a set together" if together else "each run by itself"
    shares += f", median over {plural(sets, 'set')}, single sets pale" if sets > 1 else ""
    said = [f"{paths_said}; ring: start, arrow: end. {shares}; grey: random walks, mean and 95 % of them"]
    if len(shown) > len(drawn):
        rest = [each.group for each in shown[len(drawn) :]]
        said.append(f"Not drawn: {listed(rest)}")
    return ". ".join(said)
