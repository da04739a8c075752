import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labs import state

from gradlab.errors import StoreError
from gradlab.store.weights import hash_of, pack, unpack


def same(a, b):
    """Whether two states are equal, bit by bit."""
    one, two = dict(vars(a)), dict(vars(b))
    for name in ("slots", "buffers"):
        x, y = one.pop(name), two.pop(name)
        assert x.keys() == y.keys()
        assert all(x[k].tobytes() == y[k].tobytes() and x[k].dtype == y[k].dtype for k in x)
    assert one.pop("weights").tobytes() == two.pop("weights").tobytes()
    assert np.array_equal(one.pop("recent"), two.pop("recent"), equal_nan=True)
    best, other = one.pop("best"), two.pop("best")
    assert (best is None) == (other is None)
    if best is not None:
        assert best[1] == other[1]
        assert np.array_equal(best[0], other[0], equal_nan=True)
        assert best[2].tobytes() == other[2].tobytes()
    assert one == two


@given(
    st.integers(1, 5),
    st.sampled_from([np.float32, np.float64]),
    st.lists(st.floats(width=32), min_size=5, max_size=5),
    st.floats(),
)
def test_states_survive_bit_by_bit(count, dtype, numbers, score):
    weights = np.array(numbers, dtype)
    states = [
        state(
            epoch,
            weights=weights.copy(),
            best=(score, epoch, weights[::-1].copy()),
            passages={1e-3: 7, 0.5: 1},
        )
        for epoch in range(count)
    ]
    data = pack(states)
    for index, back in enumerate(unpack(data, range(count))):
        same(back, states[index])


@pytest.mark.parametrize("members", [1, 3])
def test_a_buffer_of_one_number_stays_an_array(members):
    states = [state(2, buffers={"norm.num_batches_tracked": np.array(5)}) for _ in range(members)]
    for back in unpack(pack(states), range(members)):
        count = back.buffers["norm.num_batches_tracked"]
        assert isinstance(count, np.ndarray)
        assert (count.shape, count.dtype, int(count)) == ((), np.int64, 5)


def test_members_may_differ_in_what_they_hold():
    states = [
        state(3),
        state(4, slots={}, recent=np.zeros((0, 2))),
        state(
            5,
            best=(0.5, 2, np.ones(7, np.float32)),
            buffers={"mean": np.arange(3.0), "best.mean": np.ones(3)},
        ),
        state(6, width=9, status="diverged", status_epoch=6),
    ]
    data = pack(states)
    for member in (2, 0, 3, 1):
        same(unpack(data, [member])[0], states[member])


def test_arrays_are_the_callers_own():
    data = pack([state(1), state(2)])
    first, again = unpack(data, [0, 0])
    first.weights += 1
    same(again, state(1))


def test_the_file_is_safetensors_that_others_can_read():
    from safetensors.numpy import load

    tensors = load(pack([state(1), state(2)]))
    assert tensors["all/weights"].shape == (2, 7)
    assert tensors["all/weights"].dtype == np.float32


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 9, 100, -1])
def test_a_short_file_is_refused(cut):
    with pytest.raises(StoreError, match="cannot be read"):
        unpack(pack([state(1)])[:cut], [0])


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x05cos\nsystem\n.",
        b"\xff" * 64,
        (2).to_bytes(8, "little") + b"{}",
        (10**12).to_bytes(8, "little"),
    ],
)
def test_other_files_are_refused_and_never_executed(data):
    with pytest.raises(StoreError, match="cannot be read"):
        unpack(data, [0])


def test_a_member_that_is_not_there_is_refused():
    with pytest.raises(StoreError, match="cannot be read"):
        unpack(pack([state(1)]), [1])


def test_the_hash_is_of_the_weights_alone():
    base = hash_of(state(1))
    assert hash_of(state(1, updates=99, slots={}, status="done", passages={0.1: 2})) == base
    assert hash_of(state(2)) != base
    assert hash_of(state(1, best=(0.1, 1, np.ones(7, np.float32)))) != base
    assert hash_of(state(1, buffers={"mean": np.ones(2)})) != base
    assert hash_of(state(1, weights=state(1).weights.astype(np.float64))) != base
