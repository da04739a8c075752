from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gradlab.measure.pieces import pieces


@given(st.integers(0, 300), st.integers(1, 70))
def test_every_place_is_in_one_piece_and_no_piece_is_too_long(count: int, at_once: int) -> None:
    found = [range(count)[piece] for piece in pieces(count, at_once)]
    assert [place for each in found for place in each] == list(range(count))
    assert all(0 < len(each) <= at_once for each in found)
