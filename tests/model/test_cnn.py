"""Convolutional networks as declarations."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gradlab.component import digest_of, vary
from gradlab.model import CNN, MLP

MNIST, MNIST_32, CIFAR = (1, 28, 28), (1, 32, 32), (3, 32, 32)


def five_blocks(*channels: int) -> str:
    """Report 004's Models 2 and 21 to 31."""
    return ", ".join(f"conv {c}x3 pad 1, pool 2" for c in channels)


def two_blocks(first: int, second: int, hidden: int, kernel: int = 3) -> str:
    """Report 001's ten networks, as its counts suggest."""
    return f"conv {first}x{kernel} pad 1, pool 2, conv {second}x{kernel} pad 1, pool 2, {hidden}"


REPORTS = {
    "000/randlabels": ("conv 6x5, pool 2, conv 16x5, pool 2, 120, drop 0.5, 84, drop 0.5", MNIST_32, 61_706),
    "001/params 1": (two_blocks(8, 8, 8), CIFAR, 5_002),
    "001/params 2": (two_blocks(8, 16, 16), CIFAR, 17_962),
    "001/params 3": (two_blocks(16, 16, 32), CIFAR, 35_898),
    "001/params 4": (two_blocks(16, 32, 64), CIFAR, 136_874),
    "001/params 5": (two_blocks(32, 32, 64), CIFAR, 141_930),
    "001/params 6": (two_blocks(32, 64, 128), CIFAR, 545_098),
    "001/params 7": (two_blocks(64, 64, 128), CIFAR, 564_426),
    "001/params 8": (two_blocks(64, 96, 128), CIFAR, 845_034),
    "001/params 9": (two_blocks(96, 128, 128), CIFAR, 1_163_402),
    "001/params 10": (two_blocks(128, 128, 256), CIFAR, 2_251_146),
    "002/cifar10 1": ("conv 32x3 pad 1, drop 0.3, conv 32x3 pad 1, pool 2, 512", CIFAR, 4_210_090),
    "002/cifar10 2": (
        "conv 96x3 pad 1, pool 2, conv 80x3 pad 1, pool 2, conv 96x3 pad 1, conv 64x3 pad 1, 512",
        CIFAR,
        2_299_258,
    ),
    "002/mnist 1": ("conv 10x3, pool 2, conv 16x3, pool 2, 512, 256, 125", MNIST, 371_581),
    "002/mnist 2": (
        "conv 32x5, conv 32x5, pool 2, drop 0.5, conv 64x5, pool 2, drop 0.5, 256, drop 0.5",
        MNIST,
        228_010,
    ),
    "002/sensitivity": ("conv 10x3, pool 2, conv 16x3, pool 2, 32", MNIST, 14_718),
    "003/randlabels": ("conv 16x5, pool 2, conv 32x5, pool 2, 50", MNIST_32, 53_808),
    "004/cifar3 1": ("conv 16x3, pool 2, softmax", CIFAR, 36_458),
    "004/cifar3 1, as its table says": ("conv 16x3 pad 1, pool 2, softmax", CIFAR, 41_418),
    "004/cifar3 2": (five_blocks(16, 32, 64, 32, 16), CIFAR, 46_842),
    "004/cifar3 7": ("conv 32x3 pad 1, pool 2, conv 64x3 pad 1, pool 2, 100 linear", CIFAR, 430_102),
    # the report has only its counts, weights and biases apart: six convolutions and two dense layers fit both
    "004/pca-model9": (
        ", ".join(f"conv {c}x3 pad 1, conv {c}x3 pad 1, pool 2" for c in (32, 64, 128)) + ", 128, softmax",
        CIFAR,
        550_570,
    ),
    "004/params 21": (five_blocks(8, 10, 20, 25, 16), CIFAR, 11_085),
    "004/params 22": (five_blocks(16, 10, 20, 25, 16), CIFAR, 12_029),
    "004/params 23": (five_blocks(16, 10, 32, 20, 16), CIFAR, 13_656),
    "004/params 24": (five_blocks(16, 25, 20, 25, 16), CIFAR, 16_904),
    "004/params 25": (five_blocks(16, 64, 20, 24, 16), CIFAR, 29_254),
    "004/params 26": (five_blocks(16, 128, 20, 30, 16), CIFAR, 52_004),
    "004/params 27": (five_blocks(16, 128, 20, 64, 16), CIFAR, 63_054),
    "004/params 28": (five_blocks(16, 128, 20, 100, 16), CIFAR, 74_754),
    "004/params 29": (five_blocks(16, 128, 20, 128, 16), CIFAR, 83_854),
    "004/params 30": (five_blocks(16, 128, 32, 128, 32), CIFAR, 130_122),
    "004/params 31": (five_blocks(16, 256, 128, 64, 32), CIFAR, 425_194),
}


@pytest.mark.parametrize("name", REPORTS)
def test_parameters_of_the_reports_networks(name: str) -> None:
    layers, shape, count = REPORTS[name]
    model = CNN(layers)
    assert model.parameters(shape, 10) == count
    assert sum(tensor.size for tensor in model.tensors(shape, 10)) == count


@pytest.mark.parametrize(("kernel", "first", "last"), [(3, 5_002, 2_251_146), (5, 6_410, 2_519_434)])
def test_the_kernels_of_report_001_are_told_by_its_counts(kernel: int, first: int, last: int) -> None:
    pad = (kernel - 1) // 2
    counts = [
        CNN(two_blocks(*sizes, kernel).replace("pad 1", f"pad {pad}")).parameters(CIFAR, 10)
        for sizes in ((8, 8, 8), (128, 128, 256))
    ]
    assert counts == [first, last]


@pytest.mark.parametrize(
    ("hidden", "shape", "count"),
    [
        *(((20 * i, 8), MNIST, 793 * 20 * i + 98) for i in range(1, 21)),
        ((20, 20), MNIST, 16_330),
        ((256, 128), MNIST, 235_146),
        ((4, 8), MNIST, 3_270),
        ((8, 16), MNIST, 6_594),
        ((16, 32), MNIST, 13_434),
        ((32, 64), MNIST, 27_882),
        ((64, 128), MNIST, 59_850),
        ((100, 200), MNIST, 100_710),
        ((128, 256), MNIST, 136_074),
        ((200, 300), MNIST, 220_310),
        ((256, 400), MNIST, 307_770),
        ((256, 512), MNIST, 337_674),
        ((15, 30), MNIST, 12_565),
        ((5, 30), MNIST, 4_415),
        ((128, 128), MNIST_32, 149_002),
    ],
)
def test_parameters_of_the_reports_dense_networks_on_images(
    hidden: tuple[int, ...], shape: tuple[int, ...], count: int
) -> None:
    assert MLP(*hidden).parameters(shape, 10) == count
    assert CNN(", ".join(map(str, hidden))).parameters(shape, 10) == count


def test_the_count_of_multiplications_is_torchs() -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from gradlab.train.network import build_network

    model = CNN(REPORTS["002/mnist 2"][0])
    network = build_network(model, MNIST, 10).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *MNIST))
    assert counter.get_total_flops() == 2 * model.multiplications(MNIST, 10)


def test_python_and_tables_say_the_same() -> None:
    assert CNN("conv 8x3,pool 2", activation="tanh") == CNN.model_validate({
        "layers": "conv 8x3, pool 2",
        "activation": "tanh",
    })
    assert CNN("conv 8x3,  dense 5").layers == "conv 8x3, 5"


def test_equal_networks_have_equal_identity() -> None:
    def identity(layers: str, **settings: object) -> str:
        return digest_of(CNN(layers, **settings).canonical())

    assert identity("conv 8x3 pad 0, dense 5") == identity(
        "conv 8x3, drop 0.0, 5", activation="relu", slope=0.2
    )
    assert identity("conv 8x3 linear, 5", activation="identity") == identity(
        "conv 8x3, 5", activation="identity"
    )
    assert identity("conv 8x3 linear, 5 linear") == identity("conv 8x3, 5", activation="identity")
    assert identity("5", activation="leaky_relu", slope=0.2) != identity("5", activation="leaky_relu")
    assert identity("conv 8x3, 5") != identity("conv 8x3, 5 linear")
    assert CNN("conv 8x3, 5").canonical() == {"kind": "cnn", "layers": "conv 8x3, 5"}


def test_labels() -> None:
    model = CNN("conv 10x3 pad 1 stride 2, norm, pool 2, drop 0.5, 512, 100 linear, softmax")
    assert model.label() == "cnn-10x3p1s2-norm-pool2-drop0.5-512-100linear-softmax"
    assert [name for name, _ in vary(CNN("5"), CNN("6")).levels] == ["cnn-5", "cnn-6"]  # type: ignore[attr-defined]


def test_only_dropout_draws_in_training() -> None:
    assert CNN("drop 0.1, 5").drops
    assert not CNN("conv 8x3, norm, drop 0, 5").drops


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": "conv 8x3, sofmax"}, "did you mean 'softmax'"),
        ({"layers": 5}, "valid string"),
        ({"layers": "5", "activation": "relo"}, "'relu', 'leaky_relu', 'tanh' or 'identity'"),
        ({}, "Field required"),
    ],
)
def test_what_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CNN(**fields)  # type: ignore[arg-type]
