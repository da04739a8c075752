"""The figure of interpolations: loss above and accuracy below along the line between two networks."""

from __future__ import annotations

import numpy as np

from gradlab.report import measured, source
from gradlab.report.axes import Axis, Node, Size, value_axis
from gradlab.report.figures.figure import Figure
from gradlab.report.figures.panels import Diamond, Profile, profiles
from gradlab.report.frame import Tables, field, stacked
from gradlab.report.numbers import interval, number, plural
from gradlab.report.palette import INK
from gradlab.report.scales import Scale, scale_of
from gradlab.report.summary import median, median_interval
from gradlab.report.view import ResultView
from gradlab.report.words import axis_name, capital, loss_of, quantity, split_words
from gradlab.study.quantity import GrammarError

__all__ = ["interpolation_figures"]

_TICKS = 0.5


def interpolation_figures(result: ResultView) -> list[Figure]:
    """One figure: median and band over pairs, train solid and test dashed, the ends marked with their names."""
    groups = list(measured.groups(result, "interpolation"))
    shown = {name: _profiles(result, name, groups) for name in ("loss", "accuracy")}
    what = "What lies on the line between two networks"
    if not any(shown.values()):
        return [Figure("interpolation", what, "", missing="No pair of networks has been measured.")]
    looks = source.looks(result)
    instrument = measured.declared(result)["interpolation"]
    names = _ends(instrument)
    curved = getattr(instrument, "path", "line") == "bezier"

    def draw(size: Size, tables: Tables) -> Node:
        parts = [name for name in ("loss", "accuracy") if shown[name]]
        panels: list[Node] = []
        for name in parts:
            scale = scale_of(f"interpolation.{name}")
            marks = _diamonds(result, name, groups)
            title = axis_name(name, loss_of(result), whose="")
            every = [np.concatenate(each.summary) for each in shown[name]]
            values = np.concatenate([*every, np.array([mark.value for mark in marks])])
            positive = name == "loss" and bool((values[np.isfinite(values)] > 0).all())
            y = value_axis(values, title, log=positive or scale.log, tick=scale.tick, ends=scale.ends)
            x = _alphas(shown[name], mark=name == parts[-1])
            height = (200 if size.name == "wide" else 165) if len(parts) > 1 else 260
            width = size.plot
            panels.append(
                profiles(
                    shown[name],
                    looks,
                    size,
                    tables,
                    x=x,
                    y=y,
                    width=width,
                    height=height,
                    scale=scale,
                    unit="pair",
                    under=[
                        *_marked(names if name == parts[0] else ("", ""), x, size, tables),
                        *(_barrier(shown[name], x, y, size, tables) if name == parts[-1] else []),
                    ],
                    diamonds=marks,
                    foot=name == parts[-1],
                )
            )
        return panels[0] if len(panels) == 1 else stacked(panels, spacing=30)

    subtitle = _subtitle(result, shown["loss"] or shown["accuracy"], groups, curved=curved)
    return [Figure("interpolation", _title(result, groups), subtitle, draw=draw)]


def _profiles(result: ResultView, name: str, groups: list[str]) -> list[Profile]:
    """Training and test values of every group."""
    found: list[Profile] = []
    for group in groups:
        for trace in (f"interpolation.{name}", f"interpolation.{name}.test"):
            curves = measured.along(result, trace, group)
            if curves is None:
                continue
            rows = np.asarray(curves.values, float)
            rows = rows[np.isfinite(rows).any(axis=1)]
            dashed = trace.endswith(".test")
            split = "test" if dashed else "train"
            label = split if len(groups) == 1 else group if not dashed else ""
            found.append(Profile(group, np.asarray(curves.places, float), rows, dashed, label))
    return found


def _alphas(shown: list[Profile], *, mark: bool) -> Axis:
    places = np.concatenate([each.places for each in shown])
    low, high = float(places.min()), float(places.max())
    ticks = np.arange(np.ceil(low / _TICKS), np.floor(high / _TICKS) + 1) * _TICKS
    names = tuple(number(float(tick), typographic=True) for tick in ticks)
    title = "α (0: first network, 1: second network)" if mark else ""
    return Axis(low, high, False, tuple(float(tick) for tick in ticks), names, title)


def _ends(instrument: object) -> tuple[str, str]:
    between = getattr(instrument, "between", "replicates")
    return ("one replicate", "the next") if isinstance(between, str) else (str(between[0]), str(between[1]))


def _barrier(shown: list[Profile], x: Axis, y: Axis, size: Size, tables: Tables) -> list[Node]:
    """The line joining the ends' values, and where the median over pairs is furthest below or above it."""
    if len({each.condition for each in shown}) != 1 or y.log:
        return []
    each = next((one for one in shown if one.dashed), shown[0])
    middle = each.summary[1]
    inside = np.flatnonzero((each.places >= 0) & (each.places <= 1) & np.isfinite(middle))
    if len(inside) < 3 or each.places[inside[0]] != 0 or each.places[inside[-1]] != 1:
        return []
    places, values = each.places[inside], middle[inside]
    joined = values[0] + places * (values[-1] - values[0])
    most = int(np.argmax(np.abs(joined - values)))
    across = x.encode("place", "x", size, title=False, labels=False)["scale"]
    at = {"field": "place", "type": "quantitative", "scale": across}
    up = {"field": "value", "type": "quantitative", "scale": y.encode("value", "y", size)["scale"]}
    ends = [{"place": float(places[k]), "value": float(values[k])} for k in (0, -1)]
    gap = [{"place": float(places[most]), "value": float(values[most]), "to": float(joined[most])}]
    dotted = {"strokeDash": [2, 3], "strokeWidth": 1.4, "color": INK.text[0], "opacity": 0.8}
    thick = {"strokeWidth": 2, "color": INK.text[0], "opacity": 0.8}
    return [
        tables(ends, "line", dotted, x=at, y=up),
        tables(gap, "rule", thick, x=at, y=up, y2={"field": "to"}),
    ]


def _marked(names: tuple[str, str], x: Axis, size: Size, tables: Tables) -> list[Node]:
    """Vertical lines at both ends, with the names of the networks on top."""
    rows = [{"place": 0.0, "text": names[0]}, {"place": 1.0, "text": names[1]}]
    rule = {"color": INK.soft[0], "strokeWidth": 1, "opacity": 0.75}
    across = x.encode("place", "x", size, title=False, labels=False)
    # The channel is that of the profiles, so that the axes of all layers are one.
    layers = [
        tables(rows, "rule", rule, x={"field": "place", "type": "quantitative", "scale": across["scale"]})
    ]
    named = [row for row in rows if row["text"]]
    if named:
        text = {"align": "center", "baseline": "bottom", "fontSize": size.type, "fontWeight": 600}
        text |= {"color": INK.soft[0], "dy": -4}
        at = {"field": "place", "type": "quantitative", "scale": across["scale"]}
        layers.append(tables(named, "text", text, x=at, y={"value": 0}, text=field("text")))
    return layers


def _diamonds(result: ResultView, name: str, groups: list[str]) -> list[Diamond]:
    found: list[Diamond] = []
    for item in result.study.published:
        try:
            wanted = quantity(item.quantity)
        except GrammarError:
            continue
        if wanted.instrument != "interpolation" or wanted.split.partition(".")[0] != name or wanted.reducer:
            continue
        if wanted.at is None or isinstance(wanted.at, str) or item.condition not in groups:
            continue
        value, at = float(item.value), float(wanted.at)
        said = f"published, {item.condition}, {split_words(wanted.split)}: {scale_of(wanted).table(value)}"
        said += f" at α {number(at, typographic=True)}"
        found.append(Diamond(item.condition, at, value, said, dashed=wanted.split.endswith(".test")))
    return found


def _title(result: ResultView, groups: list[str]) -> str:
    """The barrier with its interval: of the test error, or what there is."""
    for name, what, scale in (
        ("barrier_error.test", "test error", Scale(_points, _points)),
        ("barrier_error", "training error", Scale(_points, _points)),
        ("barrier.test", "test loss", Scale()),
        ("barrier", "training loss", Scale()),
    ):
        said: list[str] = []
        for group in groups:
            values = measured.scalars(measured.last(result, "interpolation", group), name)
            values = values[np.isfinite(values)]
            if len(values):
                bounds = interval(median_interval(values), write=_bare if "error" in name else scale.write)
                whose = f"{group}: " if len(groups) > 1 else ""
                said.append(f"{whose}{scale.write(median(values))} {bounds}".rstrip())
        if said:
            joined = "; ".join(said[:3]) + ("; …" if len(said) > 3 else "")
            if len(groups) == 1:
                return f"Between the two networks the {what} rises {joined} above the line joining its ends"
            return f"{capital(what)} barrier on the line: {joined}"
    return "What lies on the line between two networks"


def _points(value: float) -> str:
    return f"{number(100 * value, typographic=True)} percentage points"


def _bare(value: float) -> str:
    return number(100 * value, typographic=True)


def _subtitle(result: ResultView, shown: list[Profile], groups: list[str], *, curved: bool) -> str:
    pairs = sorted({len(each.values) for each in shown})
    many = plural(pairs[-1], "pair") if len(pairs) == 1 else f"{pairs[0]} to {plural(pairs[-1], 'pair')}"
    each = " each" if len(groups) > 1 else ""
    path = "a Bézier curve" if curved else "the straight line"
    said = [
        f"Along {path} between two networks: median and 10–90 % band over {many}{each}, single pairs pale"
        if pairs[-1] > 1
        else f"Along {path} between the networks of one pair{each}, without an interval"
    ]
    if any(profile.dashed for profile in shown):
        said.append("solid: training, dashed: test")
    if len(groups) == 1:
        said.append("dotted: the line joining the ends, with the largest gap")
    if any(_diamonds(result, name, groups) for name in ("loss", "accuracy")):
        said.append("diamond: published value, its outline dashed where it is of the test set")
    return "; ".join(said)
