"""Crops and flips: what they do, and that their draws are uniform and addressed."""

from __future__ import annotations

import numpy as np
import pytest
import slow_images
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gradlab.task import CropFlip
from gradlab.task.augment import apply, moves


@given(
    padding=st.integers(0, 4),
    mode=st.sampled_from(["reflect", "zeros"]),
    flip=st.booleans(),
    shape=st.tuples(st.integers(0, 5), st.integers(1, 3), st.integers(5, 8), st.integers(5, 8)),
    seed=st.integers(0, 2**32),
)
def test_it_is_the_loop_over_pixels(
    padding: int, mode, flip: bool, shape: tuple[int, ...], seed: int
) -> None:
    augment = CropFlip(padding=padding, mode=mode, flip=flip)
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    moved = moves(augment, seed, 3, len(x))
    x.setflags(write=False)
    found = apply(augment, x, moved)
    wanted = [
        slow_images.moved(image, padding, mode, *(int(m) for m in move))
        for image, move in zip(x, moved, strict=True)
    ]
    np.testing.assert_array_equal(found, np.array(wanted, np.float32).reshape(shape))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert not np.shares_memory(found, x)


def test_the_border_pixel_is_not_repeated() -> None:
    row = np.arange(1.0, 6.0).reshape(1, 1, 1, 5).repeat(5, axis=2)
    left = apply(CropFlip(padding=2), row, np.array([[2, 0, 0]], np.int8))
    assert left[0, 0, 0].tolist() == [3, 2, 1, 2, 3]
    flipped = apply(CropFlip(padding=2), row, np.array([[2, 4, 1]], np.int8))
    assert flipped[0, 0, 0].tolist() == [3, 4, 5, 4, 3]


def test_the_middle_crop_without_a_flip_is_the_image() -> None:
    x = np.random.default_rng(0).random((3, 1, 6, 6))
    np.testing.assert_array_equal(apply(CropFlip(padding=3), x, np.array([[3, 3, 0]] * 3, np.int8)), x)


def test_moves_are_uniform_and_independent() -> None:
    table = moves(CropFlip(padding=4), seed=11, epoch=2, n=90_000)
    cells = np.zeros((9, 9, 2), int)
    np.add.at(cells, tuple(table.T.astype(int)), 1)
    assert cells.sum() == 90_000
    assert stats.chisquare(cells.reshape(-1)).pvalue > 1e-4
    neighbours = np.corrcoef(table[:-1, 0], table[1:, 0])[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(90_000)


def test_moves_have_an_address() -> None:
    def draw(**changes) -> bytes:
        address = {"seed": 5, "epoch": 7, "n": 100, "purpose": "augment"} | changes
        return moves(CropFlip(), **address).tobytes()

    assert draw() == draw()
    assert len({draw(), draw(seed=6), draw(epoch=8), draw(purpose="augment.evaluate")}) == 4


def test_without_padding_or_flip_nothing_moves() -> None:
    assert not moves(CropFlip(padding=0, flip=False), 0, 0, 100).any()
    assert moves(CropFlip(padding=0), 0, 0, 100).max(axis=0).tolist() == [0, 0, 1]


@pytest.mark.parametrize("padding", [-1, 61])
def test_padding_has_bounds(padding: int) -> None:
    with pytest.raises(ValueError, match="padding"):
        CropFlip(padding=padding)
