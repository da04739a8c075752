from __future__ import annotations

import pytest

from gradlab.report.scales import PLAIN, scale_of


@pytest.mark.parametrize(
    ("quantity", "value", "written"),
    [
        ("accuracy.test", 0.9837, "98.37 %"),
        ("accuracy.running@last", 1.0, "100 %"),
        ("accuracy_gap", 0.0102, "1.02 points"),
        ("epochs_to(accuracy.running, 0.99)", 143.0, "143"),
        ("epochs_to(accuracy.running, 0.99)", float("inf"), "never"),
        ("loss.test", 0.12345, "0.123"),
        ("roughness(accuracy)", 0.0123, "0.0123"),
    ],
)
def test_values_are_written_in_their_unit(quantity: str, value: float, written: str) -> None:
    assert scale_of(quantity).write(value) == written


def test_accuracies_have_a_linear_axis_in_per_cent() -> None:
    found = scale_of("accuracy.test")
    assert found.log is False
    assert found.tick is not None
    assert found.tick(0.955) == "95.5 %"
    assert found.ends == (0.0, 1.0)
    assert PLAIN.log is None
