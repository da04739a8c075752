from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.report.axes import NARROW, WIDE, epoch_axis, spread, value_axis


def test_logarithmic_axes_have_ticks_at_powers_of_ten() -> None:
    axis = value_axis(np.array([3e-5, 0.2]), "loss")
    assert axis.log
    assert axis.names == ("10⁻⁴", "10⁻³", "10⁻²", "10⁻¹")


def test_a_narrow_span_is_linear_with_even_ticks() -> None:
    axis = value_axis(np.array([0.91, 0.97]), "accuracy")
    assert not axis.log
    assert len(axis.ticks) >= 3
    assert np.ptp(np.diff(axis.ticks)) == pytest.approx(0, abs=1e-12)


def test_zeros_make_an_axis_linear() -> None:
    assert not value_axis(np.array([0.0, 1.0, 500.0]), "loss").log


def test_a_logarithmic_axis_within_a_decade_still_has_ticks() -> None:
    axis = value_axis(np.array([2e-4, 8e-4]), "loss", log=True)
    assert len(axis.ticks) >= 2


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf], [0.5], [0.0]])
def test_an_axis_exists_for_any_data(values: list[float]) -> None:
    axis = value_axis(np.array(values), "loss")
    assert axis.low < axis.high


def test_epoch_zero_has_a_place_of_its_own() -> None:
    axis = epoch_axis(20_000, WIDE)
    assert axis.names == ("0", "1", "10", "100", "1,000", "10,000")
    assert axis.ticks[0] == axis.low


def test_a_phone_has_fewer_labels() -> None:
    assert [name for name in epoch_axis(20_000, NARROW).names if name] == ["0", "1", "100", "10,000"]


def test_a_handful_of_epochs_is_linear() -> None:
    assert not epoch_axis(5, WIDE).log


@given(st.integers(10, 10**7))
def test_epoch_ticks_lie_on_the_axis(last: int) -> None:
    axis = epoch_axis(last, WIDE)
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)
    assert len(axis.ticks) == len(axis.names) >= 2


@given(st.floats(1e-8, 1e3), st.floats(0.001, 0.999))
def test_places_and_values_are_inverse(low: float, share: float) -> None:
    axis = value_axis(np.array([low, low * 1e4]), "loss")
    assert axis.place(axis.at(share * 300, 300), 300) == pytest.approx(share * 300)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=10))
def test_labels_never_touch_and_keep_their_order(wanted: list[float]) -> None:
    places = spread(wanted, 16, 8, 292)
    ordered = sorted(range(len(wanted)), key=lambda index: wanted[index])
    assert all(places[b] - places[a] >= 16 - 1e-6 for a, b in itertools.pairwise(ordered))


def test_ticks_that_lie_close_together_are_told_apart() -> None:
    axis = value_axis([2.3012, 2.3059], "test loss")
    assert len(set(axis.names)) == len(axis.names) > 2
    assert [float(name) for name in axis.names] == pytest.approx(list(axis.ticks), rel=1e-9)
