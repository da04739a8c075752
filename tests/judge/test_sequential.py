from __future__ import annotations

import pytest

from gradlab.judge.sequential import ALPHA, TOTAL, alpha_of_look, extensions


def test_all_looks_together_never_spend_more_than_five_percent() -> None:
    assert sum(alpha_of_look(k) for k in range(60)) <= TOTAL == 2 * ALPHA


def test_the_kth_extension_spends_alpha_halved_k_times() -> None:
    assert [alpha_of_look(k) / ALPHA for k in range(4)] == [1, 0.5, 0.25, 0.125]
    with pytest.raises(ValueError, match="from 0"):
        alpha_of_look(-1)


def test_only_looks_at_fewer_replicates_count() -> None:
    assert extensions(20, []) == 0
    assert extensions(20, [20, 20]) == 0
    assert extensions(40, [10, 20, 20, 40, 80]) == 2
