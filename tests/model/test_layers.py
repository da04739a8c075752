"""Layers with their shapes, and what follows from them."""

from __future__ import annotations

from gradlab.model import CNN, MLP
from gradlab.model.layers import (
    Conv,
    Dense,
    Drop,
    Norm,
    Pool,
    Softmax,
    count,
    hidden_units,
    multiplications,
    tensors,
)

LAYERS = CNN("conv 8x3 pad 1, norm, pool 2, drop 0.25, 20, drop 0.5, 12 linear, softmax").resolved(
    (3, 9, 9), 10
)


def test_every_layer_has_a_name_and_passes_its_shape_on() -> None:
    expected = (
        Conv("conv1", (3, 9, 9), (8, 9, 9), kernel=3, pad=1, stride=1, active=False),
        Norm("norm1", (8, 9, 9), active=True),
        Pool("pool1", (8, 9, 9), size=2),
        Drop("drop1", (8, 4, 4), probability=0.25, index=0),
        Dense("fc1", (128,), (20,)),
        Drop("drop2", (20,), probability=0.5, index=1),
        Dense("fc2", (20,), (12,), active=False),
        Dense("fc3", (12,), (10,), active=False),
        Softmax("softmax", (10,)),
    )
    assert LAYERS == expected  # noqa: SIM300
    assert LAYERS[2].outputs == (8, 4, 4)


def test_tensors_are_in_the_order_of_construction() -> None:
    assert [(tensor.name, tensor.shape, tensor.fan_in) for tensor in tensors(LAYERS)] == [
        ("conv1.weight", (8, 3, 3, 3), 27),
        ("conv1.bias", (8,), 27),
        ("norm1.weight", (8,), 0),
        ("norm1.bias", (8,), 0),
        ("fc1.weight", (20, 128), 128),
        ("fc1.bias", (20,), 128),
        ("fc2.weight", (12, 20), 20),
        ("fc2.bias", (12,), 20),
        ("fc3.weight", (10, 12), 12),
        ("fc3.bias", (10,), 12),
    ]
    assert count(LAYERS) == 8 * 28 + 16 + 20 * 129 + 12 * 21 + 10 * 13


def test_products_and_units_are_counted() -> None:
    assert multiplications(LAYERS) == 8 * 81 * 27 + 128 * 20 + 20 * 12 + 12 * 10
    assert hidden_units(LAYERS) == 8 * 81 + 20 + 12
    assert hidden_units(MLP(5, 10).resolved((3,), 1)) == 15
