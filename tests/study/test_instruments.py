"""Instruments as a study declares them."""

from __future__ import annotations

import tomllib
from typing import Any

import jsonschema
import pytest
from planted import study

from gradlab import Every, Hessian, Interpolation, LogSpaced, Sensitivity, Trajectory, vary
from gradlab.component import kind_of
from gradlab.errors import StudyError
from gradlab.study.instruments import CLASSES, INSTRUMENTS
from gradlab.study.known import KNOWN
from gradlab.study.quantity import parse_quantity
from gradlab.study.schema import study_schema
from gradlab.study.study import Study
from gradlab.study.toml import parse_settings, read_toml

PAGES = jsonschema.Draft202012Validator(study_schema())
REST = """title = "A page"
task = { function = "sinc", low = -1, high = 1, points = 64, heldout = 16 }
model.mlp = [3]
optimizer.adam.lr = 1e-3
epochs = 20
replicates = 8
batch_size.vary = { b8 = 8, b32 = 32 }
"""


def problems(**fields: Any) -> list[str]:
    with pytest.raises(StudyError) as caught:
        study(**fields)
    return [str(problem) for problem in caught.value.problems]


def test_a_list_in_python_is_a_table_by_kind() -> None:
    listed = study(measure=[Hessian(part="0.weight"), "trace"])
    table = study(measure={"hessian": {"part": "0.weight"}, "trace": {}})
    assert listed.measure == table.measure
    assert list(listed.measure) == ["hessian", "trace"]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("measure.hessian = {}", "hessian", {}),
        ("measure.hessian = true", "hessian", {}),
        ("measure.hessian.at = 10", "hessian", {"at": 10}),
        ('measure.hessian.at = "last"', "hessian", {}),
        ("measure.hessian.at = [10, 5, 10]", "hessian", {"at": (5, 10)}),
        ("measure.hessian.at.every = 5", "hessian", {"at": Every(5)}),
        ("measure.sensitivity = { sizes = [4, 8], at = { log_spaced = 2 } }", "sensitivity", None),
        ('[measure.interpolation]\nbetween = ["b8", "b32"]\nlow = 0', "interpolation", None),
        ('measure.trajectory = { every = 5, runs = 4, parts = ["0.weight"] }', "trajectory", None),
    ],
)
def test_pages_write_a_table_a_kind(text: str, kind: str, expected: dict[str, Any] | None) -> None:
    PAGES.validate(tomllib.loads(REST + text))
    found = read_toml(REST + text).measure[kind]
    if expected is not None:
        assert found == Hessian(**expected)


def test_a_declaration_reads_back_what_it_wrote() -> None:
    own = study(
        measure=[
            Sensitivity(sizes=(4, 8), at=LogSpaced(2), examples=32),
            Interpolation(between=("b8", "b32"), low=-0.5),
            Hessian(at=(4, 8)),
        ]
    )
    again = Study(**own.tree())
    assert again.measure == own.measure
    assert again.tree() == own.tree()


@pytest.mark.parametrize(
    "text",
    [
        "measure.hesian = {}",
        "measure.hessian.prt = 1",
        'measure.hessian.at = "lst"',
        "measure.trace.probes = 0",
    ],
)
def test_editors_refuse_what_the_page_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        PAGES.validate(tomllib.loads(REST + text))
    with pytest.raises(StudyError):
        read_toml(REST + text)


def test_all_problems_of_all_instruments_are_told_at_once_with_their_keys() -> None:
    found = problems(
        measure={
            "interpolaton": {},
            "interpolation": {"points": 1, "align": "weigths"},
            "trace": {"prob": 3},
            "hessian": {"of": "loss", "at": -3},
        }
    )
    assert [text.partition(": ")[0] for text in found] == [
        "measure.interpolaton",
        "measure.interpolation.points",
        "measure.interpolation.align",
        "measure.trace.prob",
        "measure.hessian.at",
    ]
    assert "did you mean 'interpolation'?" in found[0]
    assert "must be at least 2; found 1" in found[1]
    assert "did you mean 'weights'?" in found[2]
    assert "did you mean 'probes'?" in found[3]


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ([Hessian(), Hessian(part="0.weight")], "measure.hessian: is listed twice"),
        ({"hessian": 3}, "measure.hessian: must be a table of settings; found 3"),
        (3, "measure: is not a known kind"),
        ([4], "measure: is not a known kind; found int"),
        ({"hessian": {"part": {"vary": ["a", "b"]}}}, "an instrument is the same for every condition"),
        ({"interpolation": {"low": 0.5}}, "leave out an end"),
        ({"interpolation": {"high": 0.5}}, "leave out an end"),
        ({"interpolation": {"between": ["b8", "b8"]}}, "between names 'b8' twice"),
        ({"interpolation": {"at": [4, 8]}}, "pairs are measured at one epoch"),
        ({"trajectory": {"at": 4}}, "every = 3 says when"),
        ({"trajectory": {"parts": []}}, "parts names no parameter tensor"),
        ({"eigenvalues": {"top": 0, "bottom": 0}}, "nothing would be measured"),
        ({"eigenvalues": {"steps": 3}}, "3 steps give at most 3 eigenvalues"),
        ({"hessian": {"at": []}}, "at names at least one epoch"),
        ({"sensitivity": {"sizes": [4, 4]}}, "sizes names a size twice"),
        ({"minimal_ratio": {"only": ["layers", "layers"]}}, "only names a definition twice"),
    ],
)
def test_what_no_instrument_can_do_is_refused(measure: Any, expected: str) -> None:
    (problem,) = problems(measure=measure)
    assert expected in problem


def test_settings_do_not_vary_between_conditions() -> None:
    with pytest.raises(ValueError, match="the same for every condition"):
        Hessian(part=vary("a", "b"))


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Hessian(at=50), "measure.hessian.at: this epoch is never reached; found 50; allowed: at most 12"),
        (Hessian(examples=65), "is more than the 64 examples for training; found 65"),
        (Interpolation(between=("b8", "b33")), "no level or condition has this name; found b33"),
        (Interpolation(between=("b8", "fast")), "these are not two levels of one factor; found b8 and fast"),
        (Trajectory(runs=3), "trajectory takes sets of 3 replicates; found 8; allowed: a multiple of 3"),
    ],
)
def test_what_a_study_lacks_is_told(measure: Any, expected: str) -> None:
    (problem,) = problems(measure=[measure])
    assert expected in problem


def test_pairs_of_replicates_need_an_even_number_of_them() -> None:
    (problem,) = problems(measure=[Interpolation()], replicates=5)
    assert (
        problem == "replicates: interpolation takes pairs of 2 replicates; found 5; allowed: a multiple of 2"
    )


def test_there_is_no_line_between_networks_of_different_shapes() -> None:
    found = problems(
        model={"a": {"mlp": [4]}, "b": {"mlp": [5]}}, measure=[Interpolation(between=("a", "b"))]
    )
    assert all("between networks of different shapes there is no line" in problem for problem in found)


def test_held_out_data_is_needed_where_it_is_asked_for() -> None:
    task = {"function": "sinc", "low": -1, "high": 1, "points": 64}
    (problem,) = problems(task=task, measure=[Hessian(data="test")])
    assert "measure.hessian.data: the task has no held-out data" in problem


def test_settings_and_quick_budgets_reach_into_instruments() -> None:
    own = study(
        measure=[Interpolation(between=("b8", "b32"))],
        quick={"measure.interpolation.points": 13, "replicates": 2},
    )
    assert own.budgeted("quick").measure["interpolation"] == Interpolation(between=("b8", "b32"), points=13)
    changed = own.with_settings(parse_settings(["measure.interpolation.points=25", "measure.hessian={}"]))
    assert changed.measure == {
        "interpolation": Interpolation(between=("b8", "b32"), points=25),
        "hessian": Hessian(),
    }


def test_a_table_inside_quick_is_a_key_path() -> None:
    page = (
        REST
        + '[measure.interpolation]\nbetween = ["b8", "b32"]\n[quick.measure.interpolation]\npoints = 13\n'
    )
    assert read_toml(page).budgeted("quick").measure["interpolation"] == Interpolation(
        between=("b8", "b32"), points=13
    )


def test_a_misspelt_setting_is_told_by_its_key_path() -> None:
    own = study(measure=[Hessian()])
    with pytest.raises(StudyError, match=r"measure\.hessian\.prt: is not a known key"):
        own.with_settings({"measure.hessian.prt": "x"})


def test_instruments_are_no_assumption_and_no_factor() -> None:
    (problem,) = problems(
        measure=[Hessian()], assumed={"measure.hessian.part": {"levels": {"a": "0.weight"}}}
    )
    assert "assumed.measure.hessian.part: is the same at every setting" in problem


def test_what_only_chooses_subjects_is_no_part_of_how_they_are_measured() -> None:
    assert Hessian(at=5).digest == Hessian().digest != Hessian(of="gauss_newton").digest
    assert Trajectory(every=1, runs=2).digest == Trajectory().digest != Trajectory(biases=True).digest
    pair = Interpolation(between=("b8", "b32"))
    assert pair.digest == Interpolation().digest != Interpolation(points=25).digest
    assert Hessian(data="test").digest != Hessian(examples=10).digest != Hessian().digest


def test_identities_of_instruments_do_not_change() -> None:
    """What a lab holds is found again by these."""
    assert Hessian().digest == "bffe1766d0e1179b7162"
    assert Interpolation(between=("b8", "b32"), points=25).digest == "e4c3302d1e11ea0d6b24"


def test_epochs_follow_the_horizon() -> None:
    assert Hessian().epochs(100) == (100,)
    assert Hessian(at=10).epochs(100) == (10,)
    assert Hessian(at=Every(40)).epochs(100) == (0, 40, 80, 100)
    assert Trajectory(every=30).epochs(100) == (0, 30, 60, 90)


@pytest.mark.parametrize("cls", CLASSES, ids=kind_of)
def test_every_value_is_a_quantity_with_a_definition(cls: type) -> None:
    kind = kind_of(cls)
    assert kind not in KNOWN
    assert INSTRUMENTS[kind] is cls
    for name, known in cls.gives.items():
        quantity = parse_quantity(f"{kind}.{name}")
        assert (quantity.instrument, quantity.known) == (kind, known)
        assert known.means
        assert not known.means.endswith(".")
        assert (known.shape == "series") == bool(known.axis)
