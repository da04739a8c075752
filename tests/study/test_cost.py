"""Estimates against what was measured on one core with AVX-512: each must be right within a factor of two."""

import pytest
import studies

from gradlab import catalog
from gradlab.model import CNN, MLP, Module
from gradlab.study.cost import (
    FORWARD,
    cost,
    data_bytes,
    epoch_seconds,
    epoch_updates,
    examples,
    fused,
    network_bytes,
    work,
)
from gradlab.study.record import Every, Record
from gradlab.task import CIFAR10, MNIST, Function

MNIST_CNN = CNN("conv 10x3, pool 2, conv 16x3, pool 2, 512, 256, 125")
CIFAR_SMALL = CNN("conv 6x3, pool 2, conv 12x3, pool 2, 20, 16")
CIFAR_LARGE = CNN("conv 32x3 pad 1, conv 32x3 pad 1, pool 2, 512")


def spec_of(model, task, batch_size=64, **fields):
    study = studies.small(model=model, task=task, batch_size=batch_size, replicates=1, **fields)
    return study.plan().conditions[0].spec


@pytest.mark.parametrize(
    ("backend", "model", "task", "milliseconds"),
    [
        ("kernel", MLP(256, 128), MNIST(), 1.3),
        ("loop", MLP(256, 128), MNIST(), 2.2),
        ("kernel", MNIST_CNN, MNIST(), 5.0),
        ("loop", MNIST_CNN, MNIST(), 14.0),
        ("loop", CIFAR_SMALL, CIFAR10(), 8.0),
        ("loop", CIFAR_LARGE, CIFAR10(), 140.0),
    ],
)
def test_an_update_takes_about_as_long_as_was_measured(backend, model, task, milliseconds):
    spec = spec_of(model, task)
    each = 1000 * epoch_seconds(spec, backend) / epoch_updates(spec)
    assert milliseconds / 2 < each < 2 * milliseconds


def test_convolutions_count_every_place_of_their_kernels():
    found = work(spec_of(MNIST_CNN, MNIST()))
    assert found.multiplications == 604_202
    assert found.layers == 6
    assert found.values > 26 * 26 * 10


def test_a_module_is_counted_by_what_it_multiplies():
    from torch import nn

    found = work(spec_of(Module(nn.Linear, 1, 1), Function("sin", low=0, high=1, points=9), "full"))
    assert found.multiplications == 1


@pytest.mark.parametrize(
    ("layers", "expected"),
    [("conv 4x3, pool 2", True), ("conv 4x3, norm, pool 2", False), ("conv 4x3 stride 2, 8", False)],
)
def test_what_the_kernel_is_likely_to_train(layers, expected):
    assert fused(spec_of(CNN(layers), MNIST())) is expected


def test_examples_that_are_held_out_are_not_trained_on():
    assert examples(spec_of(MLP(3), MNIST(), validation=0.1)) == 54_000
    assert epoch_updates(spec_of(MLP(3), MNIST(train=1000), validation=0.1)) == 15
    assert epoch_updates(spec_of(MLP(3), MNIST(), batch_size="full")) == 1


@pytest.mark.parametrize(
    ("quantities", "passes"),
    [
        (("loss.running", "accuracy.running", "loss.batch_sum", "loss.last_batch"), 0),
        (("loss",), 60_000),
        (("loss", "accuracy"), 60_000),
        (("loss.test", "accuracy.test"), 10_000),
        (("accuracy_gap",), 70_000),
        (("loss.augmented", "accuracy.test_training_mode"), 70_000),
        (("dead_units",), 60_000),
        (("loss", "gradient_norm"), 3 * 60_000),
    ],
)
def test_full_passes_that_are_recorded_cost_their_time(quantities, passes):
    spec = spec_of(MLP(256, 128), MNIST())
    record = Record(quantities, Every(epochs=1))
    alone = 10 * epoch_seconds(spec, "kernel")
    more = 10 * epoch_seconds(spec, "kernel", record, 10) - alone
    expected = 11 * passes * FORWARD * work(spec).multiplications / 7e10  # epochs 0 to 10
    assert more == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_a_threshold_or_rule_looks_at_every_epoch():
    spec = spec_of(MLP(256, 128), MNIST())
    often = epoch_seconds(spec, "kernel", Record(("loss",), Every(epochs=100), (0.1,)), 100)
    rarely = epoch_seconds(spec, "kernel", Record(("loss",), Every(epochs=100)), 100)
    assert often - rarely == pytest.approx(0.99 * 60_000 * FORWARD * 234_752 / 7e10, rel=0.02)


def test_data_and_networks_take_their_memory():
    assert data_bytes(spec_of(MLP(3), CIFAR10())) == 60_000 * 3072 * 4
    spec = spec_of(CIFAR_LARGE, CIFAR10())
    assert network_bytes(spec, 4_210_090, "kernel") == 4_210_090 * 4 * 7
    assert network_bytes(spec, 4_210_090, "loop") > network_bytes(spec, 4_210_090, "kernel")
    kept = spec_of(CIFAR_LARGE, CIFAR10(), validation=0.1, keep="best")
    assert network_bytes(kept, 4_210_090, "kernel") == 4_210_090 * 4 * 8


def test_a_plan_costs_what_its_runs_cost_shared_by_the_workers():
    plan = catalog.load("reports/002/mnist").plan("full")
    one, two = cost(plan, 1), cost(plan, 2)
    assert one.updates == 2 * 6 * 10 * 938
    assert one.seconds == pytest.approx(2 * two.seconds)
    assert cost(plan, 1, lambda _: "loop").seconds > one.seconds
    assert cost(plan, 1000).seconds == pytest.approx(one.seconds / 12), "no more workers than runs"
