"""When a run writes down what."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gradlab.study.record import Auto, Every, LogSpaced, Record

horizons = st.integers(0, 30_000)


@given(horizons, horizons, st.sampled_from([Auto(), Every(epochs=7), LogSpaced(20)]))
def test_a_longer_run_records_what_a_shorter_one_did(a, b, times):
    short, long = sorted((a, b))
    assert set(times.points(short)) <= set(times.points(long))


@given(horizons, st.sampled_from([Auto(), Every(epochs=7), LogSpaced(20)]))
def test_points_rise_from_the_initial_network_to_the_last_epoch(until, times):
    points = Record(times=times, extra=(until // 2,)).points(until)
    assert points[0] == 0
    assert points[-1] == until
    assert until // 2 in points
    assert np.all(np.diff(points) > 0)


def test_auto_is_every_epoch_first_and_thins_later():
    points = Auto().points(20_000)
    assert set(range(1001)) <= set(points)
    assert len(points) < 4000
    assert len(points[points > 19_800]) == 10
