"""Images as a network sees them: normalised, chosen, resized, spoilt."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
from scipy import stats
from tiny_images import GREY, Tiny, images, write_idx

from gradlab.errors import EnvironmentProblem
from gradlab.task import (
    CIFAR10,
    MNIST,
    CropFlip,
    GaussianInputs,
    RandomLabels,
    RandomPixels,
    ShuffledPixels,
    WrongLabels,
)
from gradlab.task import image_data as module
from gradlab.task.data import build_data
from gradlab.task.image_data import corrupted_labels, pictures, spoilt_pixels
from gradlab.task.readers import PUBLISHED
from gradlab.task.resize import resized

SEEDS = {"data": 3, "labels": 4, "order": 5}


@pytest.fixture(autouse=True)
def tiny(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path)
    monkeypatch.setenv("GRADLAB_DATA", str(tmp_path))
    monkeypatch.setitem(PUBLISHED, "tiny", GREY)
    monkeypatch.setattr(module, "_used", {})
    monkeypatch.setattr(module, "_last", {})


X, Y = images(GREY)["train"]
TEST_X, TEST_Y = images(GREY)["test"]


def test_pixels_are_those_of_totensor_and_normalize() -> None:
    data = build_data(Tiny(mean=(0.1307,), std=(0.3081,)), SEEDS)
    wanted = (torch.from_numpy(X).float().div(255) - torch.tensor(0.1307)) / torch.tensor(0.3081)
    np.testing.assert_array_equal(data.x, wanted.numpy())
    plain = build_data(Tiny(), SEEDS)
    np.testing.assert_array_equal(plain.x, torch.from_numpy(X).float().div(255).numpy())
    for array, shape in ((plain.x, (8, 1, 4, 4)), (plain.test_x, (4, 1, 4, 4))):
        assert (array.shape, array.dtype, array.flags.c_contiguous) == (shape, np.float32, True)
    assert plain.y.dtype == plain.test_y.dtype == np.int64
    np.testing.assert_array_equal(plain.y, Y)
    np.testing.assert_array_equal(plain.test_y, TEST_Y)


def test_each_channel_has_its_own_normalisation() -> None:
    task = CIFAR10(mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)
    wanted = pixels.astype(np.float64) / 255
    for channel in range(3):
        wanted[:, channel] = (wanted[:, channel] - task.mean[channel]) / task.std[channel]
    np.testing.assert_allclose(module._levels(task, pixels), wanted, atol=1e-6)


def test_classes_are_chosen_and_numbered_in_the_order_given() -> None:
    data = build_data(Tiny(classes=(2, 0), train=4), SEEDS)
    kept = np.flatnonzero(Y != 1)[:4]
    np.testing.assert_array_equal(data.x, build_data(Tiny(), SEEDS).x[kept])
    assert data.y.tolist() == [0 if label == 2 else 1 for label in Y[kept]]
    assert len(data.test_x) == 2


def test_counts_take_the_first() -> None:
    data = build_data(Tiny(train=3, test=2), SEEDS)
    assert (data.y.tolist(), data.test_y.tolist()) == (Y[:3].tolist(), TEST_Y[:2].tolist())


def test_images_are_resized_before_they_are_normalised() -> None:
    data = build_data(Tiny(resize=6), SEEDS)
    np.testing.assert_array_equal(data.x, resized(X, 6).astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(data.test_x, resized(TEST_X, 6).astype(np.float32) / np.float32(255))


def test_labels_and_augmentation_share_one_array_of_images() -> None:
    plain = build_data(Tiny(), SEEDS)
    for task in (
        Tiny(corruption=RandomLabels()),
        Tiny(corruption=WrongLabels(0.5)),
        Tiny(augment=CropFlip(padding=1)),
    ):
        other = build_data(task, SEEDS | {"labels": 9, "data": 9})
        assert other.x is plain.x
        assert other.test_x is plain.test_x
    assert other.augment == CropFlip(padding=1)
    held = [
        build_data(Tiny(corruption=RandomLabels()), SEEDS | {"labels": s}, validation=0.25) for s in (1, 2)
    ]
    assert held[0].x is held[1].x
    assert held[0].validation_x is held[1].validation_x
    assert build_data(Tiny(mean=(0.5,), std=(1.0,)), SEEDS).x is not plain.x


def test_only_the_images_made_last_are_kept_when_nobody_uses_them() -> None:
    first = weakref.ref(build_data(Tiny(), SEEDS).x)
    used = build_data(Tiny(train=5), SEEDS)
    gc.collect()
    assert first() is None
    build_data(Tiny(train=6), SEEDS)
    assert build_data(Tiny(train=5), SEEDS).x is used.x


def test_validation_examples_come_from_the_training_set_as_it_is() -> None:
    task = Tiny(corruption=RandomLabels())
    whole = build_data(task, SEEDS)
    data = build_data(task, SEEDS, validation=0.25)
    assert (len(data.x), len(data.validation_x), len(data.test_x)) == (6, 2, 4)
    found = {(x.tobytes(), int(y)) for x, y in zip(data.x, data.y, strict=True)}
    found |= {(x.tobytes(), int(y)) for x, y in zip(data.validation_x, data.validation_y, strict=True)}
    assert found == {(x.tobytes(), int(y)) for x, y in zip(whole.x, whole.y, strict=True)}
    with pytest.raises(ValueError, match="leaves none of the 8 examples"):
        build_data(task, SEEDS, validation=0.95)


MANY = np.random.default_rng(0).integers(0, 10, 100_000)


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(("kind", "true_share"), [(RandomLabels, 0.1), (WrongLabels, 0.0)])
def test_labels_are_replaced_as_often_as_said(kind, true_share: float, fraction: float) -> None:
    labels = corrupted_labels(MNIST(corruption=kind(fraction)), MANY, SEEDS)
    changed = (labels != MANY).mean()
    expected = fraction * (1 - true_share)
    assert abs(changed - expected) <= 4 * np.sqrt(expected * (1 - expected) / len(MANY)) + 1e-12
    assert labels.dtype == np.int64
    assert set(np.unique(labels)) <= set(range(10))


@pytest.mark.parametrize("kind", [RandomLabels, WrongLabels])
def test_what_is_drawn_is_uniform_whatever_the_truth(kind) -> None:
    labels = corrupted_labels(MNIST(corruption=kind()), MANY, SEEDS)
    table = np.zeros((10, 10), int)
    np.add.at(table, (MANY, labels), 1)
    if kind is WrongLabels:
        assert not table.diagonal().any()
    for truth, row in enumerate(table):
        drawn = np.delete(row, truth) if kind is WrongLabels else row
        assert stats.chisquare(drawn).pvalue > 1e-4


@pytest.mark.parametrize("kind", [RandomLabels, WrongLabels])
def test_a_larger_fraction_replaces_what_a_smaller_one_does(kind) -> None:
    some, more = (corrupted_labels(MNIST(corruption=kind(f)), MANY, SEEDS) for f in (0.3, 0.6))
    replaced = some != MANY
    np.testing.assert_array_equal(more[replaced], some[replaced])


def test_the_labels_seed_alone_decides_on_labels() -> None:
    task = MNIST(corruption=RandomLabels())
    one = corrupted_labels(task, MANY, SEEDS)
    np.testing.assert_array_equal(one, corrupted_labels(task, MANY, SEEDS | {"data": 9, "order": 9}))
    assert (one == corrupted_labels(task, MANY, SEEDS | {"labels": 9})).mean() < 0.12
    wrong = corrupted_labels(MNIST(corruption=WrongLabels()), MANY, SEEDS)
    assert abs((one == wrong).mean() - 0.09) < 0.01


def test_the_labels_of_a_seed_are_pinned() -> None:
    drawn = corrupted_labels(MNIST(corruption=RandomLabels()), MANY, {"labels": 0})
    wrong = corrupted_labels(MNIST(corruption=WrongLabels(0.5)), np.zeros(8, int), {"labels": 0})
    assert (drawn[:8].tolist(), wrong.tolist()) == ([1, 8, 4, 2, 0, 8, 3, 2], [0, 0, 0, 0, 4, 0, 7, 8])


def test_test_labels_stay_true() -> None:
    np.testing.assert_array_equal(build_data(Tiny(corruption=WrongLabels()), SEEDS).test_y, TEST_Y)


def pixels_of(image: np.ndarray) -> list[tuple[float, ...]]:
    return sorted(map(tuple, image.reshape(image.shape[0], -1).T.tolist()))


COLOUR = np.random.default_rng(1).integers(0, 256, (300, 3, 5, 5), dtype=np.uint8)


@pytest.mark.parametrize("kind", [ShuffledPixels, RandomPixels])
def test_pixels_move_and_their_channels_stay_together(kind) -> None:
    found = spoilt_pixels(kind(), COLOUR, 3, "train")
    assert all(pixels_of(a) == pixels_of(b) for a, b in zip(found, COLOUR, strict=True))
    assert not np.array_equal(found, COLOUR)


def test_shuffled_pixels_have_one_order_for_all_images_of_both_sets() -> None:
    places = np.arange(25, dtype=np.uint8).reshape(1, 1, 5, 5).repeat(4, axis=0)
    train, test = (spoilt_pixels(ShuffledPixels(), places, 3, name) for name in ("train", "test"))
    assert len({image.tobytes() for image in [*train, *test]}) == 1
    assert spoilt_pixels(ShuffledPixels(), places, 4, "train").tobytes() != train.tobytes()


def test_random_pixels_have_an_order_for_each_image() -> None:
    places = np.arange(25, dtype=np.uint8).reshape(1, 1, 5, 5).repeat(5000, axis=0)
    train, test = (spoilt_pixels(RandomPixels(), places, 3, name) for name in ("train", "test"))
    assert len({image.tobytes() for image in [*train, *test]}) == 10_000
    # the pixel that comes first is each one equally often, in the second batch of draws too
    for part in (train[:4096], train[4096:]):
        assert stats.chisquare(np.bincount(part[:, 0, 0, 0], minlength=25)).pvalue > 1e-4


def test_fewer_images_are_spoilt_alike() -> None:
    whole = spoilt_pixels(RandomPixels(), COLOUR, 3, "train")
    np.testing.assert_array_equal(spoilt_pixels(RandomPixels(), COLOUR[:100], 3, "train"), whole[:100])


def test_both_sets_lose_their_structure_and_labels_stay_true() -> None:
    plain = build_data(Tiny(), SEEDS)
    for corruption in (ShuffledPixels(), RandomPixels(), GaussianInputs()):
        data = build_data(Tiny(corruption=corruption), SEEDS)
        assert not np.array_equal(data.x, plain.x)
        assert not np.array_equal(data.test_x, plain.test_x)
        np.testing.assert_array_equal(data.y, plain.y)
        again, other = (build_data(Tiny(corruption=corruption), SEEDS | {"data": s}) for s in (3, 4))
        assert again.x.tobytes() == data.x.tobytes() != other.x.tobytes()


def test_gaussian_inputs_have_each_channels_mean_and_variance() -> None:
    draw = np.random.default_rng(2)
    train = np.stack([draw.integers(0, high, (2000, 8, 8)) for high in (256, 100, 20)], axis=1).astype(
        np.uint8
    )
    task = CIFAR10(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), corruption=GaussianInputs())
    small = task.model_copy(update={"resize": 8})
    x, test_x = module._gaussian(small, 0, train, 500)
    shown = module._levels(task, train).astype(np.float64)
    for channel in range(3):
        true, found = shown[:, channel], x[:, channel]
        n = found.size
        assert abs(found.mean() - true.mean()) < 4 * true.std() / np.sqrt(n)
        assert abs(found.var() / true.var() - 1) < 4 * np.sqrt(2 / n)
        assert stats.kstest((found.ravel()[:5000] - true.mean()) / true.std(), "norm").pvalue > 1e-4
    assert (x.dtype, test_x.shape) == (np.float32, (500, 3, 8, 8))
    together = np.corrcoef(x[:500, 0].ravel(), test_x[:, 0].ravel())[0, 1]
    assert abs(together) < 4 / np.sqrt(test_x[:, 0].size)


def test_a_missing_set_is_told_when_it_is_built(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADLAB_DATA", str(tmp_path / "none"))
    with pytest.raises(EnvironmentProblem, match="gradlab data fetch"):
        pictures(Tiny(train=2), 0)


@pytest.mark.data
def test_mnist_has_its_well_known_mean_and_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    x = build_data(MNIST(), SEEDS).x.astype(np.float64)
    assert (round(x.mean(), 4), round(x.std(), 4)) == (0.1307, 0.3081)
