from __future__ import annotations

from types import SimpleNamespace

import fake_results
import numpy as np
import pytest
from fake_results import FakeResult, Series

from gradlab.report import source
from gradlab.report.axes import WIDE
from gradlab.report.curve_figures import curve
from gradlab.report.study_figures import study_figures
from gradlab.study.study import Published

RECORD = ("loss.running", "loss.test", "accuracy.running", "accuracy.test", "accuracy.test_training_mode")


def images(last: float = 0.995, *, random: bool = False) -> FakeResult:
    """A classification with running training values and two ways to test."""
    published = (
        Published(condition="deep", quantity="accuracy.test_training_mode@4", value=0.9, read_error=0.001),
    )
    result = fake_results.make(n=3, epochs=30, names=["deep"], record=RECORD, published=published)
    at, replicates = np.arange(31), np.arange(3)
    rise = np.linspace(0.1, last, 31) + 0.0 * replicates[:, None]
    result.traces = {}
    for trace in RECORD:
        values = rise if trace.startswith("accuracy.running") else 0.1 + 0.0 * rise
        values = 2.3 - values if trace.startswith("loss") else values
        cut = 1 if "running" in trace else 0
        result.traces[trace] = {"deep": Series(at[cut:], values[:, cut:], replicates)}
    if random:
        task = SimpleNamespace(corruption=SimpleNamespace(kind="random_labels", fraction=1.0), outputs=10)
        for condition in result.plan.conditions:
            condition.spec.task = task
            condition.spec.loss = "cross_entropy"
    return result


def test_where_no_full_pass_was_recorded_the_running_values_are_solid_and_said_to_be() -> None:
    result = images()
    assert source.solid(result, "accuracy") == "accuracy.running"
    assert source.companions(result, "accuracy") == ["accuracy.test", "accuracy.test_training_mode"]
    figure = curve(result, "accuracy", height=(240, 210))
    assert "solid: training, mean over the examples of the epoch as they were met" in figure.subtitle
    assert "dashed, hollow markers: test" in figure.subtitle
    assert "dash-dotted: test with dropout active" in figure.subtitle
    assert figure.title == "The median test accuracy ends at 10.00 %, about where it began"


def test_published_values_name_how_they_were_measured() -> None:
    svg = str(curve(images(), "accuracy", height=(240, 210)).svg(WIDE))
    assert "published, deep (test accuracy with dropout active): 90.00 % at epoch 4" in svg


def test_every_quantity_has_one_figure_whatever_it_was_measured_on() -> None:
    names = [figure.name for figure in study_figures(images()) if figure.draw]
    assert [name for name in names if name in {"loss", "accuracy"}] == ["loss", "accuracy"]


@pytest.mark.parametrize(
    ("last", "title"),
    [
        (0.995, "Random labels are fitted: training accuracy passes 99 % at epoch 30 in the median run"),
        (
            0.4,
            "After 30 epochs the median run gives 40.00 % of the images their random label (guessing: 10.00 %)",
        ),
    ],
)
def test_random_labels_are_shown_against_guessing_and_a_perfect_fit(last: float, title: str) -> None:
    main = study_figures(images(last, random=True))[0]
    assert (main.name, main.title) == ("accuracy", title)
    assert "every training label fitted" in main.wide
    assert ">guessing<" in main.wide
    loss = curve(images(last, random=True), "loss", height=(240, 210))
    assert "guessing: ln 10" in loss.wide


def test_true_labels_have_no_reference() -> None:
    assert source.guessing(images()) is None
