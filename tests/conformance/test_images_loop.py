"""The kernel for images against the PyTorch loop in float64: 100 updates, all that is measured, within 1e-9."""

import dataclasses

import numpy as np
import pytest
from fleets import spec_of

from gradlab.model import CNN
from gradlab.study.recipe import SGD, Adam, AdamW, RMSprop
from gradlab.task import CropFlip
from gradlab.task.data import Data
from gradlab.task.images import CIFAR10, MNIST
from gradlab.train.fleet import Member
from gradlab.train.fused_images import FusedImages
from gradlab.train.learner import BATCH_GRADIENT, GRADIENT, LOSS, RUNNING
from gradlab.train.loop import LoopLearner

TOLERANCE = 1e-9
EVERYTHING = LOSS | GRADIENT | BATCH_GRADIENT | RUNNING
OPTIMIZERS = {
    "sgd": SGD(lr=0.02),
    "momentum": SGD(lr=0.01, momentum=0.9),
    "nesterov": SGD(lr=0.01, momentum=0.8, nesterov=True, weight_decay=0.01),
    "adam": Adam(lr=1e-3),
    "adam-coupled": Adam(lr=1e-3, weight_decay=0.02, beta1=0.8, beta2=0.95, eps=1e-6),
    "adamw": AdamW(lr=1e-3, weight_decay=0.05),
    "rmsprop": RMSprop(lr=1e-4),
    "rmsprop-momentum": RMSprop(lr=1e-4, alpha=0.9, momentum=0.5, weight_decay=0.01),
}
NETWORKS = {
    "plain": "conv 3x3, pool 2, conv 11x3 pad 1, pool 2, 12",
    "dropout": "drop 0.2, conv 3x5 pad 2, drop 0.3, pool 2, conv 7x3, pool 2, drop 0.5, 9, drop 0.25",
    "softmax": "conv 2x3, pool 3, conv 13x1, softmax",
    "linear": "conv 4x2 pad 1 linear, conv 3x3, pool 2, 8 linear, 5",
}
PURPOSES = ("data", "labels", "init", "order", "dropout", "probe")


def examples(task, n=41):
    """Images of noise, for networks that are small enough to follow."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=(n, *task.shape))
    y = generator.integers(0, task.outputs, n)
    test = generator.normal(size=(7, *task.shape)), generator.integers(0, task.outputs, 7)
    return Data(x, y, *test, augment=task.augment)


def compare(spec, epochs, n=41):
    """Train both ways from the same weights and compare everything that a learner says."""
    data = examples(spec.task, n)
    member = Member("run", dict.fromkeys(PURPOSES, 5))
    learners = FusedImages(spec, data), LoopLearner(spec, data)
    states = [learner.start(member) for learner in learners]
    rates, measure = np.full(epochs, spec.optimizer.lr), np.full(epochs, EVERYTHING, np.uint8)
    found = [
        learner.train(state, member, rates, measure) for learner, state in zip(learners, states, strict=True)
    ]
    ours, theirs = states
    np.testing.assert_allclose(ours.weights, theirs.weights, rtol=0, atol=TOLERANCE)
    assert (ours.epoch, ours.updates) == (theirs.epoch, theirs.updates)
    for field in dataclasses.fields(found[0]):
        mine, other = (getattr(measured, field.name) for measured in found)
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=TOLERANCE, err_msg=field.name)
    for name, slot in ours.slots.items():
        np.testing.assert_allclose(slot, theirs.slots[name], rtol=0, atol=1e-7, err_msg=name)
    for training in (None, (3, 4)):
        results = [
            learner.evaluate(state.weights, {}, data.test_x, data.test_y, training)
            for learner, state in zip(learners, states, strict=True)
        ]
        assert results[0][0] == pytest.approx(results[1][0], abs=TOLERANCE)
        np.testing.assert_allclose(results[0][1], results[1][1], rtol=0, atol=1e-8)
    masks = [learner.alive(ours.weights, {}, data.x) for learner in learners]
    assert masks[0][1] == masks[1][1]
    for mine, other in zip(masks[0][0], masks[1][0], strict=True):
        np.testing.assert_array_equal(mine, other)


def spec(network, **fields):
    task = fields.pop("task", MNIST(resize=13, classes=(0, 1, 2, 3, 4)))
    activation = fields.pop("activation", "relu")
    model = CNN(network, activation=activation, slope=0.1)
    given = {"optimizer": Adam(lr=1e-3), "batch_size": 10, "dtype": "float64"} | fields
    return spec_of(task=task, model=model, **given)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_recipe(network, optimizer):
    compare(spec(NETWORKS[network], optimizer=OPTIMIZERS[optimizer]), epochs=20)


@pytest.mark.parametrize("activation", ["leaky_relu", "tanh", "identity"])
@pytest.mark.parametrize("network", NETWORKS)
def test_every_activation(network, activation):
    compare(spec(NETWORKS[network], activation=activation), epochs=20)


@pytest.mark.parametrize("mode", ["reflect", "zeros"])
@pytest.mark.parametrize("flip", [True, False])
def test_augmentation(mode, flip):
    task = CIFAR10(resize=9, augment=CropFlip(padding=3, mode=mode, flip=flip))
    compare(spec("conv 5x3, drop 0.1, pool 2, 6", task=task), epochs=10)


@pytest.mark.parametrize("batch_size", [1, 5, 8, 40, 41, "full"])
@pytest.mark.parametrize("network", ["plain", "dropout"])
def test_any_batch(network, batch_size):
    compare(spec(NETWORKS[network], batch_size=batch_size, shuffle=batch_size != 5), epochs=3)


def test_more_than_one_group_of_tiles():
    compare(spec(NETWORKS["dropout"], batch_size=100), epochs=3, n=230)


def test_a_new_optimizer_every_epoch():
    compare(spec(NETWORKS["plain"], reset_optimizer="epoch"), epochs=5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_slice_of_training_does_not_change_its_bits(dtype):
    given = spec(NETWORKS["dropout"], dtype=dtype)
    data = examples(given.task)
    member = Member("run", dict.fromkeys(PURPOSES, 1))
    ends = []
    for cuts, bits in (((4,), 0), ((1, 2, 1), EVERYTHING)):
        learner = FusedImages(given, data)
        state = learner.start(member)
        for count in cuts:
            learner.train(state, member, np.full(count, 1e-3), np.full(count, bits, np.uint8))
        ends.append(state)
    np.testing.assert_array_equal(ends[0].weights, ends[1].weights)
    assert ends[0].updates == ends[1].updates


def test_the_loss_of_a_full_pass_is_that_of_an_evaluation_to_the_bit():
    given = spec(NETWORKS["plain"], dtype="float32")
    data = examples(given.task, n=230)
    learner = FusedImages(given, data)
    weights = learner.start(Member("run", dict.fromkeys(PURPOSES, 1))).weights
    small, _ = learner.evaluate(weights, {}, data.test_x, data.test_y)
    assert np.isfinite(small)
    first, squares = learner.full_pass(weights, {}, gradient=True)
    again, _ = learner.evaluate(weights, {}, data.x, data.y)
    fresh, fresh_squares = FusedImages(given, data).full_pass(weights, {}, gradient=True)
    assert first == again == fresh == learner.full_pass(weights, {}, gradient=False)[0]
    np.testing.assert_array_equal(squares, fresh_squares)
