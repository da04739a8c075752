from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from fake_results import FakeResult

from gradlab.report.axes import NARROW
from gradlab.report.palette import INK, css_variables, styles, variable_of
from gradlab.report.study_figures import study_figures


@pytest.fixture(scope="module")
def drawing(full: FakeResult) -> str:
    return str(study_figures(full)[0].svg(NARROW))


def test_a_drawing_has_no_colours_of_its_own(drawing: str) -> None:
    painted = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawing))
    assert painted <= {"none", "transparent", *variable_of().values()}


def test_every_colour_is_declared_for_light_and_dark() -> None:
    for scheme in (css_variables(), css_variables(dark=True)):
        declared = set(re.findall(r"--(\w+):", scheme))
        assert {value[6:-1] for value in variable_of().values()} == declared


def test_no_two_roles_share_a_colour() -> None:
    roles = re.findall(r": (#\w{6});", css_variables())
    assert len(roles) == len(set(roles))


def test_exact_values_are_native_titles(drawing: str) -> None:
    root = ElementTree.fromstring(drawing)
    titles = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(text.startswith("training loss (mean squared error) at epoch") for text in titles)
    assert not any("¶" in text for text in titles)


def test_a_drawing_is_labelled_for_those_who_cannot_see_it(drawing: str) -> None:
    root = ElementTree.fromstring(drawing)
    assert root.get("role") == "img"
    assert "training loss" in root.get("aria-label", "")


def test_ids_do_not_clash_between_sizes(full: FakeResult) -> None:
    figure = study_figures(full)[0]
    found = [set(re.findall(r'\bid="([^"]+)"', str(svg))) for svg in (figure.wide, figure.narrow)]
    assert found[0]
    assert not found[0] & found[1]


def test_coordinates_have_one_decimal(drawing: str) -> None:
    paths = re.findall(r' d="([^"]+)"', drawing)
    assert paths
    assert not any(re.search(r"\.\d\d", path) for path in paths)


def test_conditions_past_eight_differ_by_marker() -> None:
    looks = list(styles([str(k) for k in range(16)]).values())
    assert len({(look.line, look.marker) for look in looks}) == 16


def contrast(first: str, second: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((light(first), light(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_reads_on_its_paper(dark: bool) -> None:
    shades = dict(re.findall(r"--(\w+): (#\w{6});", css_variables(dark=dark)))
    assert shades["paper"] == INK.paper[dark]
    for name, shade in shades.items():
        if name in {"text", "soft"} or name.startswith("t"):
            assert contrast(shade, shades["paper"]) >= 4.5, name
