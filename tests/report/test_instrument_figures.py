from __future__ import annotations

from collections.abc import Callable

import fake_measured
import numpy as np
import pytest
from fake_measured import (
    TWO,
    Found,
    Measuring,
    along,
    density,
    line,
    number,
    path,
    point,
    ratios,
    refused,
    sensitive,
    spectrum,
)

from gradlab.measure.measurement import Value
from gradlab.report.figures.figure import Figure
from gradlab.report.instrument_figures import DRAWN, instrument_figures
from gradlab.report.page import render
from gradlab.report.study_figures import study_figures
from gradlab.study.claim_text import parse_claim
from gradlab.study.claims import Claim
from gradlab.study.instruments import INSTRUMENTS
from gradlab.study.study import Published


def around(group: str, unit: int) -> Found:
    """The loss on two planes of nine points."""
    planes = np.stack([1 + np.add.outer([1.0, 0, 1], [1.0, 0, 1])] * 2)
    steps = along("step", [-1, 0, 1], [-1, 0, 1])
    return Found(
        group, unit, {"loss": Value(planes, "", axis="pair"), "coordinates": steps, "centre": number(1)}
    )


MADE: dict[str, Callable[[str, int], Found]] = {
    "trajectory": path,
    "interpolation": line,
    "minimal_ratio": ratios,
    "critical_point": lambda group, unit: point(group, unit, "saddle"),
    "sensitivity": lambda group, unit: sensitive(group, unit, 8),
    "hessian": spectrum,
    "density": density,
    "eigenvalues": lambda group, unit: Found(group, unit, {"largest": number(3 + unit)}),
    "trace": lambda group, unit: Found(group, unit, {"trace": number(3 + unit)}),
    "landscape": around,
    "sharpness": lambda group, unit: Found(group, unit, {"sam": number(0.1)}),
}


def drawn(found: list[Found], kind: str, **more: object) -> list[Figure]:
    return instrument_figures(fake_measured.make({kind: found}, **more))  # type: ignore[arg-type]


def unknown(found: Found) -> Found:
    """The same with NaN for every number."""
    values = {
        name: Value(
            np.asarray(each.value) * np.nan, each.means, each.error, each.uncertainty, each.axis, each.places
        )
        for name, each in found.values.items()
    }
    return Found(found.group, found.unit, values)


def test_what_is_drawn_can_be_declared() -> None:
    assert set(DRAWN) <= set(INSTRUMENTS)
    assert set(DRAWN) == set(MADE)


@pytest.mark.parametrize("kind", list(DRAWN))
def test_one_unit_is_drawn_in_both_sizes(kind: str) -> None:
    for figure in drawn([MADE[kind]("deep", 0)], kind):
        assert "<svg" in figure.wide
        assert "<svg" in figure.narrow
        assert "nan" not in f"{figure.title} {figure.subtitle}".lower()


@pytest.mark.parametrize("kind", list(DRAWN))
def test_nothing_measured_is_said(kind: str) -> None:
    for found in ([], [refused("deep", 0)], [unknown(MADE[kind]("deep", 0))]):
        figures = drawn(found, kind)
        if kind == "critical_point" and found and not found[0].failure:
            continue  # a point that is of no class is drawn as not verified
        assert [figure.draw for figure in figures] == [None]
        assert figures[0].missing.startswith("No ")


@pytest.mark.parametrize("kind", list(DRAWN))
def test_a_unit_of_nan_or_refused_does_not_hide_the_others(kind: str) -> None:
    make = MADE[kind]
    figures = drawn([make("deep", 0), unknown(make("deep", 1)), refused("deep", 2), make("deep", 3)], kind)
    assert figures
    for figure in figures:
        assert "<svg" in figure.wide
        assert "–" not in figure.title


@pytest.mark.parametrize("kind", list(DRAWN))
def test_no_name_of_code_and_no_long_number_is_shown(kind: str) -> None:
    for figure in drawn([MADE[kind](group, unit) for group in TWO for unit in range(3)], kind, names=TWO):
        shown = f"{figure.title} {figure.subtitle}"
        assert "_" not in shown
        assert not [word for word in shown.split() if sum(letter.isdigit() for letter in word) > 8]


def test_two_components_are_told_beside_random_walks() -> None:
    together, own = drawn([path("deep", k, 0.4, 0.6) for k in range(3)], "trajectory")
    assert together.title == "Two components carry 40 %, no more than random walks of the same shape (60 %)"
    assert "2 runs of the set of median share among 3" in together.subtitle
    assert "first component (24 %)" in together.wide
    assert own.title.startswith("Of one run by itself two components carry 40 %")
    (above, _) = drawn([path("deep", k, 0.9, 0.6) for k in range(3)], "trajectory")
    assert above.title == "Two components carry 90 %, more than random walks of the same shape (60 %)"
    (some, _) = drawn([path("deep", k, share, 0.6) for k, share in enumerate((0.4, 0.9))], "trajectory")
    assert some.title.endswith("in 1 of 2 sets")


def test_the_ends_of_a_line_are_named_and_its_barrier_has_an_interval() -> None:
    settings = {"interpolation": {"between": ("b64", "b1024")}}
    found = [line("b64 to b1024", k, 0.3) for k in range(6)]
    (figure,) = drawn(found, "interpolation", names=TWO, labels=["b64 to b1024"], settings=settings)
    assert figure.title == (
        "Between the two networks the test error rises 30 percentage points [30, 30] above the line joining its ends"
    )
    assert "median and 10–90 % band over 6 pairs" in figure.subtitle
    assert ">b64<" in figure.wide
    assert ">b1024<" in figure.wide


def test_a_line_without_classes_has_a_barrier_of_the_loss() -> None:
    (figure,) = drawn([line("deep", 0, 0.3, classes=False)], "interpolation")
    assert figure.title.startswith("Between the two networks the test loss rises 0.3")
    assert ">accuracy<" not in figure.wide


def test_published_values_on_a_line_are_diamonds() -> None:
    told = Published(
        condition="deep", quantity="interpolation.accuracy.test@0.5", value=0.61, read_error=0.01
    )
    (figure,) = drawn([line("deep", 0)], "interpolation", published=(told,))
    assert "diamond: published value" in figure.subtitle
    assert "published, deep, test: 61.00 % at α 0.5" in figure.wide


def test_the_four_ratios_stand_side_by_side_with_the_classes_of_their_points() -> None:
    found = {
        "minimal_ratio": [ratios("deep", k) for k in range(4)],
        "critical_point": [point("deep", k, kind) for k, kind in enumerate(("saddle", "kink", "kink", ""))],
    }
    ratio, points = instrument_figures(fake_measured.make(found))
    assert ratio.title == (
        "The same networks have a median minimal ratio of 43 % (whole Hessian, float32), 80 % (layer by layer), "
        "0 % (small weights) and 15 % (float64, zero band)"
    )
    assert "deep, replicate 1, pinned at a kink" in ratio.wide
    assert points.title == "Most searches end here: pinned at a kink, 2 of 4 (50 %)"
    assert "deep: not verified, 1 of 4 (25 %)" in points.wide
    assert "▼ pinned at a kink" in points.wide


def test_without_searches_ratios_are_plain_dots_by_condition() -> None:
    (figure,) = drawn([ratios(group, 0) for group in TWO], "minimal_ratio", names=TWO)
    assert figure.subtitle.endswith("colour and marker by condition")
    assert "not verified" not in figure.wide


def varied() -> Measuring:
    sizes = {"deep": 8, "medium": 64, "shallow": 512}
    found = [sensitive(name, unit, size) for name, size in sizes.items() for unit in range(4)]
    result = fake_measured.make({"sensitivity": found}, names=list(sizes))
    for condition in result.plan.conditions:
        condition.levels = {"batch_size": str(sizes[condition.name])}
    return result


def test_sensitivities_stand_against_the_number_that_is_varied() -> None:
    figure, minibatches = instrument_figures(varied())
    assert "Jacobian of the outputs by the input falls 64 times" in figure.title
    assert figure.title.startswith("From batch size 8 to 512: ")
    assert ">512<" in figure.wide
    assert minibatches.title == "The same networks give a norm 4 times larger on minibatches of 8 than of 512"


def test_where_nothing_that_varies_is_a_number_sensitivities_are_strips() -> None:
    figure, _ = drawn([sensitive(group, 0, 8) for group in TWO], "sensitivity", names=TWO)
    assert figure.title == "Median Jacobian of the outputs by the input: deep 0.125 and shallow 0.125"


def test_the_zero_band_of_a_spectrum_is_drawn_and_told() -> None:
    (figure,) = drawn([spectrum("deep", k) for k in range(3)], "hessian")
    assert figure.title == "Of the Hessian's eigenvalues 60 % positive, 20 % zero, 20 % negative"
    assert "the band of width ±10⁻⁹ in which one counts as zero" in figure.subtitle
    assert ">−1<" in figure.wide


def test_a_landscape_tells_the_loss_at_the_network_and_on_its_planes() -> None:
    (figure,) = drawn([around("deep", k) for k in range(2)], "landscape")
    assert figure.title == "The loss is 1 at the network, 1 to 3 on its planes"
    assert "plane 2" in figure.wide


def test_the_main_figure_is_that_of_what_is_claimed() -> None:
    verdicts = [
        type("Verdict", (), {"claim": Claim(says="so", test=parse_claim("more(trace.trace, than=1)"))})()
    ]
    result = fake_measured.make({"trace": [MADE["trace"]("deep", 0)]}, verdicts=verdicts)
    assert [figure.name for figure in study_figures(result)][:2] == ["trace-trace", "loss"]


def test_a_page_shows_what_could_not_be_measured() -> None:
    result = fake_measured.make({"trace": [refused("deep", 0, "too <large>")]})
    page = render(result)
    assert "What could not be measured" in page
    assert "too &lt;large&gt;" in page


def test_curves_with_a_hole_are_drawn_around_it() -> None:
    hole = Found("deep", 0, {"loss": along("alpha", [0, 0.5, 1], [1, np.nan, 2])})
    (figure,) = drawn([hole], "interpolation")
    assert "<svg" in figure.wide
