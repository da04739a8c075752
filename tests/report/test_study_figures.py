from __future__ import annotations

import fake_results
import numpy as np
import pytest
from fake_results import FakeResult, Series

from gradlab.report.study_figures import study_figures


def test_every_recorded_quantity_is_drawn(full: FakeResult) -> None:
    names = [figure.name for figure in study_figures(full)]
    assert names[:3] == ["loss", "gradient-norm", "fits"]
    assert "epochs-to-loss-1e-3" in names
    assert "flag-constant" in names


def test_a_study_of_gradients_leads_with_them() -> None:
    verdicts = [fake_results.verdicts()[3]]
    assert study_figures(fake_results.make(n=2, epochs=30, verdicts=verdicts))[0].name == "gradient-norm"


def test_held_out_losses_differ_in_stroke() -> None:
    result = fake_results.make(n=2, epochs=30, record=("loss", "loss.test"))
    result.traces["loss.test"] = {
        name: Series(each.epochs, each.values * 1.3, each.replicates)
        for name, each in result.traces["loss"].items()
    }
    figure = study_figures(result)[0]
    assert "solid: training; dashed, hollow markers: test" in figure.subtitle
    assert 'stroke-dasharray="5,4"' in figure.wide


def test_published_values_are_diamonds(full: FakeResult) -> None:
    loss = study_figures(full)[0]
    assert "diamond: published value" in loss.subtitle
    assert "published, deep: 1.3e-3 at epoch 1,000" in loss.wide
    # The horizon is cut at 3,000 epochs here, so the published final losses are not of this axis.
    assert "4.92e-4 at epoch 20,000" not in loss.wide


def test_divergence_is_marked_where_it_happened(full: FakeResult) -> None:
    loss = study_figures(full)[0]
    assert "×: a run diverged" in loss.subtitle
    assert "medium: a run diverged after epoch" in loss.wide


def test_no_run_under_the_threshold_is_said() -> None:
    result = fake_results.make(n=2, epochs=20)
    (figure,) = [each for each in study_figures(result) if each.name.startswith("epochs-to")]
    assert figure.draw is None
    assert figure.missing == "None of 6 runs reached 1e-3 within 20 epochs."


@pytest.mark.parametrize("values", [np.zeros((3, 5)), np.full((3, 5), 1e-30), np.full((3, 5), 7.0)])
def test_flat_and_zero_losses_are_drawn(values: np.ndarray) -> None:
    result = fake_results.make(n=3, epochs=4, names=["shallow"], record=("loss",))
    result.traces["loss"]["shallow"] = Series(np.arange(5), values, np.arange(3))
    assert "<path" in study_figures(result)[0].wide
