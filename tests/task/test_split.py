"""The validation split."""

from __future__ import annotations

import numpy as np
import pytest

from gradlab.task.split import split


def test_every_example_is_on_one_side() -> None:
    kept, held = split(103, seed=4, share=0.1)
    assert len(held) == 10
    assert sorted([*kept, *held]) == list(range(103))
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held) > 0).all()


def test_the_seed_decides() -> None:
    assert split(50, 1, 0.5)[1].tolist() == split(50, 1, 0.5)[1].tolist() != split(50, 2, 0.5)[1].tolist()


def test_one_is_held_out_at_least_and_one_kept() -> None:
    assert len(split(10, 0, 0.001)[1]) == 1
    with pytest.raises(ValueError, match="leaves none of the 4 examples"):
        split(4, 0, 0.9)
