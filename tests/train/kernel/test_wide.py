"""Wide networks take another way through the kernel, which keeps every promise of the other."""

import numpy as np
import pytest
import torch_mlp as oracle

from gradlab.train import kernel
from gradlab.train.kernel import Program

WIDTHS = (70, 20, 9, 5)
N, EPOCHS = 150, 4


def train(batch_size, *, measure=0, epochs=range(EPOCHS), weights=None, slots=None, updates=0, n=N, **recipe):
    program = Program(WIDTHS, loss="cross_entropy", **recipe)
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(n, WIDTHS[0])).astype(np.float32), generator.integers(0, WIDTHS[-1], n)
    order = np.array([generator.permutation(n) for _ in range(EPOCHS)], np.int32)
    weights = oracle.initial_weights(WIDTHS, dtype=np.float32) if weights is None else weights
    slots = program.new_slots(np.float32) if slots is None else slots
    chosen = slice(epochs.start, epochs.stop)
    measured = kernel.train(
        program, x.T, y, batch_size=batch_size, order=order[chosen], lr=np.full(len(epochs), 0.01),
        weights=weights, slots=slots, updates=updates, measure=np.full(len(epochs), measure, np.uint8),
    )  # fmt: skip
    return weights, slots, measured


def test_the_networks_of_image_reports_are_wide_and_those_of_functions_are_not():
    assert kernel.is_wide((784, 20, 8, 10))
    assert kernel.is_wide((1024, 128, 128, 10))
    assert not kernel.is_wide((1, 190, 1))
    assert not kernel.is_wide((1, 10, 18, 15, 4, 1))


@pytest.mark.parametrize("batch_size", [None, 1, 5, 50, 64, 140])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_measuring_changes_no_bit(batch_size, optimizer):
    bare, slots, _ = train(batch_size, optimizer=optimizer)
    _, _, full = train(batch_size, optimizer=optimizer, measure=15)
    for measure in (1, 2, 4, 8, 15):
        weights, other, measured = train(batch_size, optimizer=optimizer, measure=measure)
        assert weights.tobytes() == bare.tobytes()
        assert all(other[name].tobytes() == slots[name].tobytes() for name in slots)
        for bit, name in ((1, "loss"), (2, "gradient_sq"), (4, "batch_gradient_sq"), (8, "running")):
            assert np.isnan(getattr(measured, name)).all() == (not measure & bit)
            if measure & bit:
                np.testing.assert_array_equal(getattr(measured, name), getattr(full, name))


@pytest.mark.parametrize("batch_size", [None, 1, 50])
def test_splitting_changes_no_bit(batch_size):
    whole, _, _ = train(batch_size)
    weights, slots, measured = train(batch_size, epochs=range(3))
    weights, _, _ = train(
        batch_size, epochs=range(3, 4), weights=weights, slots=slots, updates=measured.updates
    )
    assert weights.tobytes() == whole.tobytes()


@pytest.mark.parametrize("batch_size", [50, 1])
def test_a_full_pass_and_training_measure_the_same_loss(batch_size):
    _, _, measured = train(batch_size, measure=1)
    start = oracle.initial_weights(WIDTHS, dtype=np.float32)
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(N, WIDTHS[0])).astype(np.float32), generator.integers(0, WIDTHS[-1], N)
    program = Program(WIDTHS, loss="cross_entropy")
    assert kernel.evaluate(program, start, x.T, y, gradient=False)[0] == measured.loss[0]
    assert kernel.evaluate(program, start, x.T, y)[0] == measured.loss[0]


def test_a_network_that_is_not_finite_stops():
    start = oracle.initial_weights(WIDTHS, dtype=np.float32)
    start[5] = np.nan
    _, _, measured = train(50, weights=start)
    assert (measured.finite, measured.epochs_done) == (False, 1)
