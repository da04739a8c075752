"""Whether runs come together: distances and angles against plain loops over pairs."""

from __future__ import annotations

import numpy as np
import pca_by_hand
import pytest

from gradlab.measure.trajectory import trajectory

RANDOM = np.random.default_rng(3)
WEIGHTS = RANDOM.normal(size=(4, 1, 50)) + 0.3 * RANDOM.normal(size=(4, 6, 50)).cumsum(axis=1)


def test_ends_and_moves() -> None:
    found = trajectory(WEIGHTS)
    start, end = (pca_by_hand.mean_distance(WEIGHTS[:, point]) for point in (0, -1))
    steps = np.diff(WEIGHTS, axis=1)
    path = np.linalg.norm(steps, axis=2).sum(1).mean()
    assert found["end_spread"].value == pytest.approx(end / start)
    assert found["separation"].value == pytest.approx(end / path)
    assert found["path_length"].value == pytest.approx(path)
    assert found["end_cosine"].value == pytest.approx(pca_by_hand.mean_cosine(WEIGHTS[:, -1]))
    moves = WEIGHTS[:, -1] - WEIGHTS[:, 0]
    assert found["move_cosine"].value == pytest.approx(pca_by_hand.mean_cosine(moves))
    unit = steps / np.linalg.norm(steps, axis=2, keepdims=True)
    assert found["persistence"].value == pytest.approx((unit[:, 1:] * unit[:, :-1]).sum(2).mean())


def test_runs_that_come_together_have_a_small_end_spread() -> None:
    start = RANDOM.normal(size=(5, 1, 30))
    meeting = start * np.linspace(1, 0.1, 8)[:, None] + 1.0
    assert trajectory(meeting)["end_spread"].value == pytest.approx(0.1)


def test_one_run_has_no_pairs() -> None:
    found = trajectory(WEIGHTS[:1])
    assert found["between"].value == 0
    assert np.isnan([found[name].value for name in ("end_spread", "separation", "end_cosine")]).all()
    assert found["explained"].value[:5] == pytest.approx(np.asarray(found["own"])[:5])


def test_runs_from_one_start_have_no_start_to_compare_with() -> None:
    found = trajectory((WEIGHTS - WEIGHTS[:, :1] + 1.5).astype(np.float32))
    assert found["end_spread"].value == np.inf
    assert any("one first point" in warning for warning in found.warnings)
