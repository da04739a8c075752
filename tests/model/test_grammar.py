"""The line on which a network is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradlab.model.grammar import parse, resolve, spell


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("conv 10x3,pool 2 ,  512", "conv 10x3, pool 2, 512"),
        ("conv 10x3 pad 0 stride 1, dense 512", "conv 10x3, 512"),
        ("conv 8x3 stride 2 pad 1", "conv 8x3 pad 1 stride 2"),
        ("conv 8x3 linear pad 1", "conv 8x3 pad 1 linear"),
        ("drop .5, 10 linear, drop 0, softmax", "drop 0.5, 10 linear, softmax"),
        ("conv 8x3, norm, 12, norm", "conv 8x3, norm, 12, norm"),
        ("012", "12"),
    ],
)
def test_a_line_has_one_normal_spelling(written: str, normal: str) -> None:
    assert spell(parse(written)) == normal
    assert spell(parse(normal)) == normal


WORDS = st.one_of(
    st.builds("{} linear".format, st.integers(1, 999)),
    st.builds("dense {}".format, st.integers(1, 999)),
    st.builds("drop {!r}".format, st.floats(0.001, 0.999)),
)
CONVOLVED = st.one_of(
    st.builds(
        "conv {}x{} pad {} stride {}".format, *[st.integers(1, 9)] * 2, st.integers(0, 3), st.integers(1, 3)
    ),
    st.builds("pool {}".format, st.integers(2, 4)),
    st.just("conv 3x3, norm"),
)


@given(st.lists(CONVOLVED, max_size=4), st.lists(WORDS, min_size=1, max_size=4))
def test_the_normal_spelling_means_the_same(images: list[str], tail: list[str]) -> None:
    layers = parse(",".join([*images, *tail]))
    assert parse(spell(layers)) == layers


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no layer"),
        ("drop 0", "names no layer"),
        ("cnov 10x3", "layer 1, 'cnov 10x3', is not one of conv, pool, .* did you mean 'conv'"),
        ("conv 10x3, , 5", "layer 2, '', is empty"),
        ("conv", "lacks its size: conv CxK"),
        ("conv 10", "does not read as conv CxK"),
        ("conv 10x", "'' where a whole number from 1"),
        ("conv 10x0", "'0' where a whole number from 1"),
        ("conv 10x3 padd 1", "has 'padd', but takes pad, stride, linear; did you mean 'pad'"),
        ("conv 10x3 pad", "has 'pad' without a number"),
        ("conv 10x3 pad -1", "has '-1' where a whole number from 0"),
        ("conv 10x3 pad 1 pad 2", "has 'pad' twice"),
        ("pool 1", "has '1' where a whole number from 2"),
        ("pool 2 3", "has '3', but takes nothing more than pool K"),
        ("drop 1", "at least 0 and less than 1"),
        ("drop -0.1", "at least 0 and less than 1"),
        ("drop nan", "at least 0 and less than 1"),
        ("drop half", "does not read as drop P"),
        ("norm 3, 5", "does not read as norm, without a number"),
        ("512, linear", "'linear' is written after one, as in '512 linear'"),
        ("512.5", "has '512.5' where a whole number"),
        ("12000000", "where a whole number from 1 to 1000000"),
        ("512 relu", "has 'relu', but takes linear"),
        ("512, conv 10x3", "stands after a fully connected layer"),
        ("512, pool 2", "stands after a fully connected layer"),
        ("norm, 512", "must follow a conv or fully connected layer directly"),
        ("conv 8x3, pool 2, norm", "must follow a conv or fully connected layer directly"),
        ("softmax, 512", "'softmax', must be the last word"),
    ],
)
def test_what_cannot_be_read_is_quoted(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("conv 8x5", (1, 4, 9), "kernel of 5 x 5, larger than its input of 4 x 9$"),
        ("conv 8x9 pad 1", (1, 4, 9), "larger than its input of 4 x 9 with 1 of padding"),
        ("conv 8x3, pool 4", (1, 5, 5), "layer 2, 'pool 4', pools 3 x 3 places to nothing"),
        ("conv 8x3", (64,), r"needs examples of shape \[channels, height, width\], not \[64\]$"),
        ("pool 2", (28, 28), r"not \[28, 28\]; give them as \[1, 28, 28\]"),
    ],
)
def test_what_does_not_fit_the_examples_is_told(text: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve(parse(text), shape, 10)


def test_shapes_follow_torchs_rules() -> None:
    import torch

    written = parse("conv 4x3 stride 2 pad 1, pool 3, conv 5x2 stride 3")
    layers = resolve(written, (2, 29, 17), 3)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, stride=2, padding=1),
        torch.nn.MaxPool2d(3),
        torch.nn.Conv2d(4, 5, 2, stride=3),
    )
    examples = torch.empty(1, 2, 29, 17)
    for layer, module in zip(layers, network, strict=False):
        examples = module(examples)
        assert layer.outputs == tuple(examples.shape[1:])
