import math

from gradlab.units import duration, memory


def test_a_time_has_at_most_two_units_and_no_empty_one():
    assert [duration(s) for s in (0.4, 9.96, 59, 60, 3600, 86400, 3601)] == [
        "400 ms",
        "10 s",
        "59 s",
        "1 min",
        "1 h",
        "1 d",
        "1 h",
    ]


def test_a_time_that_is_not_known_is_a_dash():
    assert [duration(s) for s in (None, math.inf, math.nan)] == ["–"] * 3


def test_memory_is_told_in_the_unit_that_suits():
    assert [memory(n) for n in (0, 1e6, 99.94e9, 250e9)] == ["0 kB", "1 MB", "99.9 GB", "250 GB"]
