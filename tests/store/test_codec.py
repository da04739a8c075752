import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gradlab.store.codec import epochs_of, plain, to_bytes, to_json, unplain, values_of


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=1, max_dims=2, max_side=6)))
def test_series_survive_bit_by_bit_and_every_nan_is_one(values):
    epochs = np.arange(len(values)) * 3
    width, e, v = to_bytes(epochs, values)
    back = values_of(v, width)
    assert np.array_equal(epochs_of(e), epochs)
    assert np.array_equal(back, values, equal_nan=True)
    assert np.array_equal(np.signbit(back[~np.isnan(values)]), np.signbit(values[~np.isnan(values)]))
    assert len({row.tobytes() for row in back[np.isnan(back)]}) <= 1


def test_bytes_are_little_endian_on_every_machine():
    assert to_bytes(np.array([1]), np.array([1.0]))[1:] == (b"\x01" + b"\0" * 7, b"\0" * 6 + b"\xf0\x3f")


def test_float32_is_widened_without_loss():
    values = np.array([0.1, np.inf, np.float32(1e-45)], np.float32)
    _, _, blob = to_bytes(np.arange(3), values)
    assert np.array_equal(values_of(blob, 0).astype(np.float32), values)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_scalars_survive_json(value):
    back = unplain(json.loads(json.dumps(plain(value), allow_nan=False)))
    assert back == value or (math.isnan(back) and math.isnan(value))


def test_json_spells_what_it_cannot_hold():
    tree = {"p": np.float64("nan"), "interval": (np.float32("-inf"), 1), "values": np.array([np.inf, 2.0])}
    assert json.loads(to_json(tree)) == {"interval": ["-inf", 1], "p": "nan", "values": ["inf", 2.0]}
