"""Identities are pinned: a released default never changes, so old results are found again."""

import pytest

from gradlab import (
    CIFAR10,
    MLP,
    MNIST,
    SGD,
    Adam,
    CropFlip,
    Digits,
    Function,
    RandomLabels,
    Study,
    TorchStream,
    WrongLabels,
    catalog,
)

PINNED = {
    "plain": "01f889e5b2ca7f9d2ea8",
    "stream": "3b0d963a132bf99b87f7",
    "digits": "dac9353afe6761c9b0d9",
    "mnist": "ba38afa2c22a9d5b9716",
    "random labels": "351f3310dc78014475ee",
    "cifar10": "9054d3f5adf9e426cdb4",
}


def study(**changes):
    fields = {
        "title": "Pinned",
        "task": Function("sinc", low=-5, high=5, points=500),
        "model": MLP(5, 10, 5),
        "optimizer": Adam(lr=1e-3),
        "epochs": 10,
        "replicates": 1,
    }
    return Study(**(fields | changes))


STUDIES = {
    "plain": {},
    "stream": {"initial": TorchStream(seed=2, position=571), "batch_size": 32},
    "digits": {"task": Digits(), "optimizer": SGD(lr=0.1, momentum=0.9), "batch_size": 64},
    "mnist": {"task": MNIST(), "batch_size": 64},
    "random labels": {
        "task": MNIST(mean=(0.1307,), std=(0.3081,), resize=32, corruption=RandomLabels()),
        "batch_size": 64,
    },
    "cifar10": {
        "task": CIFAR10(classes=(3, 5), train=2000, corruption=WrongLabels(0.5), augment=CropFlip()),
        "batch_size": 64,
    },
}


@pytest.mark.parametrize("name", STUDIES)
def test_ids_are_what_they_were(name):
    [run] = study(**STUDIES[name]).plan().runs
    assert run.id == PINNED[name]


CATALOGUE = {
    "reports/002/sim-sinc": "c75a50ce710ef6c210b1",
    "reports/004/sim-sgn": "c69737907d9cb6b74cbb",
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_ids_of_the_catalogue_are_what_they_were(name):
    assert catalog.load(name).plan().runs[0].id == CATALOGUE[name]
