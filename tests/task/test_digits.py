"""The digits task."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gradlab.task import Digits


def test_sizes() -> None:
    assert Digits().size == 1438
    assert Digits(test=0).size == 1797
    assert not Digits(test=0).has_test


def test_the_split_is_drawn_only_where_there_is_one() -> None:
    assert Digits().draws == {"data"}
    assert Digits(test=0).draws == frozenset()


def test_a_share_lies_under_one() -> None:
    with pytest.raises(ValidationError, match="less than 1"):
        Digits(test=1.0)
