from __future__ import annotations

import numpy as np

from gradlab.report.axes import NARROW, WIDE
from gradlab.report.figures.sizes import Point, Series, sizes
from gradlab.report.frame import compose
from gradlab.report.scales import scale_of


def series(name: str, shift: float, *, published: bool = False) -> Series:
    rng = np.random.default_rng(3)
    counts = (3_270, 27_882, 337_674)
    return Series(
        name,
        [
            Point(
                f"net{k}", count, 0.8 + 0.05 * k + shift + rng.normal(0, 0.003, 8), 0.9 if published else None
            )
            for k, count in enumerate(counts)
        ],
    )


def drawn(shown: list[Series], size: object = WIDE) -> dict[str, object]:
    return compose(
        lambda here, tables: sizes(
            shown, here, tables, title="accuracy", height=300, scale=scale_of("accuracy")
        ),
        WIDE if size is WIDE else NARROW,
    )


def marks(definition: dict[str, object], kind: str) -> list[dict[str, object]]:
    layers = definition["layer"]
    assert isinstance(layers, list)
    return [layer for layer in layers if layer["mark"]["type"] == kind]


def test_sizes_stand_on_a_logarithmic_axis_with_round_ticks() -> None:
    (line,) = marks(drawn([series("training", 0)]), "line")
    x = line["encoding"]["x"]
    assert x["scale"]["type"] == "log"
    assert "'10 k'" in x["axis"]["labelExpr"]
    assert "'100 k'" in x["axis"]["labelExpr"]


def test_training_and_test_differ_in_stroke_marker_and_colour() -> None:
    definition = drawn([series("training", 0), series("test", -0.02)])
    (line,) = marks(definition, "line")
    dashes = line["encoding"]["strokeDash"]["scale"]
    assert dashes["domain"] == ["training", "test"]
    assert dashes["range"][0] != dashes["range"][1]
    colours = line["encoding"]["color"]["scale"]["range"]
    assert len(set(colours)) == 2
    hollow, filled = marks(definition, "point")[:2]
    assert hollow["mark"]["fill"]
    assert filled["mark"]["filled"] is True


def test_published_values_are_open_diamonds() -> None:
    definition = drawn([series("test", 0, published=True)])
    diamond = marks(definition, "point")[-1]
    assert diamond["mark"]["shape"] == "diamond"
    assert diamond["mark"]["fillOpacity"] == 0
    rows = definition["datasets"][diamond["data"]["name"]]  # type: ignore[index]
    assert "published, net0, test: 90.00 %" in rows[0]["text"]


def test_single_runs_of_two_series_stand_side_by_side() -> None:
    definition = drawn([series("training", 0), series("test", 0)])
    (dots,) = marks(definition, "circle")
    rows = definition["datasets"][dots["data"]["name"]]  # type: ignore[index]
    places = {
        name: {row["parameters"] for row in rows if row["condition"] == name} for name in ("training", "test")
    }
    assert not places["training"] & places["test"]
    assert len(rows) == 2 * 3 * 8


def test_diverged_networks_leave_a_gap_and_no_error() -> None:
    lost = Series("training", [Point("a", 10, np.full(6, np.inf)), Point("b", 20, np.full(6, 0.5))])
    (line,) = marks(drawn([lost]), "line")
    assert line["data"]["name"]
    rows = drawn([lost])["datasets"][line["data"]["name"]]  # type: ignore[index]
    assert [row["parameters"] for row in rows] == [20]
