"""Where a rise crosses a threshold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradlab.measure.crossing import crossing


@pytest.mark.parametrize("guess", [1e-3, 1.0, 500.0])
@pytest.mark.parametrize("power", [1, 2])
def test_it_is_found_from_any_guess(guess: float, power: int) -> None:
    found = crossing(lambda scale: torch.tensor([scale**power, 3 * scale**power]), 0.5, guess)
    assert found.at == pytest.approx(0.25 ** (1 / power), rel=2e-3)


def test_the_error_is_that_of_the_mean_over_the_slope() -> None:
    u = torch.from_numpy(np.random.default_rng(0).normal(size=500)) ** 2
    found = crossing(lambda scale: u * scale, 0.5, 1.0)
    mean, spread = float(u.mean()), float(u.std()) / 500**0.5
    assert found.at == pytest.approx(0.5 / mean, rel=2e-3)
    assert found.error == pytest.approx(found.at * spread / mean, rel=0.01)


def test_a_step_is_a_crossing_and_overflow_counts_as_above() -> None:
    assert crossing(lambda scale: torch.tensor([float(scale > 0.7)]), 0.1, 3.0).at == pytest.approx(
        0.7, rel=2e-3
    )
    far = crossing(lambda scale: torch.tensor([0.0 if scale < 8 else float("nan")]), 0.1, 1.0)
    assert far.at == pytest.approx(8, rel=2e-3)


def test_what_is_never_or_always_above_has_no_crossing() -> None:
    never, always = (crossing(lambda scale, v=value: torch.full((2,), v), 0.1, 1.0) for value in (0.0, 1.0))
    assert never.at == np.inf
    assert always.at == 0
    assert np.isnan(never.error)
    assert np.isnan(always.error)


def test_the_first_of_several_crossings_going_up_is_taken() -> None:
    def rises(scale: float) -> torch.Tensor:
        return torch.tensor([1.0 if 1 < scale < 10 or scale > 100 else 0.0])

    assert crossing(rises, 0.1, 0.1).at == pytest.approx(1, rel=2e-3)
