"""What a declaration as a whole must satisfy: networks against their tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import nn

from gradlab import CNN, MLP, Adam, Arrays, Function, Module, Study, StudyError, TorchStream, vary

IMAGES = Arrays(np.zeros((9, 1, 12, 12)), np.arange(9))


def study(**changes: Any) -> Study:
    fields = {
        "title": "Images",
        "task": IMAGES,
        "model": CNN("conv 4x3"),
        "optimizer": Adam(lr=1e-3),
        "epochs": 1,
    }
    return Study(**(fields | changes))


def problems(**changes: Any) -> list[str]:
    with pytest.raises(StudyError) as caught:
        study(**changes)
    return [str(problem) for problem in caught.value.problems]


def test_a_network_that_fits_is_planned_with_its_exact_count() -> None:
    found = study(model=vary(CNN("conv 4x3, pool 2, 8"), MLP(8)), initial=TorchStream(1)).plan()
    assert [condition.parameters for condition in found.conditions] == [
        4 * 10 + 8 * 101 + 9 * 9,
        8 * 145 + 9 * 9,
    ]


def test_only_networks_that_drop_have_a_dropout_seed() -> None:
    plans = [study(model=CNN(layers), replicates=1).plan() for layers in ("conv 4x3", "conv 4x3, drop 0.5")]
    seeds = [
        study(model=CNN(layers), seeds={"dropout": 7}).plan() for layers in ("conv 4x3", "conv 4x3, drop 0.5")
    ]
    assert [one.runs[0].id == two.runs[0].id for one, two in zip(plans, seeds, strict=True)] == [True, False]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"model": CNN("conv 4x13")},
            "model: layer 1, 'conv 4x13', has a kernel of 13 x 13, larger than its input of 12 x 12; "
            "found cnn-4x13",
        ),
        (
            {"model": CNN("conv 4x3, pool 5, conv 4x3")},
            "model: layer 3, 'conv 4x3', has a kernel of 3 x 3, larger than its input of 2 x 2; "
            "found cnn-4x3-pool5-4x3",
        ),
        (
            {"model": CNN("conv 4x3, pool 11")},
            "model: layer 2, 'pool 11', pools 10 x 10 places to nothing; found cnn-4x3-pool11",
        ),
        (
            {"task": Arrays(np.zeros((9, 12, 12)), np.arange(9))},
            "model: layer 1, 'conv 4x3', needs examples of shape [channels, height, width], not [12, 12]; "
            "give them as [1, 12, 12]; found cnn-4x3",
        ),
        (
            {"task": Function("sin", low=0, high=1, points=5), "model": CNN("softmax")},
            "model: gives shares by softmax, which the loss mse does not take; found cnn-softmax",
        ),
        (
            {"model": CNN("conv 4x3, 5, norm"), "batch_size": 4},
            "model: cannot normalise a batch of one example in norm1: the last of the batches of 4 of 9 examples "
            "has one; found cnn-4x3-5-norm",
        ),
        (
            {"model": CNN("5, norm"), "batch_size": 1},
            "model: cannot normalise a batch of one example in norm1; found cnn-5-norm",
        ),
        (
            {"model": Module(nn.Linear, 12, 10)},
            "model: returns shape [n, 1, 12, 10] for examples of shape [n, 1, 12, 12]; the task needs [n, 9]; "
            "found Linear",
        ),
        (
            {"model": Module(nn.Flatten), "initial": TorchStream(1)},
            "initial: is for an mlp or cnn, not a module; found torch_stream; allowed: default",
        ),
        (
            {"validation": 0.99},
            "validation: leaves none of the 9 examples for training; found 0.99",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_anything_runs(changes: dict[str, Any], expected: str) -> None:
    assert expected in problems(**changes)


def test_every_network_that_does_not_fit_is_told_with_its_condition() -> None:
    found = problems(model=vary(big=CNN("conv 4x30"), good=CNN("conv 4x3"), small=CNN("pool 13")))
    assert [problem.partition("(condition ")[2].split("'")[1] for problem in found] == ["big", "small"]


def test_a_norm_over_places_takes_single_examples() -> None:
    assert study(model=CNN("conv 4x3, norm"), batch_size=1).plan()


def test_dead_units_are_for_networks_with_known_layers() -> None:
    assert study(record=["dead_units"]).plan()
    assert "is for an mlp or cnn" in problems(model=Module(nn.Linear, 144, 9), record=["dead_units"])[-1]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"cnn": "conv 4x3, sofmax"}, "did you mean 'softmax'?; found 'conv 4x3, sofmax'"),
        ({"cnn": "512, conv 4x3"}, "stands after a fully connected layer"),
        ({"cnn": "conv 4x3, drop 1"}, "at least 0 and less than 1"),
        ({"cnn": "softmax, 3"}, "must be the last word"),
        ("cnn", "model.layers: is missing"),
    ],
)
def test_layers_that_cannot_be_read_are_told_with_their_key(model: Any, expected: str) -> None:
    [problem] = problems(model=model)
    assert problem.startswith("model.layers: ")
    assert expected in problem


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("loss.test_training_mode", "the task has no held-out data"),
        ("loss_gap", "the task has no held-out data"),
        ("accuracy_gap", "the task has no held-out data"),
        ("accuracy.augmented", "the task augments nothing; give task.augment"),
    ],
)
def test_quantities_need_what_they_are_measured_on(quantity: str, expected: str) -> None:
    (problem,) = problems(record=[quantity])
    assert problem == f"record.0: {expected}; found {quantity}"


def test_accuracies_are_of_classes() -> None:
    task = Function("sinc", low=-1, high=1, points=20, heldout=5)
    for quantity in ("accuracy.running", "accuracy_gap"):
        (problem,) = problems(task=task, model=MLP(5), record=[quantity])
        assert "is not for this task" in problem


def test_bfloat16_goes_with_single_precision_and_is_another_run() -> None:
    (problem,) = problems(precision="bfloat16", dtype="float64")
    assert problem == 'precision: keeps weights in float32; found bfloat16; allowed: dtype = "float32"'
    one, two = (study(precision=kind, replicates=1).plan().runs[0].id for kind in ("full", "bfloat16"))
    assert one != two


def test_the_training_loss_of_images_is_recorded_only_if_asked_for() -> None:
    assert study(record=["loss.running"]).plan().record.quantities == ("loss.running",)
    assert study(record=["accuracy", "loss.last_batch"]).plan().record.quantities == (
        "accuracy",
        "loss.last_batch",
    )
    assert study().plan().record.quantities == ("loss",)
    task = Function("sinc", low=-1, high=1, points=20)
    plain = study(task=task, model=MLP(5), record=["gradient_norm"]).plan()
    assert plain.record.quantities == ("loss", "gradient_norm")
