"""One layer's routines against NumPy, at shapes that leave remainders in every loop."""

import numpy as np
import pytest

from gradlab.train.kernel.dense import dense_backward, dense_forward, dense_gradient, dense_panels
from gradlab.train.kernel.layout import ACTIVATIONS, ROWS
from gradlab.train.kernel.update import ADAM, Rule
from gradlab.train.kernel.vector import lanes

FORWARD = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z < 0, 0.2 * z, z),
    "tanh": np.tanh,
}
SLOPE = {
    "identity": lambda a: np.ones_like(a),
    "relu": lambda a: (a > 0).astype(float),
    "leaky_relu": lambda a: np.where(a > 0, 1, 0.2),
    "tanh": lambda a: 1 - a * a,
}
UNIT = lanes(8)


def layer(inputs, width, count):
    """A layer somewhere in a flat vector, and samples, features first, with rows to spare."""
    generator = np.random.default_rng(inputs * width + count)
    weights = generator.normal(size=3 + (inputs + 1) * width)
    columns = -(-count // UNIT) * UNIT
    return generator, weights, weights[3:-width].reshape(width, inputs), weights[-width:], columns


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    ("inputs", "width", "count"), [(1, 1, 1), (9, 13, 5), (70, 20, 50), (131, 7, 33), (8, 6, 72)]
)
def test_a_layer_forwards_and_backwards(inputs, width, count, activation):
    generator, weights, matrix, bias, columns = layer(inputs, width, count)
    values = generator.normal(size=(inputs + width + UNIT, columns))
    values[:inputs] = FORWARD[activation](values[:inputs])
    flat, code = values.reshape(-1), ACTIVATIONS.index(activation)
    dense_forward(weights, 3, inputs, width, flat, 0, inputs * columns, columns, columns, code, 0.2)
    expected = FORWARD[activation](matrix @ values[:inputs] + bias[:, None])
    np.testing.assert_allclose(values[inputs : inputs + width], expected, atol=1e-12)
    room = np.concatenate([flat, np.zeros(inputs * columns)])
    zeros = np.zeros(ROWS)
    dense_backward(
        weights, 3, inputs, width, zeros, room, inputs * columns, flat.size, 0, columns, columns, code, 0.2
    )
    expected = (matrix.T @ values[inputs : inputs + width]) * SLOPE[activation](values[:inputs])
    np.testing.assert_allclose(room[flat.size :].reshape(inputs, columns), expected, atol=1e-11)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("inputs", "width", "count"), [(1, 1, 1), (9, 13, 5), (70, 20, 50), (131, 7, 33), (8, 6, 72)]
)
def test_a_gradient_and_the_step_down_it(inputs, width, count, kept):
    generator, weights, _, _, columns = layer(inputs, width, count)
    values = generator.normal(size=(inputs + width + UNIT, columns))
    values[inputs : inputs + width, count:] = 0
    delta, size = values[inputs : inputs + width, :count], (inputs + 1) * width
    expected = np.concatenate([(delta @ values[:inputs, :count].T).reshape(-1), delta.sum(axis=1)])
    panels = np.zeros(columns * (-(-inputs // UNIT) * UNIT))
    target = np.zeros(size if kept else ROWS * inputs + width)
    stepped, slots = weights.copy(), np.zeros((2, len(weights)))
    rule = Rule(ADAM, 0.0, False, 0.9, 0.999, 1e-8, 0.0)
    dense_panels(inputs, values.reshape(-1), 0, columns, columns, panels)
    dense_gradient(
        inputs, width, values.reshape(-1), inputs * columns, columns, panels, count, columns, target,
        0 if kept else -1, False, True, rule, 0.01, 0.9, 0.999, stepped, 3, slots[0], slots[1],
    )  # fmt: skip
    np.testing.assert_allclose(slots[0, 3:], 0.1 * expected, atol=1e-11)
    np.testing.assert_allclose(slots[1, 3:], 0.001 * expected**2, atol=1e-11)
    moved = weights[3:] - 0.01 * expected / (np.abs(expected) + 1e-8)
    np.testing.assert_allclose(stepped[3:], moved, atol=1e-9)
    assert (stepped[:3] == weights[:3]).all()
    if kept:
        np.testing.assert_allclose(target, expected, atol=1e-11)


def test_a_second_tile_is_added_to_the_first():
    inputs, width, count = 20, 13, 16
    generator, weights, _, _, columns = layer(inputs, width, count)
    values = generator.normal(size=(inputs + width + UNIT, columns))
    panels, target, slots = np.zeros(columns * 24), np.zeros((inputs + 1) * width), np.zeros(len(weights))
    rule = Rule(ADAM, 0.0, False, 0.9, 0.999, 1e-8, 0.0)
    found = []
    for begun in (False, True):
        dense_panels(inputs, values.reshape(-1), 0, columns, columns, panels)
        dense_gradient(
            inputs, width, values.reshape(-1), inputs * columns, columns, panels, count, columns, target, 0, begun,
            False, rule, 0.01, 0.9, 0.999, weights, 3, slots, slots,
        )  # fmt: skip
        found.append(target.copy())
    np.testing.assert_allclose(found[1], 2 * found[0], atol=1e-12)
    assert not slots.any()
