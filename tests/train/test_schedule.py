"""Learning rates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gradlab.study.recipe import Constant, Cosine, Step
from gradlab.train.schedule import learning_rates


def torchs(make: object, epochs: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule = make(optimizer)  # type: ignore[operator]
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_step_is_torchs() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5), 10)
    np.testing.assert_allclose(learning_rates(0.3, Step(every=3, gamma=0.5), 0, 10, 10), expected, rtol=1e-12)


def test_cosine_is_torchs() -> None:
    expected = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 10, eta_min=0.03), 10)
    np.testing.assert_allclose(learning_rates(0.3, Cosine(final=0.1), 0, 10, 10), expected, rtol=1e-12)


def test_constant() -> None:
    assert learning_rates(0.3, Constant(), 5, 8, 10).tolist() == [0.3] * 3


@pytest.mark.parametrize("schedule", [Constant(), Step(every=4), Cosine()])
def test_a_rate_depends_on_its_epoch_alone(schedule: Constant | Step | Cosine) -> None:
    whole = learning_rates(0.3, schedule, 0, 20, 20)
    parts = [learning_rates(0.3, schedule, a, b, 20) for a, b in ((0, 7), (7, 8), (8, 20))]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
