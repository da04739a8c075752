"""The kernel against torch.optim and torch.nn.functional in float64: 100 steps, parameters within 1e-9."""

from itertools import pairwise

import numpy as np
import pytest
import torch_mlp as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.train import kernel
from gradlab.train.kernel import Program

TOLERANCE = 1e-9
OPTIMIZERS = {
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": "sgd", "momentum": 0.9},
    "nesterov": {"optimizer": "sgd", "momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    "adam": {"optimizer": "adam"},
    "adam-coupled": {"optimizer": "adam", "weight_decay": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.05},
    "rmsprop": {"optimizer": "rmsprop"},
    "rmsprop-momentum": {"optimizer": "rmsprop", "alpha": 0.9, "momentum": 0.5, "weight_decay": 0.01},
}
ACTIVATIONS = {
    "relu": {"activation": "relu"},
    "leaky_relu": {"activation": "leaky_relu", "slope": 0.2},
    "tanh": {"activation": "tanh"},
    "identity": {"activation": "identity"},
}


def problem(program, n, seed):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(program.widths[0], n))
    if program.loss == "cross_entropy":
        return x, generator.integers(0, program.widths[-1], n)
    return x, generator.normal(size=(program.widths[-1], n))


def compare(program, *, n, batch_size, steps, seed=0, shuffle=True, lr=None):
    """Train both ways from the same weights, in the same order, and compare everything."""
    x, y = problem(program, n, seed)
    epochs = max(1, -(-steps // -(-n // (batch_size or n))))
    generator = np.random.default_rng(seed + 1)
    order = np.array([generator.permutation(n) for _ in range(epochs)], np.int32) if shuffle else None
    rates = np.full(epochs, 0.01) if lr is None else lr(np.arange(epochs))
    start = oracle.initial_weights(program.widths, seed)
    weights, slots = start.copy(), program.new_slots(np.float64)
    measured = kernel.train(
        program, x, y, batch_size=batch_size, order=order, lr=rates, weights=weights, slots=slots,
        measure=np.full(epochs, 15, np.uint8),
    )  # fmt: skip
    expected = oracle.train(program, x, y, batch_size=batch_size, order=order, lr=rates, weights=start.copy())
    np.testing.assert_allclose(weights, expected.weights, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(measured.loss, expected.loss, rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(measured.running, expected.running, rtol=TOLERANCE, atol=TOLERANCE)
    for ours, theirs in (
        (measured.gradient_sq, expected.gradient),
        (measured.batch_gradient_sq, expected.batch_gradient),
    ):
        np.testing.assert_allclose(ours, layer_squares(program, theirs), rtol=1e-7, atol=TOLERANCE)
    assert measured.epochs_done == epochs
    assert measured.finite
    return measured


def layer_squares(program, gradients):
    out = np.zeros((len(gradients), len(program.widths) - 1, 2))
    for row, gradient in zip(out, gradients, strict=True):
        start = 0
        for layer, (inputs, width) in enumerate(pairwise(program.widths)):
            for part, size in enumerate((inputs * width, width)):
                row[layer, part] = np.sum(gradient[start : start + size] ** 2)
                start += size
    return out


@pytest.mark.parametrize("batch_size", [None, 1, 5, 32])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_recipe(optimizer, activation, loss, batch_size):
    program = Program((2, 1, 6, 11, 3), loss=loss, **OPTIMIZERS[optimizer], **ACTIVATIONS[activation])
    compare(program, n=77, batch_size=batch_size, steps=100)


@pytest.mark.parametrize("batch_size", [None, 1, 5, 32])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_descending_on_the_sum_of_outputs(optimizer, batch_size):
    program = Program((1, 4, 2), objective="sum_of_outputs", **OPTIMIZERS[optimizer])
    compare(program, n=40, batch_size=batch_size, steps=100, lr=lambda e: np.full(len(e), 1e-4))


@pytest.mark.parametrize("batch_size", [None, 1, 5, 32])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_new_optimizer_every_epoch(optimizer, batch_size):
    program = Program((1, 5, 5, 1), reset_every_epoch=True, **OPTIMIZERS[optimizer])
    measured = compare(program, n=50, batch_size=batch_size, steps=100)
    assert measured.updates == -(-50 // (batch_size or 50))


@pytest.mark.parametrize("batch_size", [None, 1, 32])
@pytest.mark.parametrize(
    "schedule",
    [lambda e: 0.02 * 0.5 ** (e // 3), lambda e: 0.01 * (1 + np.cos(np.pi * e / len(e)))],
    ids=["step", "cosine"],
)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_schedules(optimizer, schedule, batch_size):
    compare(
        Program((1, 5, 5, 1), **OPTIMIZERS[optimizer]), n=50, batch_size=batch_size, steps=100, lr=schedule
    )


@pytest.mark.parametrize(
    ("n", "batch_size"),
    [
        (n, batch_size)
        for n in (1, 2, 127, 512, 513, 1000)
        for batch_size in (None, 1, 7, 100)
        if n < 200 or batch_size != 1
    ],
)
def test_tile_remainders(n, batch_size):
    program = Program((1, 1, 5, 10, 10, 5, 1), activation="leaky_relu")
    compare(program, n=n, batch_size=batch_size, steps=20, shuffle=batch_size is not None)


@pytest.mark.parametrize(
    "widths", [(1, 1), (1, 190, 1), (3, 128, 2), (1, 10, 18, 15, 4, 1), (64, 33, 17, 10), (784, 256, 128, 10)]
)
@pytest.mark.parametrize("batch_size", [None, 1, 16])
def test_wide_and_narrow(widths, batch_size):
    compare(Program(widths), n=20, batch_size=batch_size, steps=8)


@settings(deadline=None, max_examples=40)
@given(
    widths=st.lists(st.integers(1, 23), min_size=2, max_size=6),
    n=st.integers(1, 90),
    batch_size=st.one_of(st.none(), st.integers(1, 40)),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    loss=st.sampled_from(["mse", "cross_entropy"]),
    shuffle=st.booleans(),
)
def test_any_shape(widths, n, batch_size, activation, loss, shuffle):
    program = Program(tuple(widths), loss=loss, **ACTIVATIONS[activation])
    compare(program, n=n, batch_size=batch_size, steps=10, shuffle=shuffle)
