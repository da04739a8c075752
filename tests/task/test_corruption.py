"""Corruption as declarations."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gradlab.component import vary
from gradlab.study.toml import read_toml
from gradlab.task import GaussianInputs, RandomLabels, RandomPixels, ShuffledPixels, WrongLabels


@pytest.mark.parametrize("kind", [RandomLabels, WrongLabels])
def test_a_fraction_lies_in_0_to_1(kind) -> None:
    assert kind().fraction == 1
    assert kind(0.25) == kind(fraction=0.25)
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValidationError, match=r"fraction"):
            kind(wrong)


def test_labels_name_the_fraction_where_it_is_not_1() -> None:
    assert [RandomLabels().label(), WrongLabels(0.2).label()] == ["random_labels", "wrong_labels 0.2"]
    assert RandomLabels(vary(0.2, 0.5)).label() == "random_labels"


def test_labels_are_drawn_from_the_labels_seed_inputs_from_the_data_seed() -> None:
    assert (RandomLabels().draws, WrongLabels(0.5).draws) == ({"labels"}, {"labels"})
    assert RandomLabels(0).draws == frozenset()
    assert RandomLabels(vary(0, 1)).draws == {"labels"}
    assert {ShuffledPixels().draws, RandomPixels().draws, GaussianInputs().draws} == {frozenset({"data"})}


@pytest.mark.parametrize(
    ("written", "corruption"),
    [
        ("corruption.random_labels = 0.5", RandomLabels(0.5)),
        ("corruption.wrong_labels = {}", WrongLabels()),
        ('corruption = "gaussian_inputs"', GaussianInputs()),
        ("corruption.shuffled_pixels = {}", ShuffledPixels()),
        ('corruption = { kind = "random_pixels" }', RandomPixels()),
    ],
)
def test_corruption_on_a_page(written: str, corruption) -> None:
    page = (
        f'title = "Spoilt"\nmodel.mlp = [5]\noptimizer.adam.lr = 1e-3\nepochs = 1\n[task.mnist]\n{written}\n'
    )
    assert read_toml(page).task.corruption == corruption


def test_a_fraction_may_be_a_factor() -> None:
    page = (
        'title = "Spoilt"\nmodel.mlp = [5]\noptimizer.adam.lr = 1e-3\nepochs = 1\n'
        "task.mnist.corruption.random_labels.vary = [0, 0.5, 1]\n"
    )
    plan = read_toml(page).plan()
    assert [condition.name for condition in plan.conditions] == ["fraction=0", "fraction=0.5", "fraction=1"]
    # without random labels the labels seed is of no account: one more run serves the plain task too
    plain = read_toml(page.partition("task")[0] + 'task = "mnist"').plan()
    assert plain.runs[0].id == plan.runs[0].id
