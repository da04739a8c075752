"""Dropout masks by address, against the recipe in whole numbers of any size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gradlab.randomness import key_of
from gradlab.train import dropout
from gradlab.train.dropout import keep_mask, mask_base, mask_key, threshold

GOLD, WORD = 0x9E3779B97F4A7C15, 2**64 - 1


def mix(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD
    return z ^ (z >> 31)


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.999])
@pytest.mark.parametrize(
    "address", [(0, 0, 0, 0), (3, 7, 11, 2), (2**40, 9_999, dropout.EVALUATION_STEP + 5, 1)]
)
def test_every_value_is_hashed_by_its_place(address: tuple[int, int, int, int], probability: float) -> None:
    seed, epoch, step, layer = address
    units, rows = 5, 7
    key = int.from_bytes(key_of(seed, "dropout", "").tobytes()[:8], "little")
    base = mix((key + GOLD * ((epoch << 32) + (step << 8) + layer)) & WORD)
    hashed = [mix((base + GOLD * (i + 1)) & WORD) >> 32 for i in range(units * rows)]
    expected = np.array(hashed).reshape(units, rows) >= int(probability * 2**32)
    assert mask_base(mask_key(seed), epoch, step, layer) == base
    np.testing.assert_array_equal(keep_mask(base, probability, units, rows), expected)


def test_a_large_mask_is_hashed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    base = mask_base(mask_key(1), 2, 3, 0)
    whole = keep_mask(base, 0.4, 31, 33)
    monkeypatch.setattr(dropout, "_BLOCK", 50)
    np.testing.assert_array_equal(keep_mask(base, 0.4, 31, 33), whole)


def test_the_share_of_dropped_values_is_the_probability() -> None:
    for probability in (0.1, 0.5, 0.8):
        kept = keep_mask(mask_base(mask_key(5), 0, 0, 0), probability, 1000, 200)
        assert stats.binomtest(int((~kept).sum()), kept.size, probability).pvalue > 1e-3


def test_masks_of_neighbouring_addresses_are_independent() -> None:
    key = mask_key(0)
    one = keep_mask(mask_base(key, 4, 10, 0), 0.5, 500, 40)
    for other in ((5, 10, 0), (4, 11, 0), (4, 10, 1)):
        agree = int((one == keep_mask(mask_base(key, *other), 0.5, 500, 40)).sum())
        assert stats.binomtest(agree, one.size, 0.5).pvalue > 1e-3
    columns = keep_mask(mask_base(key, 0, 0, 0), 0.5, 2000, 2)
    assert stats.binomtest(int((columns[:, 0] == columns[:, 1]).sum()), 2000, 0.5).pvalue > 1e-3


def test_the_smallest_probability_keeps_nearly_all() -> None:
    assert threshold(1e-12) == 0
    assert keep_mask(0, 1e-12, 10, 10).all()
