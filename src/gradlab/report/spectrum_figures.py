"""The figures of Hessian spectra: eigenvalues by rank, densities, and single numbers as strips of dots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gradlab.report import measured, source
from gradlab.report.axes import Axis, Node, Size, value_axis
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.panels import Profile, profiles, symlog
from gradlab.report.figures.strips import strips
from gradlab.report.frame import Tables, stacked
from gradlab.report.numbers import count, number, plural
from gradlab.report.palette import INK
from gradlab.report.scales import scale_of
from gradlab.report.summary import median
from gradlab.report.view import ResultView
from gradlab.report.words import capital, listed, trace_name

__all__ = ["density_figures", "hessian_figures", "number_figures"]

_DRAWN = 240
"""So many ranks are drawn at most."""


def hessian_figures(result: ResultView) -> list[Figure]:
    """All eigenvalues by rank on an axis of both signs, with the zero band."""
    found: list[Profile] = []
    bands: list[float] = []
    shares: list[str] = []
    write = scale_of("hessian.positive").write
    for group in measured.groups(result, "hessian"):
        taken = measured.last(result, "hessian", group)
        bands += measured.scalars(taken, "tolerance").tolist()
        curves = measured.along(result, "hessian.eigenvalues", group)
        if curves is not None:
            found.append(Profile(group, np.asarray(curves.places, float), curves.values, False, group))
            parts = [median(measured.scalars(taken, name)) for name in ("positive", "zero", "negative")]
            whose = f"{group}: " if len(measured.groups(result, "hessian")) > 1 else ""
            shares.append(
                f"{whose}{write(parts[0])} positive, {write(parts[1])} zero, {write(parts[2])} negative"
            )
    if not found:
        return [Figure("hessian", "Hessian eigenvalues", "", missing="No run has a spectrum to draw.")]
    looks = source.looks(result)
    band = float(np.nanmedian(bands)) if np.isfinite(bands).any() else 1e-8

    def draw(size: Size, tables: Tables) -> Node:
        everything = np.concatenate([each.values.ravel() for each in found])
        y, turned = symlog(everything, trace_name("hessian.eigenvalues"), band)
        last = max(float(each.places[-1]) for each in found)
        x = value_axis([1.0, last], "rank", log=False, pad=0.02)
        shown = [_thinned(each, turned) for each in found]
        edge = float(turned(band))
        grey = [{"low": -edge, "high": edge}]
        up = y.encode("value", "y", size)
        area = {"color": INK.soft[0], "opacity": 0.18}
        under = [tables(grey, "rect", area, y=up | {"field": "low"}, y2={"field": "high"})]
        height = 280 if size.name == "wide" else 220
        return profiles(
            shown, looks, size, tables, x=x, y=y, width=size.plot, height=height, under=under, single=False
        )

    runs = max(len(each.values) for each in found)
    return [
        Figure(
            "hessian",
            capital(f"of the Hessian's eigenvalues {'; '.join(shares[:3])}"),
            f"Eigenvalues by rank: median and 10–90 % band over {plural(runs, 'run')}; grey: the band of width "
            f"±{number(band, 2, typographic=True)} in which one counts as zero; logarithmic outside it",
            draw=draw,
        )
    ]


def _thinned(each: Profile, turned: Callable[[np.ndarray], np.ndarray]) -> Profile:
    """The same on the turned axis, at some of the ranks."""
    kept = np.unique(np.linspace(0, len(each.places) - 1, min(len(each.places), _DRAWN)).round().astype(int))
    return Profile(each.condition, each.places[kept], turned(each.values[:, kept]), False, each.label)


def density_figures(result: ResultView) -> list[Figure]:
    """The estimated density, and below it the share of eigenvalues up to a value."""
    looks = source.looks(result)
    found: dict[str, list[Profile]] = {"density": [], "cumulative": []}
    for group in measured.groups(result, "density"):
        for each in measured.last(result, "density", group)[:1]:
            for name, profiles_ in found.items():
                value = each.get(name)
                if (
                    value is not None
                    and value.places is not None
                    and np.isfinite(np.asarray(value.value)).any()
                ):
                    rows = np.asarray(value.value, float)[None]
                    if value.error is not None and np.shape(value.error) == (2, rows.shape[1]):
                        rows = np.concatenate([rows, np.asarray(value.error, float)])
                    profiles_.append(Profile(group, np.asarray(value.places, float), rows, False, group))
    if not any(found.values()):
        return [Figure("density", "Spectral density", "", missing="No run has a spectral density.")]

    def draw(size: Size, tables: Tables) -> Node:
        panels: list[Node] = []
        for name, shown in found.items():
            if not shown:
                continue
            values = np.concatenate([each.values.ravel() for each in shown])
            if name == "density":
                values = np.maximum(values, np.nanmax(values) * 1e-6)
            scale = scale_of(f"density.{name}")
            places = np.concatenate([each.places for each in shown])
            x = value_axis(places, "eigenvalue", log=False, pad=0.0)
            y: Axis = value_axis(
                values, trace_name(f"density.{name}"), log=name == "density", tick=scale.tick
            )
            panels.append(
                profiles(
                    [
                        each
                        if name == "cumulative"
                        else Profile(
                            each.condition, each.places, np.maximum(each.values, y.low), False, each.label
                        )
                        for each in shown
                    ],
                    looks,
                    size,
                    tables,
                    x=x,
                    y=y,
                    width=size.plot,
                    height=180 if size.name == "wide" else 150,
                    scale=scale,
                    unit="estimate",
                    foot=name == "cumulative",
                )
            )
        return panels[0] if len(panels) == 1 else stacked(panels, spacing=28)

    return [
        Figure(
            "density",
            "Where the Hessian's eigenvalues lie, by stochastic Lanczos quadrature",
            "The first run of each condition: mean over probes with its band; density above, share up to a value below",
            draw=draw,
        )
    ]


def number_figures(kind: str, names: tuple[str, ...]) -> Callable[[ResultView], list[Figure]]:
    """What draws an instrument that gives single numbers: one dot per run, a figure for each of some values."""

    def drawn(result: ResultView) -> list[Figure]:
        looks = source.looks(result)
        figures: list[Figure] = []
        for name in names:
            rows = source.rows(result, f"{kind}.{name}@last", list(measured.groups(result, kind)))
            rows = [row for row in rows if np.isfinite(row.values).any()]
            if not rows:
                continue
            what, scale = trace_name(f"{kind}.{name}"), scale_of(f"{kind}.{name}")
            said = listed([f"{row.condition} {scale.write(median(row.values))}" for row in rows[:4]])
            more = f" and {count(len(rows) - 4)} more" if len(rows) > 4 else ""
            figures.append(
                Figure(
                    f"{kind}-{name}".replace("_", "-"),
                    f"Median {what}: {said}{more}",
                    "one dot per run; bar: 95 % interval of the median",
                    draw=lambda size, tables, rows=rows, what=what, scale=scale: strips(
                        rows, looks, size, tables, title=what, scale=scale, lane="infinite"
                    ),
                )
            )
        title = capital(kind.replace("_", " "))
        return figures or [Figure(kind, title, "", missing="No run has been measured.")]

    return drawn
